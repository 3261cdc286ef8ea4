package profile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/profile"
)

// What cannot be meant is refused, with what is accepted. No error repeats a password.
func TestProblems(t *testing.T) {
	t.Parallel()
	const (
		ca          = "; accepted: https://HOST or https://HOST:PORT of step-ca"
		provisioner = "; accepted: the name of step-ca's ACME provisioner"
		mdm         = "; accepted: jamf, intune, iru, fleet, mosyle, addigy or simplemdm"
		short       = ", at most 128 characters, without control characters"
		network     = " is not accepted; accepted: the name of the network, 1 to 32 bytes, without control characters"
		server      = " is not accepted; accepted: the name in the RADIUS server's certificate, such as radius.example.com"
		identifier  = " is not accepted; accepted: a reverse domain name, such as com.example.device-certificate"
	)
	root := authority(t, nil)
	url := func(text string) profile.Request { return with(func(r *profile.Request) { r.CAURL = text }) }
	named := func(text string) profile.Request { return with(func(r *profile.Request) { r.Provisioner = text }) }
	wifi := func(ssid string, servers ...string) profile.Request {
		return with(func(r *profile.Request) { r.Root, r.SSID, r.Servers = root, ssid, servers })
	}
	id := func(text string) profile.Request { return with(func(r *profile.Request) { r.Identifier = text }) }
	for name, row := range map[string]struct {
		request profile.Request
		want    string
	}{
		"nothing": {profile.Request{}, "--ca-url: not set" + ca + "\n--provisioner: not set" + provisioner + "\n--mdm: not set" + mdm},

		"http":             {url("http://ca.example.com"), `--ca-url: "http://ca.example.com" is not accepted` + ca},
		"no scheme":        {url("ca.example.com"), `--ca-url: "ca.example.com" is not accepted` + ca},
		"opaque":           {url("https:ca.example.com"), `--ca-url: "https:ca.example.com" is not accepted` + ca},
		"no host":          {url("https://"), `--ca-url: "https://" is not accepted` + ca},
		"path":             {url("https://ca.example.com/acme/acme/directory"), `--ca-url: "https://ca.example.com/acme/acme/directory" is not accepted` + ca},
		"port":             {url("https://ca.example.com:70000"), `--ca-url: "https://ca.example.com:70000" is not accepted` + ca},
		"port 0":           {url("https://ca.example.com:0"), `--ca-url: "https://ca.example.com:0" is not accepted` + ca},
		"no port":          {url("https://ca.example.com:"), `--ca-url: "https://ca.example.com:" is not accepted` + ca},
		"zone":             {url("https://[fe80::1%25eth0]"), `--ca-url: "https://[fe80::1%25eth0]" is not accepted` + ca},
		"odd host":         {url("https://ca_$X.example.com"), `--ca-url: "https://ca_$X.example.com" is not accepted` + ca},
		"user":             {url("https://me@ca.example.com"), `--ca-url: has a user name or a password` + ca},
		"password":         {url("https://me:hunter2@ca.example.com"), `--ca-url: has a user name or a password` + ca},
		"query":            {url("https://ca.example.com?token=hunter2"), `--ca-url: has a query or a fragment` + ca},
		"empty query":      {url("https://ca.example.com?"), `--ca-url: has a query or a fragment` + ca},
		"fragment":         {url("https://ca.example.com#hunter2"), `--ca-url: has a query or a fragment` + ca},
		"empty fragment":   {url("https://ca.example.com#"), `--ca-url: has a query or a fragment` + ca},
		"no URL":           {url("https://me:hunter2@ca example"), `--ca-url: is no URL` + ca},
		"control":          {url("https://ca.example.com\n"), `--ca-url: is no URL` + ca},
		"folder":           {named("."), `--provisioner: "." is not accepted` + provisioner},
		"parent":           {named(".."), `--provisioner: ".." is not accepted` + provisioner},
		"NUL":              {named("a\x00b"), `--provisioner: "a\x00b" is not accepted` + provisioner + short},
		"line break":       {named("a\nb"), `--provisioner: "a\nb" is not accepted` + provisioner + short},
		"right to left":    {named("a\u202eb"), `--provisioner: "a\u202eb" is not accepted` + provisioner + short},
		"no UTF-8":         {named("a\xff"), `--provisioner: "a\xff" is not accepted` + provisioner + short},
		"long":             {named(strings.Repeat("a", 129)), `--provisioner: "` + strings.Repeat("a", 129) + `" is not accepted` + provisioner + short},
		"unknown MDM":      {with(func(r *profile.Request) { r.MDM = "Jamf" }), `--mdm: "Jamf" is not accepted` + mdm},
		"variable":         {with(func(r *profile.Request) { r.Variable = "\x01" }), `--variable: "\x01" is not accepted; accepted: the text that the MDM replaces by the serial number` + short},
		"blank variable":   {with(func(r *profile.Request) { r.Variable = " " }), `--variable: " " is not accepted; accepted: the text that the MDM replaces by the serial number, without spaces at its ends`},
		"blank at an end":  {with(func(r *profile.Request) { r.Provisioner = "acme " }), `--provisioner: "acme " is not accepted; accepted: the name of step-ca's ACME provisioner, without spaces at its ends`},
		"organization":     {with(func(r *profile.Request) { r.Organization = "\x01" }), `--organization: "\x01" is not accepted; accepted: the organization's name` + short},
		"one label":        {id("example"), `--identifier: "example"` + identifier},
		"odd identifier":   {id("com.example/x"), `--identifier: "com.example/x"` + identifier},
		"empty label":      {id("com..x"), `--identifier: "com..x"` + identifier},
		"long network":     {wifi(strings.Repeat("ü", 17)), `--wifi-ssid: "` + strings.Repeat("ü", 17) + `"` + network},
		"odd network":      {wifi("a\x00"), `--wifi-ssid: "a\x00"` + network},
		"odd server":       {wifi("x", "radius.example.com", "https://radius"), `--wifi-server: "https://radius"` + server},
		"every server":     {wifi("x", "*"), `--wifi-server: "*"` + server},
		"servers of com":   {wifi("x", "*.com"), `--wifi-server: "*.com"` + server},
		"servers of all":   {wifi("x", "radius.*.*"), `--wifi-server: "radius.*.*"` + server},
		"empty server":     {wifi("x", ""), `--wifi-server: not set; accepted: the name in the RADIUS server's certificate, such as radius.example.com`},
		"many servers":     {wifi("x", strings.Split(strings.Repeat("a.example,", 32)+"a.example", ",")...), `--wifi-server: 33 names; accepted: at most 32`},
		"no network":       {wifi("", "radius.example.com"), `--wifi-server: is for a Wi-Fi network; name it with --wifi-ssid`},
		"nothing to trust": {with(func(r *profile.Request) { r.SSID = "x" }), `--wifi-ssid: needs --root or --wifi-server, with which the devices know the genuine RADIUS server`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, err := profile.Make(row.request)
			if err == nil || err.Error() != row.want || len(made.Text) > 0 {
				t.Errorf("%v\nwant %s", err, row.want)
			}
		})
	}
}

