package daemon_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	bom         = "\ufeff"
	beginsLine  = "-----BEGIN CERTIFICATE-----\n"
	endsLine    = "-----END CERTIFICATE-----\n"
	almostBegin = "almost, but not exactly, a line such as -----BEGIN CERTIFICATE-----"
)

// A bundle with an unreadable part is refused, and the error has its line: an operator would notice a certificate that was
// left out only when step-ca is refused. Nothing of its content is shown.
func TestDamagedBundle(t *testing.T) {
	t.Parallel()
	first, second := newCA(t, "First Root"), newCA(t, "Second Root")
	one, two := first.pem(), second.pem()
	lines := strings.Count(one, "\n")
	body := strings.Split(one, "\n")[1]
	line := strconv.Itoa
	p256 := []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} // its OID
	for name, test := range map[string]struct{ bundle, want string }{
		"damaged":                   {strings.Replace(one, body, "*"+body[1:], 1) + two, "line 2: the block that begins at line 1 is damaged: this line is not base64"},
		"a part is missing":         {strings.Replace(one, body, body[:61], 1) + two, "line " + line(lines) + ": the block that begins at line 1 is damaged: a part of it is missing"},
		"a line is missing":         {strings.Replace(one, body+"\n", "", 1) + two, "line 1: the certificate that begins here is damaged: "},
		"empty block":               {beginsLine + endsLine + two, "line 2: the block that begins at line 1 is damaged: a part of it is missing"},
		"glued":                     {strings.TrimSuffix(one, "\n") + two, "line " + line(lines) + ": the line end after -----END …----- is missing; -----BEGIN …----- must begin a line of its own"},
		"glued with a BOM":          {strings.TrimSuffix(one, "\n") + bom + two, "line " + line(lines) + ": the line end after -----END …----- is missing; -----BEGIN …----- must begin a line of its own"},
		"no END":                    {strings.Replace(one, endsLine, "", 1) + two, "line " + line(lines) + ": a block begins here, but the one that begins at line 1 has no end"},
		"no END at the end":         {one + strings.Replace(two, endsLine, "", 1), "line " + line(lines+1) + ": the block that begins here has no end"},
		"no BEGIN":                  {strings.Replace(one, beginsLine, "", 1) + two, "line 1: the line -----BEGIN …----- before this block is missing"},
		"four dashes":               {strings.Replace(one, "-----BEGIN", "----BEGIN", 1) + two, "line 1: " + almostBegin},
		"four dashes at the end":    {strings.Replace(one, "CERTIFICATE-----\n", "CERTIFICATE----\n", 1) + two, "line 1: " + almostBegin},
		"long dashes":               {strings.Replace(one, "-----BEGIN CERTIFICATE-----", "–––BEGIN CERTIFICATE–––", 1) + two, "line 1: " + almostBegin},
		"lower case":                {strings.Replace(one, "BEGIN CERTIFICATE", "begin certificate", 1) + two, "line 1: " + almostBegin},
		"no space":                  {strings.Replace(one, "BEGIN CERTIFICATE", "BEGINCERTIFICATE", 1) + two, "line 1: " + almostBegin},
		"misspelled BEGIN":          {strings.Replace(one, "BEGIN", "BEGN", 1) + two, "line 1: " + almostBegin},
		"misspelled kind":           {strings.Replace(one, "BEGIN CERTIFICATE", "BEGIN CERTIFICTE", 1) + two, "line 1: a block of an unknown kind begins here"},
		"misspelled END":            {strings.Replace(one, "END CERTIFICATE", "END CERTIFICTE", 1) + two, "line " + line(lines) + ": the block that begins at line 1 ends here as another kind"},
		"indented":                  {"  " + one + two, "line 1: spaces before -----BEGIN …-----; it must begin its line"},
		"line breaks are lost":      {strings.ReplaceAll(one, "\n", "") + "\n" + two, "line 1: the line break after -----BEGIN …----- is missing; a block has lines of 64 characters"},
		"line breaks are spaces":    {strings.ReplaceAll(one, "\n", " ") + "\n" + two, "line 1: the line break after -----BEGIN …----- is missing; a block has lines of 64 characters"},
		"quoted":                    {`"` + strings.TrimSuffix(one, "\n") + "\"\n" + two, "line 1: " + almostBegin},
		"on one line":               {strings.ReplaceAll(strings.TrimSuffix(one, "\n"), "\n", `\n`) + "\n" + two, "line 1: the line breaks are written as \\n; each must be a line break"},
		"damaged second":            {one + strings.Replace(two, strings.Split(two, "\n")[1], "*", 1), "line " + line(lines+2) + ": the block that begins at line " + line(lines+1) + " is damaged: this line is not base64"},
		"OpenSSL's own form":        {strings.ReplaceAll(one, "CERTIFICATE", "TRUSTED CERTIFICATE") + two, "line 1: a certificate in OpenSSL's own form; `openssl x509 -in FILE -out NEW` converts it"},
		"PKCS #7":                   {strings.ReplaceAll(one, "CERTIFICATE", "PKCS7") + two, "line 1: certificates in PKCS #7; `openssl pkcs7 -print_certs -in FILE -out NEW` converts them"},
		"certificate request":       {strings.ReplaceAll(one, "CERTIFICATE", "CERTIFICATE REQUEST"), "it has no PEM certificate, but a certificate request"},
		"UTF-16":                    {"\xff\xfe-\x00-\x00", "it is UTF-16; save it as UTF-8"},
		"certificate in DER":        {string(first.certificate.Raw), "it is a certificate in DER, not in PEM; `openssl x509 -inform DER -in FILE -out NEW` converts it"},
		"PKCS #12":                  {"\x30\x81\x85\x02\x01\x03\x30\x7f" + strings.Repeat("\x00", 127) + "\x00", "it is PKCS #12, not PEM; `openssl pkcs12 -in FILE -nokeys -out NEW` takes the certificates out"},
		"something else":            {"what is this?\n", "it has no PEM certificate"},
		"a curve that is not known": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes.ReplaceAll(first.certificate.Raw, p256, append(p256[:7:7], 0x77))})), "line 1: the certificate that begins here cannot be used: x509: unsupported elliptic curve"},
		"a certificate's content":   {beginsLine + "AAAA\n" + endsLine, "line 1: the certificate that begins here is damaged: x509: malformed certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "ca.crt", test.bundle)
			got := in.refused(t, map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/ca.crt", "MTLS_ALLOWED_NAMES": "ca"})
			want := "TLS_CA_PATH: client CA bundle DIR/ca.crt: " + test.want
			if len(got) != 1 || !strings.HasPrefix(got[0], want) || !strings.HasSuffix(got[0], aBundle) {
				t.Errorf("Load:\n got: %s\nwant: %s…%s", strings.Join(got, "\n      "), want, aBundle)
			}
			if strings.Contains(got[0], body[10:20]) {
				t.Errorf("the content is shown: %s", got[0])
			}
		})
	}
}

