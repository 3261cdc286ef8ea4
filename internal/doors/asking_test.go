package doors_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/test/testca"
)

// asker asks as one caller.
type asker struct {
	lab    *lab
	client *http.Client
}

func (l *lab) radius(t *testing.T) asker {
	t.Helper()
	return asker{l, l.client(t, l.caller(t, radiusCaller), false)}
}

func (l *lab) web(t *testing.T) asker {
	t.Helper()
	return asker{l, l.client(t, l.caller(t, webCaller), false)}
}

// login asks as FreeRADIUS does.
func (a asker) login(t *testing.T, login testca.Login) response {
	t.Helper()
	return a.post(t, bytes.NewReader(login.JSON(t)))
}

func (a asker) post(t *testing.T, body io.Reader) response {
	t.Helper()
	return a.do(t, a.lab.request(t, http.MethodPost, doors.RADIUSPath, body, "Content-Type: application/json"))
}

// device asks a login of a device with this certificate.
func (a asker) device(t *testing.T, cert *x509.Certificate) response {
	t.Helper()
	return a.login(t, a.lab.devices.NewLogin(t, cert))
}

// show asks as Caddy does.
func (a asker) show(t *testing.T, cert *x509.Certificate) response {
	t.Helper()
	return a.header(t, "X-Client-Cert: "+base64.StdEncoding.EncodeToString(cert.Raw))
}

func (a asker) header(t *testing.T, header ...string) response {
	t.Helper()
	return a.do(t, a.lab.request(t, http.MethodGet, doors.ForwardAuthPath, nil, header...))
}

// do returns when the question is recorded too, so that the last event is always that of the last question.
func (a asker) do(t *testing.T, r *http.Request) response {
	t.Helper()
	got := do(t, a.client, r)
	a.lab.sync(t)
	return got
}

// escaped is a certificate as nginx hands it on: every byte but letters, digits, -, _, . and ~ is percent-encoded, and so is a
// plus.
func escaped(der []byte) string {
	text := string(testca.PEM("CERTIFICATE", der))
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), "%2F", "/")
}

// attributes decodes an answer to FreeRADIUS, and wants every value in the long form, which FreeRADIUS does not expand.
func attributes(t *testing.T, r response) map[string]string {
	t.Helper()
	var read map[string]map[string]any
	if err := json.Unmarshal([]byte(r.body), &read); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	all := map[string]string{}
	for name, members := range read {
		values, _ := members["value"].([]any)
		if members["op"] != ":=" || members["do_xlat"] != false || len(members) != 3 || len(values) != 1 {
			t.Errorf("%s is %v, want op, do_xlat false, and one value", name, members)
			continue
		}
		text, ok := values[0].(string)
		if !ok {
			t.Errorf("%s is %v, and no text", name, values[0])
		}
		all[name] = text
	}
	return all
}

// accepted wants that a login was accepted, and returns the attributes.
func accepted(t *testing.T, r response) map[string]string {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("the answer is %d %s, want 200", r.status, r.body)
	}
	all := attributes(t, r)
	if all["control:Auth-Type"] != "Accept" || all["reply:Termination-Action"] != "RADIUS-Request" || all["reply:Session-Timeout"] == "" {
		t.Errorf("the answer is %v", all)
	}
	if _, has := all["reply:Reply-Message"]; has {
		t.Errorf("an accept has a message: %v", all)
	}
	return all
}

// refused wants that a login was refused with a code, and nothing but a message with the reference.
func (a asker) refused(t *testing.T, r response, code string) {
	t.Helper()
	a.lab.sync(t)
	event := a.lab.last(t)
	if r.status != http.StatusUnauthorized || event.Code != code || event.Allowed {
		t.Errorf("the answer is %d %s with the code %s (%s), want 401 and %s", r.status, r.body, event.Code, event.Reason, code)
		return
	}
	all := attributes(t, r)
	message := all["reply:Reply-Message"]
	if len(all) != 1 || len(message) > 253 || !strings.HasSuffix(message, " (ref "+event.Reference+")") || strings.ContainsFunc(message, func(c rune) bool { return c < ' ' || c > '~' || c == '%' }) {
		t.Errorf("a refusal answers %v, want a message of at most 253 characters that ends in (ref %s)", all, event.Reference)
	}
}

// denied wants that a web server got a refusal with a status and a code, and none of the headers of an allow.
func denied(t *testing.T, r response, status int, code string) {
	t.Helper()
	var read struct {
		Allow *bool
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &read); err != nil {
		t.Errorf("the body is %q: %v", r.body, err)
		return
	}
	if r.status != status || read.Allow == nil || *read.Allow || read.Error.Code != code || !strings.Contains(read.Error.Message, " (ref ") {
		t.Errorf("the answer is %d %s, want %d and the code %s", r.status, r.body, status, code)
	}
	for name := range r.header {
		if strings.HasPrefix(name, "X-Device") || strings.HasPrefix(name, "Remote-") {
			t.Errorf("a refusal has the header %s", name)
		}
	}
}

// sync waits until the question that was answered last is recorded.
func (l *lab) sync(t *testing.T) {
	t.Helper()
	l.waitFor(t, int(l.answered.Load()))
}
