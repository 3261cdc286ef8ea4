package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/webhook"
)

// testHook is the webhook of requests that the tests sign themselves.
func testHook() webhook.Hook {
	return webhook.Hook{ID: "0d0f4a2e-6f8a-4f6c-9a57-0a4f5d3c2b1a", Secrets: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}}
}

// postSigned sends a body as the test webhook.
func postSigned(t *testing.T, provider inventory, body string) reply {
	t.Helper()
	c := start(t, provider, nil, testHook())
	r := c.post(t, signed(testHook(), []byte(body)), []byte(body))
	c.log.event(t)
	return r
}

const (
	stamp = `"timestamp":"2026-11-22T02:02:20Z"`
	data  = `"attestationData":{"permanentIdentifier":"C02HARNESS01"}`
	cert  = `"x509Certificate":{}`
)

// Each body differs in one thing from an allowed one.
func TestBodies(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, test := range map[string]struct {
		body string
		want string // code, or "" for an allow
	}{
		"least that is allowed":  {`{` + stamp + `,` + data + `,` + cert + `}`, ""},
		"with white space":       {" {" + stamp + ",\n" + data + ",\t" + cert + "}\r\n", ""},
		"unknown members":        {`{` + stamp + `,"new":{"a":[1]},` + data + `,` + cert + `}`, ""},
		"null objects":           {`{` + stamp + `,` + data + `,"x509CertificateRequest":null,"sshCertificate":null,"sshCertificateRequest":null,` + cert + `}`, ""},
		"other zone":             {`{"timestamp":"2026-11-22T13:02:20.123456789+11:00",` + data + `,` + cert + `}`, ""},
		"1000 levels":            {`{` + stamp + `,"new":` + deep(1000) + `,` + data + `,` + cert + `}`, ""},
		"1000 levels of objects": {`{` + stamp + `,"new":` + strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat("}", 1000) + `,` + data + `,` + cert + `}`, ""},
		"1000 levels in a SAN":   {`{` + stamp + `,` + data + `,"x509Certificate":{"sans":[{"type":"dn","asn1Value":` + deep(997) + `}]}}`, ""},
		"1000 levels, then more": {`{` + stamp + `,"new":[` + deep(999) + `,` + deep(999) + `],` + data + `,` + cert + `}`, ""},
		"brackets in a string":   {`{` + stamp + `,"new":"` + strings.Repeat("[", 2000) + `\"[",` + data + `,` + cert + `}`, ""},

		"1001 levels of objects":        {`{` + stamp + `,"new":` + strings.Repeat(`{"a":`, 1001) + `1` + strings.Repeat("}", 1001) + `,` + data + `,` + cert + `}`, "malformed"},
		"1001 levels in a SAN":          {`{` + stamp + `,` + data + `,"x509Certificate":{"sans":[{"type":"dn","asn1Value":` + deep(998) + `}]}}`, "malformed"},
		"1001 levels":                   {`{` + stamp + `,"new":` + deep(1001) + `,` + data + `,` + cert + `}`, "malformed"},
		"30000 levels":                  {deep(30000), "malformed"},
		"empty":                         {"", "malformed"},
		"not JSON":                      {"timestamp=now", "malformed"},
		"null":                          {"null", "malformed"},
		"list":                          {`[{` + stamp + `,` + data + `,` + cert + `}]`, "malformed"},
		"cut short":                     {`{` + stamp + `,` + data + `,` + cert, "malformed"},
		"trailing JSON":                 {`{` + stamp + `,` + data + `,` + cert + `}{}`, "malformed"},
		"trailing text":                 {`{` + stamp + `,` + data + `,` + cert + `}x`, "malformed"},
		"trailing NUL":                  {`{` + stamp + `,` + data + `,` + cert + "}\x00", "malformed"},
		"BOM":                           {"\xef\xbb\xbf{" + stamp + `,` + data + `,` + cert + `}`, "malformed"},
		"invalid UTF-8":                 {`{` + stamp + `,"new":"` + "\xff" + `",` + data + `,` + cert + `}`, "malformed"},
		"comment":                       {`{` + stamp + `,/**/` + data + `,` + cert + `}`, "malformed"},
		"no object":                     {`{` + stamp + `,` + data + `}`, "malformed"},
		"only null objects":             {`{` + stamp + `,` + data + `,"x509Certificate":null}`, "malformed"},
		"two objects":                   {`{` + stamp + `,` + data + `,` + cert + `,"x509CertificateRequest":{}}`, "malformed"},
		"X.509 and SSH":                 {`{` + stamp + `,` + data + `,` + cert + `,"sshCertificateRequest":{}}`, "malformed"},
		"two SSH":                       {`{` + stamp + `,"sshCertificate":{},"sshCertificateRequest":{}}`, "malformed"},
		"object is a list":              {`{` + stamp + `,` + data + `,"x509Certificate":[]}`, "malformed"},
		"object is a string":            {`{` + stamp + `,"sshCertificate":"x"}`, "malformed"},
		"object name in capitals":       {`{` + stamp + `,` + data + `,"X509Certificate":{}}`, "malformed"},
		"same object twice":             {`{` + stamp + `,` + data + `,` + cert + `,` + cert + `}`, "malformed"},
		"timestamp twice":               {`{` + stamp + `,` + stamp + `,` + data + `,` + cert + `}`, "malformed"},
		"attestation twice":             {`{` + stamp + `,` + data + `,` + data + `,` + cert + `}`, "malformed"},
		"identifier twice":              {`{` + stamp + `,"attestationData":{"permanentIdentifier":"C02HARNESS01","permanentIdentifier":"C02HARNESS01"},` + cert + `}`, "malformed"},
		"identifier twice, one escaped": {`{` + stamp + `,"attestationData":{"permanentIdentifier":"C02HARNESS01","\u0070ermanentIdentifier":"X"},` + cert + `}`, "malformed"},
		"duplicate in certificate":      {`{` + stamp + `,` + data + `,"x509Certificate":{"raw":null,"raw":null}}`, "malformed"},

		"no timestamp":          {`{` + data + `,` + cert + `}`, "malformed"},
		"timestamp null":        {`{"timestamp":null,` + data + `,` + cert + `}`, "malformed"},
		"timestamp a number":    {`{"timestamp":1795312940,` + data + `,` + cert + `}`, "malformed"},
		"timestamp empty":       {`{"timestamp":"",` + data + `,` + cert + `}`, "malformed"},
		"timestamp not 3339":    {`{"timestamp":"Sun, 22 Nov 2026 02:02:20 GMT",` + data + `,` + cert + `}`, "malformed"},
		"timestamp not a date":  {`{"timestamp":"2026-13-45T02:02:20Z",` + data + `,` + cert + `}`, "malformed"},
		"timestamp in capitals": {`{"Timestamp":"2026-11-22T02:02:20Z",` + data + `,` + cert + `}`, "malformed"},
		"timestamp of 1970":     {`{"timestamp":"1970-01-01T00:00:00Z",` + data + `,` + cert + `}`, "requestExpired"},
		"timestamp of year 1":   {`{"timestamp":"0001-01-01T00:00:00Z",` + data + `,` + cert + `}`, "requestExpired"},
		"timestamp of 9999":     {`{"timestamp":"9999-12-31T23:59:59Z",` + data + `,` + cert + `}`, "requestExpired"},

		"no attestation":         {`{` + stamp + `,` + cert + `}`, "attestationMissing"},
		"attestation null":       {`{` + stamp + `,"attestationData":null,` + cert + `}`, "attestationMissing"},
		"attestation empty":      {`{` + stamp + `,"attestationData":{},` + cert + `}`, "attestationMissing"},
		"attestation a string":   {`{` + stamp + `,"attestationData":"C02HARNESS01",` + cert + `}`, "malformed"},
		"identifier null":        {`{` + stamp + `,"attestationData":{"permanentIdentifier":null},` + cert + `}`, "attestationMissing"},
		"identifier empty":       {`{` + stamp + `,"attestationData":{"permanentIdentifier":""},` + cert + `}`, "attestationMissing"},
		"identifier in capitals": {`{` + stamp + `,"attestationData":{"PermanentIdentifier":"C02HARNESS01"},` + cert + `}`, "attestationMissing"},
		"identifier a number":    {`{` + stamp + `,"attestationData":{"permanentIdentifier":12345678},` + cert + `}`, "malformed"},
		"identifier a list":      {`{` + stamp + `,"attestationData":{"permanentIdentifier":["C02HARNESS01"]},` + cert + `}`, "malformed"},
		"SSH with attestation":   {`{` + stamp + `,` + data + `,"sshCertificate":{}}`, "attestationMissing"},
		"SSH without":            {`{` + stamp + `,"sshCertificate":{}}`, "attestationMissing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.want == "" {
				if r := postSigned(t, having("C02HARNESS01", ""), test.body); r.text != `{"allow":true,"data":{}}` {
					t.Errorf("got %s, want an allow", r.text)
				}
				return
			}
			status := http.StatusOK
			if test.want == "malformed" {
				status = http.StatusBadRequest
			}
			wantRefusal(t, postSigned(t, neverAsked(t), test.body), status, test.want)
		})
	}
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ identifier, want string }{
		"longest":             {strings.Repeat("A", 256), "deviceNotFound"},
		"space inside":        {"A B", "deviceNotFound"},
		"path":                {"../../etc/passwd", "deviceNotFound"},
		"wildcard":            {"*", "deviceNotFound"},
		"UDID":                {"00008103-001A2B3C4D5E6F70", "deviceNotFound"},
		"too long":            {strings.Repeat("A", 257), "identifierInvalid"},
		"space before":        {" C02HARNESS01", "identifierInvalid"},
		"space after":         {"C02HARNESS01 ", "identifierInvalid"},
		"only a space":        {" ", "identifierInvalid"},
		"tab":                 {`C02\tHARNESS01`, "identifierInvalid"},
		"line feed":           {`C02HARNESS01\n`, "identifierInvalid"},
		"NUL":                 {`C02HARNESS01\u0000`, "identifierInvalid"},
		"DEL":                 {`C02\u007f`, "identifierInvalid"},
		"Kelvin sign":         {"\u212a02HARNESS01", "identifierInvalid"},
		"full-width letter":   {"\uff2302HARNESS01", "identifierInvalid"},
		"zero-width space":    {"C02HARNESS01\u200b", "identifierInvalid"},
		"lone surrogate":      {`C02\ud800`, "malformed"},
		"escape in two bytes": {`\u00e4`, "identifierInvalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status := http.StatusOK
			if test.want == "malformed" {
				status = http.StatusBadRequest
			}
			body := `{` + stamp + `,"attestationData":{"permanentIdentifier":"` + test.identifier + `"},` + cert + `}`
			wantRefusal(t, postSigned(t, having("C02HARNESS01", ""), body), status, test.want)
		})
	}
}

// The inventory ignores case, and the decision is about the inventory's record.
func TestLookupIgnoresCase(t *testing.T) {
	t.Parallel()
	body := `{` + stamp + `,"attestationData":{"permanentIdentifier":"c02harness01"},` + cert + `}`
	if r := postSigned(t, having("C02HARNESS01", ""), body); r.text != `{"allow":true,"data":{}}` {
		t.Errorf("got %s, want an allow", r.text)
	}
}
