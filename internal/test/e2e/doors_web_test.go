package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/doors"
)

// TestWebServers sends requests of devices to nginx, Caddy and HAProxy, which run with the files of docs/doors.
func TestWebServers(t *testing.T) {
	t.Parallel()
	scenarios := map[string]func(*testing.T, *webLab){
		"allowed":            testWebAllowed,
		"refused":            testWebRefused,
		"spoofed headers":    testWebSpoofed,
		"resumed session":    testWebResumed,
		"many at once":       testWebTogether,
		"other certificates": testWebCertificates,
		"answers":            testWebAnswers,
		"connector down":     testWebDown,
		"connector slow":     testWebSlow,
	}
	for server, kind := range webServers() {
		for name, scenario := range scenarios {
			t.Run(server+" "+name, func(t *testing.T) {
				t.Parallel()
				scenario(t, newWebLab(t, kind))
			})
		}
	}
}

// testWebAllowed: the application learns which device it is, and the question has the certificate of the device and nothing
// else that decides.
func testWebAllowed(t *testing.T, l *webLab) {
	client := http.Header{
		"Cookie": {"session=secret"}, "Authorization": {"Bearer secret"}, "X-Forwarded-Uri": {"/spoof"}, "X-Original-Method": {"GET"},
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
		l.stub.Answer(l.answer)
		body := ""
		if method == http.MethodPost || method == http.MethodPut {
			body = strings.Repeat("0123456789", 5000)
		}
		const uri = "/app/x?mode=any&allow=1"
		request := l.wantPage(t, method, uri, client, body)
		if request.Method != method || request.URI != uri || request.Body != body {
			t.Errorf("the application got %s %s with %d bytes, want %s %s with %d", request.Method, request.URI, len(request.Body), method, uri, len(body))
		}
		for name, value := range deviceHeaders() {
			if got := request.Header.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("the application got %s %q, want %q", name, got, value)
			}
		}
		if request.Header.Get("Cookie") != "session=secret" || request.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("the application lacks headers of the client: %v", request.Header)
		}

		wantQuestions(t, l.stub, 1)
		question := l.stub.Questions()[0]
		if question.Method != l.method || question.URI != "/door/http" || question.Caller != "caller.example.com" || len(question.Body) != 0 {
			t.Errorf("%s: the connector was asked %s %s by %s with %d bytes", method, question.Method, question.URI, question.Caller, len(question.Body))
		}
		if leaf, err := questioned(question); err != nil || !bytes.Equal(leaf.Raw, l.device.Leaf()) {
			t.Errorf("%s: the question has the certificate %v, %v", method, question.Header["X-Client-Cert"], err)
		}
		for _, name := range []string{"Cookie", "Authorization"} {
			if question.Header.Get(name) != "" {
				t.Errorf("the question has %s", name)
			}
		}
	}

	// Each request is a question, also over one connection. The server keeps its connection to the connector too, which
	// one that reads no body cannot do after an answer with a body. The connector itself speaks HTTP/2 besides, which Caddy takes.
	l.stub.Answer(l.answer)
	kept, err := l.proxy.Client(&l.device)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.CloseIdleConnections()
	for range 3 {
		if got, err := l.send(t, kept, http.MethodGet, "/", nil, ""); err != nil || got.status != http.StatusOK {
			t.Errorf("status %d, %v", got.status, err)
		}
	}
	wantQuestions(t, l.stub, 3)
	if questions := l.stub.Questions(); l.method == http.MethodHead && questions[1].From != questions[2].From {
		t.Error("the server opens a connection for each question")
	}
	// What the application itself forbids stays its own answer.
	if got, err := l.send(t, kept, http.MethodGet, "/forbidden", nil, ""); err != nil || got.status != http.StatusForbidden || !strings.Contains(got.text, "application") {
		t.Errorf("the application forbids: status %d %q, %v", got.status, got.text, err)
	}
}

// testWebRefused: a refused device sees 403 and a text.
func testWebRefused(t *testing.T, l *webLab) {
	unknown := l.issueDevice(t, l.pki.Issuer, unknownSerial)
	got, err := l.wantNothing(t, &unknown, "refused")
	if err != nil || got.status != http.StatusForbidden || got.text == "" {
		t.Errorf("status %d %q, %v, want 403 with a text", got.status, got.text, err)
	}
	wantQuestions(t, l.stub, 1)
	// With the headers of an allow, a refusal is still one.
	l.stub.Answer(doors.Headers(http.StatusForbidden, deviceHeaders(), `{"allow":true}`))
	if got, err := l.wantNothing(t, &l.device, "refused with headers"); err != nil || got.status != http.StatusForbidden {
		t.Errorf("status %d, %v", got.status, err)
	}
	l.stub.Answer(l.answer)
	l.wantPage(t, http.MethodGet, "/", nil, "")
}