// The longest values are accepted.
func TestLimits(t *testing.T) {
	t.Parallel()
	payloads(t, with(func(r *profile.Request) {
		r.Provisioner, r.Organization, r.SSID = strings.Repeat("ü", 128), strings.Repeat("ü", 128), strings.Repeat("ü", 16)
		r.Servers = strings.Split(strings.Repeat("a.example,", 31)+"a.example", ",")
	}))
}

// A file that is not one valid root is refused: every device would trust it.
func TestReadRoot(t *testing.T) {
	t.Parallel()
	const accepted = "; accepted: a PEM file with one certificate, the root of the CA"
	root := authority(t, nil)
	valid := inPEM(root)
	key := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("hunter2")}))
	}
	for name, row := range map[string]struct{ text, want string }{
		"a root":             {valid, ""},
		"with a comment":     {"Example Root\n" + valid, ""},
		"empty":              {"", "has no certificate in PEM"},
		"DER":                {string(root.Raw), "has no certificate in PEM"},
		"two":                {valid + inPEM(authority(t, nil)), "has 2 certificates"},
		"the same twice":     {valid + valid, "has 2 certificates"},
		"one is broken":      {valid + strings.Replace(valid, "-----END", "----END", 1), "is damaged"},
		"a key":              {key("EC PRIVATE KEY") + valid, "has a private key, which must not leave the CA"},
		"an encrypted key":   {valid + key("ENCRYPTED PRIVATE KEY"), "has a private key, which must not leave the CA"},
		"a request":          {key("CERTIFICATE REQUEST"), `has a "CERTIFICATE REQUEST"`},
		"no certificate":     {key("CERTIFICATE"), "x509: malformed certificate"},
		"a device's":         {inPEM(authority(t, func(c *x509.Certificate) { c.IsCA = false })), "is not the certificate of a CA"},
		"no constraints":     {inPEM(authority(t, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false })), "is not the certificate of a CA"},
		"an intermediate":    {inPEM(intermediate(t, "Another")), "is the certificate of an intermediate CA"},
		"with another's key": {inPEM(intermediate(t, "Example Root")), "did not sign itself: x509: ECDSA verification failure"},
		"expired":            {inPEM(authority(t, func(c *x509.Certificate) { c.NotAfter = now().Add(-time.Second) })), "has expired on 2026-06-01"},
		"not yet valid":      {inPEM(authority(t, func(c *x509.Certificate) { c.NotBefore = now().Add(time.Second) })), "is not valid before 2026-06-01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := profile.ReadRoot([]byte(row.text), now())
			switch {
			case row.want == "" && (err != nil || !got.Equal(root)):
				t.Errorf("%v", err)
			case row.want != "" && (err == nil || err.Error() != row.want+accepted || got != nil):
				t.Errorf("%v\nwant %s%s", err, row.want, accepted)
			}
		})
	}
}

// intermediate makes the certificate of a CA that another key signed.
func intermediate(t *testing.T, subject string) *x509.Certificate {
	t.Helper()
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
			NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
		}
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template(subject), template("Example Root"), own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