// Both CAs of a bundle are found, with any harmless text around them.
func TestWholeBundle(t *testing.T) {
	t.Parallel()
	first, second := newCA(t, "First Root"), newCA(t, "Second Root")
	one, two := first.pem(), second.pem()
	day := first.certificate.NotAfter.UTC().Format(time.DateOnly)
	for name, bundle := range map[string]string{
		"plain":               one + two,
		"BOM":                 bom + one + two,
		"a BOM in the middle": one + bom + two,
		"CRLF":                strings.ReplaceAll(one+two, "\n", "\r\n"),
		"no line end":         one + strings.TrimSuffix(two, "\n"),
		"spaces at line ends": strings.ReplaceAll(one+two, "\n", " \t\n"),
		"text around":         "Certificate:\n    Data:\n        Signature Algorithm: ecdsa-with-SHA256\n# ------------------\n# --- ours ---\n" + one + "\n\nsubject=CN = Second Root\n===\n" + two + "the end\n",
		"headings":            "----- Baltimore Root CA -----\n" + one + "\n------ CA certificate ------\n# --- end of the root certificate ---\n-----  Müller & Söhne  -----\n" + two + "----- End of file -----\n",
		"other blocks":        one + second.keyPEM(t) + two,
		"twice":               one + two + one,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "ca.crt", bundle)
			d := in.loaded(t, map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/ca.crt", "MTLS_ALLOWED_NAMES": "ca"})
			wantLines(t, "Warnings", d.Warnings, nil)
			want := "client certificates: clients need a certificate of the CA in " + in.path("ca.crt") +
				` ("First Root", expires ` + day + `; "Second Root", expires ` + day + ") with one of these names: ca"
			wantLines(t, "Describe", d.Describe()[1:2], []string{want})
		})
	}
}