// testWebSpoofed: what a client says about its device does not reach the application, also where the connector knows
// nothing about it.
func testWebSpoofed(t *testing.T, l *webLab) {
	known := map[string]string{"X-Device-Id": knownSerial, "X-Device-Name": "", "X-Device-User": "", "X-Device-Groups": ""}
	l.stub.Answer(doors.Headers(http.StatusOK, known, `{"allow":true}`))
	spoofed := http.Header{}
	names := []string{
		"X-Device-Id", "X-Device-Name", "X-Device-User", "X-Device-Groups", "x-device-user", "X-Client-Cert", "x-client-cert",
		"X_Device_Id", "X_Device_User", "X-Device_Groups", "X_Client_Cert",
	}
	if l.allHeaders {
		names = append(names, "X-Device-Serial", "X_Device-Name")
	}
	for _, name := range names {
		spoofed[name] = []string{"spoofed", "spoofed2"}
	}
	request := l.wantPage(t, http.MethodGet, "/", spoofed, "")
	for name, values := range request.Header {
		if strings.Contains(strings.Join(values, ","), "spoof") {
			t.Errorf("the application got %s: %q", name, values)
		}
		if strings.Contains(strings.Join(values, ","), "{http.") {
			t.Errorf("the application got a placeholder in %s: %q", name, values)
		}
	}
	if got := request.Header.Values("X-Device-Id"); len(got) != 1 || got[0] != knownSerial {
		t.Errorf("X-Device-Id is %q", got)
	}
	if leaf, err := questioned(l.stub.Questions()[0]); err != nil || !bytes.Equal(leaf.Raw, l.device.Leaf()) {
		t.Errorf("the question has the certificate %q, %v", l.stub.Questions()[0].Header["X-Client-Cert"], err)
	}
}

// testWebCertificates: without a certificate of a device, nobody reaches the application.
func testWebCertificates(t *testing.T, l *webLab) {
	template, err := doors.DeviceTemplate(knownSerial, "acme-da")
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = l.pki.Root.Certificate.NotBefore, l.pki.Root.Certificate.NotBefore.Add(time.Second)
	expired, foreign := l.issue(t, "expired", template), l.issueDevice(t, l.pki.Foreign, knownSerial)
	for what, device := range map[string]*doors.Credential{"none": nil, "expired": &expired, "foreign CA": &foreign} {
		_, _ = l.wantNothing(t, device, what)
		wantQuestions(t, l.stub, 0)
	}
	sibling := l.issueDevice(t, l.pki.Sibling, knownSerial)
	got, err := l.wantNothing(t, &sibling, "sibling CA")
	if !l.anyBelowRoot {
		wantQuestions(t, l.stub, 0)
	} else if err != nil || got.status != http.StatusForbidden {
		t.Errorf("sibling CA: status %d, %v", got.status, err)
	}
	l.stub.Answer(l.answer)
	l.wantPage(t, http.MethodGet, "/", nil, "")
}

// testWebResumed: the connector is asked with the certificate also where the TLS session is resumed, and a device that is
// refused meanwhile does not get in by it.
func testWebResumed(t *testing.T, l *webLab) {
	client, err := l.proxy.Client(&l.device)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		l.stub.Answer(l.answer)
		got, err := l.send(t, client, http.MethodGet, "/", nil, "")
		client.CloseIdleConnections()
		if err != nil || got.status != http.StatusOK || got.resumed != (i > 0) {
			t.Fatalf("connection %d: status %d, resumed %t, %v", i, got.status, got.resumed, err)
		}
		questions := l.stub.Questions()
		if len(questions) != 1 {
			t.Fatalf("connection %d: %d questions, want one", i, len(questions))
		}
		if leaf, err := questioned(questions[0]); err != nil || !bytes.Equal(leaf.Raw, l.device.Leaf()) {
			t.Errorf("connection %d: the question has no certificate of the device: %v", i, err)
		}
	}
	l.application.Requests()
	l.stub.Answer(doors.JSON(http.StatusForbidden, `{"allow":false}`))
	got, err := l.send(t, client, http.MethodGet, "/", nil, "")
	client.CloseIdleConnections()
	if err != nil || got.status != http.StatusForbidden || !got.resumed || len(l.application.Requests()) != 0 {
		t.Errorf("refused meanwhile: status %d, resumed %t, %v", got.status, got.resumed, err)
	}
}

// testWebTogether: each of many requests at once has the answer about its own device.
func testWebTogether(t *testing.T, l *webLab) {
	l.stub.Answer(func(response http.ResponseWriter, question doors.Question) {
		leaf, err := questioned(question)
		if err != nil || strings.HasSuffix(leaf.Subject.CommonName, "0") {
			doors.JSON(http.StatusForbidden, `{"allow":false}`)(response, question)
			return
		}
		headers := deviceHeaders()
		headers["X-Device-Id"], headers["X-Device-User"] = leaf.Subject.CommonName, "user of "+leaf.Subject.CommonName
		doors.Headers(http.StatusOK, headers, `{"allow":true}`)(response, question)
	})
	var group sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("DEVICE%02d", i)
		device := l.issueDevice(t, l.pki.Issuer, name)
		group.Go(func() {
			got, err := l.visit(t, &device, http.MethodGet, "/"+name, nil, "")
			want := http.StatusOK
			if i%10 == 0 {
				want = http.StatusForbidden
			}
			if err != nil || got.status != want {
				t.Errorf("%s: status %d, %v, want %d", name, got.status, err, want)
			}
		})
	}
	group.Wait()
	requests := l.application.Requests()
	if len(requests) != 18 {
		t.Errorf("%d requests reached the application, want 18", len(requests))
	}
	for _, request := range requests {
		name := strings.TrimPrefix(request.URI, "/")
		if request.Header.Get("X-Device-Id") != name || request.Header.Get("X-Device-User") != "user of "+name {
			t.Errorf("%s has the headers of %s", name, request.Header.Get("X-Device-Id"))
		}
	}
	wantQuestions(t, l.stub, 20)
}
