package daemon_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
		otherThan    = `it is the key of another certificate than the first in DIR/tls.crt, which is "connector"`
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
		"wrong order":         {intermediate.pem() + leaf.pem(), leaf.keyPEM(t), cert + after(intermediate) + "the key belongs to certificate 2, and not to the first; put the server certificate first, and behind it the certificate of its issuer" + aCertificate, nil},
		"key of another":      {chain, client.keyPEM(t), key + otherThan + aKey, nil},
		"key of another kind": {chain, rsaPEM, key + otherThan + aKey, nil},
		"for clients only":    {client.pem() + intermediate.pem(), client.keyPEM(t), cert + "its extended key usage lacks serverAuth: step-ca, as every client, refuses it" + aCertificate, nil},
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

// A key that every user of the machine can read causes a warning; not one in a folder that is closed to them, nor one that
// Kubernetes has mounted, with the mode 0644 that it gives secrets.
func TestKeyReadableByAll(t *testing.T) {
	t.Parallel()
	in := install(t)
	mounted := filepath.Join(in.folder, "..2026_11_26")
	// As the folders of a machine are.
	chmod(t, filepath.Dir(in.folder), 0o755)
	chmod(t, in.folder, 0o755)
	for _, err := range []error{
		os.Mkdir(mounted, 0o700),
		os.Link(in.path("server.key"), filepath.Join(mounted, "tls.key")),
		os.Symlink(filepath.Join("..2026_11_26", "tls.key"), in.path("tls.key")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	chmod(t, mounted, 0o755)
	warned := []string{"TLS_KEY_PATH: every user of this machine can read the private key " + in.path("server.key") + "; chmod 640 or 600"}
	for _, test := range []struct {
		key, closed string
		mode        os.FileMode
		want        []string
	}{
		{"server.key", "", 0o644, warned},
		{"server.key", "", 0o640, nil},
		{"tls.key", "", 0o644, nil},
		{"server.key", in.folder, 0o644, nil},
	} {
		chmod(t, in.path("server.key"), test.mode)
		if test.closed != "" {
			chmod(t, test.closed, 0o700)
		}
		wantLines(t, "Warnings", in.loaded(t, map[string]string{"TLS_KEY_PATH": "DIR/" + test.key}).Warnings, test.want)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