// A certificate that cannot verify a client causes a warning; a bundle without a usable one is refused.
func TestBundleContent(t *testing.T) {
	t.Parallel()
	root := newCA(t, "Root")
	intermediate := root.issue(t, &x509.Certificate{Subject: named("Intermediate"), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	var self *issuer
	expiry := time.Now().Add(-time.Hour).Truncate(time.Second)
	old := self.issue(t, &x509.Certificate{Subject: named("Old Root"), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: expiry})
	leaf := intermediate.issue(t, own("Step Online CA"))
	signsNothing := self.issue(t, &x509.Certificate{Subject: named("Signs Nothing"), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature})
	const (
		noCA  = " is no CA certificate but one of a server or client, such as step-ca's own, which is replaced every day; the root of the CA is wanted"
		none  = "it has no CA certificate that can be used: "
		names = "client CA bundle DIR/ca.crt: "
	)
	var bundle strings.Builder
	for i := range 21 {
		bundle.WriteString(newCA(t, fmt.Sprintf("Public Root %d", i)).pem())
	}
	expired := " expired at " + expiry.UTC().Format(time.RFC3339) + ", so the client certificates that it issued are refused"
	for name, test := range map[string]struct {
		bundle   string
		refused  string
		warnings []string
	}{
		"root":              {root.pem(), "", nil},
		"intermediate":      {intermediate.pem(), "", nil},
		"step-ca's own":     {leaf.pem(), none + `"Step Online CA"` + noCA, nil},
		"expired":           {old.pem(), none + `"Old Root"` + expired, nil},
		"expired, and a CA": {old.pem() + root.pem(), "", []string{`TLS_CA_PATH: "Old Root"` + expired}},
		"own, and a CA":     {root.pem() + leaf.pem(), "", []string{`TLS_CA_PATH: "Step Online CA"` + noCA}},
		"a bundle of public CAs": {bundle.String(), "", []string{
			"TLS_CA_PATH: the file has 21 CAs, like the bundle of the system; client certificates of each of them are accepted; use a file with the root of your own CA only",
		}},
		"may not sign": {signsNothing.pem(), none + `"Signs Nothing"` + noCA, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "ca.crt", test.bundle)
			changes := map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/ca.crt", "MTLS_ALLOWED_NAMES": "ca"}
			if test.refused != "" {
				wantLines(t, "Load", in.refused(t, changes), []string{"TLS_CA_PATH: " + names + test.refused + aBundle})
				return
			}
			wantLines(t, "Warnings", in.loaded(t, changes).Warnings, test.warnings)
		})
	}
}

