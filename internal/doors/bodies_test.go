package doors_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/test/testca"
)

// Bodies that no FreeRADIUS sends, or that two readers could read differently.
func TestBodies(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	ask := l.radius(t)
	good := string(l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial))).JSON(t))
	replaced := func(old, to string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the body has no %s", old)
		}
		return strings.Replace(good, old, to, 1)
	}
	const common = `"TLS-Client-Cert-Common-Name":{"type":"string","value":["K3Q7XH2N9P"]}`
	nested := strings.Repeat("[", 32<<10) + strings.Repeat("]", 32<<10)
	for _, test := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"recorded", good, 200, ""},
		{"spaces around", " \n" + good + "\n", 200, ""},
		{"duplicate attribute", replaced(common, common+","+common), 400, "malformed"},
		{"duplicate attribute, escaped", replaced(common, common+`,"\u0054LS-Client-Cert-Common-Name":{"type":"string","value":["DENY000001"]}`), 400, "malformed"},
		{"duplicate value", replaced(common, `"TLS-Client-Cert-Common-Name":{"value":["DENY000001"],"value":["K3Q7XH2N9P"]}`), 400, "malformed"},
		{"value in another case", replaced(common, `"TLS-Client-Cert-Common-Name":{"Value":["K3Q7XH2N9P"]}`), 401, "identifierMissing"},
		{"value null", replaced(common, `"TLS-Client-Cert-Common-Name":{"value":null}`), 401, "identifierMissing"},
		{"attribute null", replaced(common, `"TLS-Client-Cert-Common-Name":null`), 401, "identifierMissing"},
		{"value is no list", replaced(common, `"TLS-Client-Cert-Common-Name":{"value":"K3Q7XH2N9P"}`), 400, "malformed"},
		{"value is an object", replaced(common, `"TLS-Client-Cert-Common-Name":{"value":[{}]}`), 400, "malformed"},
		{"value is null in a list", replaced(common, `"TLS-Client-Cert-Common-Name":{"value":[null]}`), 400, "malformed"},
		{"invalid UTF-8", replaced("K3Q7XH2N9P", "K3Q7XH2N9P\xff"), 400, "malformed"},
		{"lone surrogate", replaced("anything", `\ud800`), 400, "malformed"},
		{"truncated", good[:len(good)/2], 400, "malformed"},
		{"something follows", good + "{}", 400, "malformed"},
		{"byte order mark", "\ufeff" + good, 400, "malformed"},
		{"empty", "", 400, "malformed"},
		{"null", "null", 400, "malformed"},
		{"list", "[]", 400, "malformed"},
		{"text", `"a"`, 400, "malformed"},
		{"empty object", "{}", 401, "certificateMissing"},
		{"form", "TLS-Client-Cert-Common-Name=K3Q7XH2N9P", 400, "malformed"},
		{"64 KiB of arrays", nested, 400, "malformed"},
		{"64 KiB of arrays in a value", `{"TLS-Client-Cert-Serial":{"value":` + nested[1024:len(nested)-1024] + `}}`, 400, "malformed"},
		{"64 KiB and a byte", good + strings.Repeat(" ", 64<<10+1-len(good)), 413, "tooLarge"},
		{"64 KiB", good + strings.Repeat(" ", 64<<10-len(good)), 200, ""},
		{"a subject of 60 KiB", replaced(`\/CN=K3Q7XH2N9P"`, `\/CN=K3Q7XH2N9P`+strings.Repeat("+CN=", 15<<10)+`"`), 401, "commonNameMismatch"},
	} {
		// Chunked, as FreeRADIUS sends it, and with a length.
		for form, body := range map[string]io.Reader{"with a length": strings.NewReader(test.body), "chunked": io.MultiReader(strings.NewReader(test.body))} {
			t.Run(test.name+" "+form, func(t *testing.T) {
				got := ask.post(t, body)
				l.sync(t)
				event := l.last(t)
				if got.status != test.status || event.Code != test.code || event.Status != test.status {
					t.Errorf("the answer is %d %.200s with the code %q (%s), want %d and %q", got.status, got.body, event.Code, event.Reason, test.status, test.code)
				}
			})
		}
	}
}

// The last answer is not about a text that was sent: of another EAP method, it could be a password.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	ask, cert := l.radius(t), l.devices.Device(t, testca.Good(serial))
	secrets := []string{"Bearer-hidden", "cookie-hidden", "password-hidden", "query-hidden", "path-hidden", "body-hidden", "proxy-hidden"}
	header := []string{"Authorization: Bearer-hidden", "Cookie: a=cookie-hidden", "Proxy-Authorization: proxy-hidden"}
	login := l.devices.NewLogin(t, cert)
	login.Set("User-Password", "password-hidden")
	do(t, ask.client, l.request(t, http.MethodPost, doors.RADIUSPath+"?q=query-hidden", bytes.NewReader(login.JSON(t)), header...))
	ask.post(t, strings.NewReader(`{"User-Password":{"value":["password-hidden"]},"body-hidden`))
	web := l.web(t)
	for _, certificate := range []string{escaped(cert.Raw), "body-hidden", "", "MIIbody-hidden", "-----BEGIN CERTIFICATE-----body-hidden"} {
		do(t, web.client, l.request(t, http.MethodGet, doors.ForwardAuthPath+"/path-hidden?q=query-hidden", nil, append(header, "X-Client-Cert: "+certificate)...))
	}
	l.sync(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.log.String()
	if n := strings.Count(text, "\n"); n != 7 {
		t.Errorf("the log has %d lines, want 7", n)
	}
	for _, secret := range append(secrets, "BEGIN", "-----", escaped(cert.Raw)[60:100]) {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q:\n%s", secret, text)
		}
	}
	for _, e := range l.trail {
		if strings.Contains(e.Reason+e.Identifier+e.Path+e.RequestID, "hidden") {
			t.Errorf("the audit log has %+v", e)
		}
	}
}

// What a RADIUS server hands on is a text for the log, of a length that is bounded and without characters that write elsewhere.
func TestIdentifierInLog(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	ask := l.radius(t)
	login := l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial)))
	login.SetClient("Common-Name", "\x1b[2J\u202e\n"+strings.Repeat("A", 8<<10))
	login.Set("NAS-Identifier", "\x1b[2J\n"+strings.Repeat("B", 8<<10))
	login.SetClient("X509v3-Authority-Key-Identifier", "keyid:"+strings.Repeat("\n\x1b", 1<<10))
	ask.refused(t, ask.login(t, login), "certificateUntrusted")
	l.mu.Lock()
	defer l.mu.Unlock()
	if text := strings.TrimSuffix(l.log.String(), "\n"); strings.ContainsAny(text, "\n\x1b\u202e") || len(text) > 6<<10 {
		t.Errorf("the log has %d bytes: %.300q", len(text), text)
	}
}