// A server certificate and its key must fit together and be usable by step-ca.
func TestServerCertificate(t *testing.T) {
	t.Parallel()
	root := newCA(t, "Root")
	intermediate := root.issue(t, &x509.Certificate{Subject: named("Intermediate"), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	leaf := intermediate.issue(t, own("connector"))
	clientOnly := own("connector")
	clientOnly.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	client := intermediate.issue(t, clientOnly)
	nameless := own("connector")
	nameless.DNSNames = nil
	unnamed := root.issue(t, nameless)
	encrypted := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: leaf.pkcs8(t)}))
	oldEncrypted := string(pem.EncodeToMemory(&pem.Block{
		Type: "EC PRIVATE KEY", Bytes: leaf.pkcs8(t), Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
	}))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))
	const (
		cert         = "TLS_CERT_PATH: TLS certificate DIR/tls.crt: "
		key          = "TLS_KEY_PATH: TLS private key DIR/tls.key: "
		noIssuer     = ` is not in the file; clients that do not have it will refuse the connection; append it, unless it is the root that they trust`
		otherThan    = `it does not belong to the first certificate in DIR/tls.crt, which is "connector"`
		needsDecrypt = "line 1: the private key is encrypted; `openssl pkey -in FILE -out NEW` decrypts it"
	)
	after := func(i *issuer) string { return fmt.Sprintf("line %d: ", strings.Count(i.pem(), "\n")+1) }
	chain := leaf.pem() + intermediate.pem()
	for name, test := range map[string]struct {
		certificate, key string
		refused          string
		warnings         []string
	}{
		"chain":               {chain, leaf.keyPEM(t), "", nil},
		"BOMs":                {leaf.pem() + bom + intermediate.pem(), bom + leaf.keyPEM(t), "", nil},
		"both in each":        {leaf.keyPEM(t) + chain, chain + leaf.keyPEM(t), "", nil},
		"with the root":       {chain + root.pem(), leaf.keyPEM(t), "", nil},
		"leaf only":           {leaf.pem(), leaf.keyPEM(t), "", []string{`TLS_CERT_PATH: the certificate of the issuer, "Intermediate",` + noIssuer}},
		"root, and no chain":  {leaf.pem() + root.pem(), leaf.keyPEM(t), "", []string{`TLS_CERT_PATH: the certificate of the issuer, "Intermediate",` + noIssuer}},
		"wrong order":         {intermediate.pem() + leaf.pem(), leaf.keyPEM(t), cert + after(intermediate) + "the key belongs to certificate 2, and not to the first; put the server certificate first, and the certificate of its issuer after it" + aCertificate, nil},
		"key of another":      {chain, client.keyPEM(t), key + otherThan + aKey, nil},
		"key of another kind": {chain, rsaPEM, key + otherThan + aKey, nil},
		"for clients only":    {client.pem() + intermediate.pem(), client.keyPEM(t), cert + "its extended key usage lacks serverAuth: step-ca refuses it, as every client does" + aCertificate, nil},
		"no name":             {unnamed.pem() + root.pem(), unnamed.keyPEM(t), "", []string{"TLS_CERT_PATH: the certificate bears no DNS name and no IP address; step-ca will refuse it"}},
		"encrypted":           {chain, encrypted, key + needsDecrypt + aKey, nil},
		"encrypted, old":      {chain, oldEncrypted, key + needsDecrypt + aKey, nil},
		"key in DER":          {chain, string(leaf.pkcs8(t)), key + "it is a private key in DER, not in PEM; `openssl pkey -inform DER -in FILE -out NEW` converts it" + aKey, nil},
		"OpenSSH":             {chain, strings.ReplaceAll(leaf.keyPEM(t), "PRIVATE", "OPENSSH PRIVATE"), key + "line 1: the private key is in OpenSSH's format" + aKey, nil},
		"key that is none":    {chain, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", key + "it cannot be used: tls: failed to parse private key" + aKey, nil},
		"key that is cut":     {chain, strings.Replace(leaf.keyPEM(t), "-----END PRIVATE KEY-----", "", 1), key + "line 1: the block that begins here has no end" + aKey, nil},
		"damaged second":      {leaf.pem() + strings.Replace(intermediate.pem(), "-----BEGIN", "----BEGIN", 1), leaf.keyPEM(t), cert + after(leaf) + almostBegin + aCertificate, nil},
		"certificate in DER":  {string(leaf.certificate.Raw), leaf.keyPEM(t), cert + "it is a certificate in DER, not in PEM; `openssl x509 -inform DER -in FILE -out NEW` converts it" + aCertificate, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "tls.crt", test.certificate)
			in.write(t, "tls.key", test.key)
			changes := map[string]string{"TLS_CERT_PATH": "DIR/tls.crt", "TLS_KEY_PATH": "DIR/tls.key"}
			if test.refused != "" {
				got := in.refused(t, changes)
				wantLines(t, "Load", got, []string{test.refused})
				return
			}
			wantLines(t, "Warnings", in.loaded(t, changes).Warnings, test.warnings)
		})
	}
}
