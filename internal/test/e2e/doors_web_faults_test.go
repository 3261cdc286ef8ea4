package e2e_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/doors"
)

// noPage are answers to which no request must reach the application. A status below 300 without X-Device-Id is that of
// another server in the connector's place.
func noPage() map[string]doors.Answer {
	answers := map[string]doors.Answer{
		"200, empty":      doors.JSON(200, ""),
		"200, HTML":       doors.Status(200, "text/html", "<html><body>Welcome</body></html>"),
		"200, allow true": doors.JSON(200, `{"allow":true}`),
		"200, empty ID":   doors.Headers(200, map[string]string{"X-Device-Id": ""}, `{"allow":true}`),
		"204":             func(response http.ResponseWriter, _ doors.Question) { response.WriteHeader(http.StatusNoContent) },
		"no HTTP":         doors.Garbage("\x00\xff\r\n\r\n" + `{"allow":true}`),
		"no status":       doors.Garbage("X-Device-Id: 1\r\nContent-Type: application/json\r\n\r\n" + `{"allow":true}`),
		"cut":             doors.Garbage("HTTP/1.1 200 OK\r\nX-Device-Id: 1\r\nX-Device-Name: 1\r\nX-Device-User: 1\r\nX-Device-Groups: 1\r\n"),
		"dropped":         doors.Drop,
	}
	headers := deviceHeaders()
	headers["Location"] = "/door/http"
	for _, status := range []int{300, 301, 302, 304, 307, 400, 401, 403, 404, 405, 407, 410, 413, 418, 429, 500, 502, 503, 504, 599} {
		answers[strconv.Itoa(status)] = doors.Headers(status, headers, `{"allow":true}`)
	}
	return answers
}

func testWebAnswers(t *testing.T, l *webLab) {
	for name, answer := range noPage() {
		l.stub.Answer(answer)
		got, err := l.wantNothing(t, &l.device, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		switch {
		case name == "dropped", name == "cut":
			if got := len(l.stub.Questions()); got < 1 || got > l.dropped {
				t.Errorf("%s: the connector was asked %d times, want at most %d", name, got, l.dropped)
			}
		case name != "401" && name != "403" && got.status != http.StatusServiceUnavailable && got.status != http.StatusBadGateway:
			t.Errorf("%s: status %d %q, want 502 or 503", name, got.status, got.text)
			fallthrough
		default:
			wantQuestions(t, l.stub, 1)
		}
	}
	l.stub.Answer(l.answer)
	l.wantPage(t, http.MethodGet, "/", nil, "")
}

// testWebDown: while the connector cannot be asked, nobody reaches the application; the next request after that does.
func testWebDown(t *testing.T, l *webLab) {
	l.wantPage(t, http.MethodGet, "/", nil, "")
	for name, certificate := range map[string]*doors.Credential{
		"down":       nil,
		"foreign CA": new(l.issueServer(t, l.pki.Foreign, "foreign", "localhost")),
		"other name": new(l.issueServer(t, l.pki.Root, "other", "other.example.com")),
	} {
		if err := l.stub.Down(); err != nil {
			t.Fatal(err)
		}
		l.stub.Answer(l.answer)
		if certificate != nil {
			l.up(t, *certificate)
		}
		for range 3 {
			if got, err := l.wantNothing(t, &l.device, name); err != nil || got.status < 500 {
				t.Errorf("%s: status %d, %v", name, got.status, err)
			}
		}
		wantQuestions(t, l.stub, 0)
		if err := l.stub.Down(); err != nil {
			t.Fatal(err)
		}
		l.up(t, l.connector)
		l.wantPage(t, http.MethodGet, "/", nil, "")
	}
}

// testWebSlow: an answer that comes too late lets no request pass, and is not asked for again.
func testWebSlow(t *testing.T, l *webLab) {
	// Some have one time limit for the connection and another one for the answer.
	l.stub.Delay(800 * time.Millisecond)
	late := map[string]doors.Answer{"slow": doors.Slow(time.Minute, l.answer)}
	if !l.patient {
		late["endless"] = doors.Endless(100 * time.Millisecond)
	}
	for name, answer := range late {
		l.stub.Answer(answer)
		if got, err := l.wantNothing(t, &l.device, name); err != nil || got.status < 500 {
			t.Errorf("%s: status %d, %v", name, got.status, err)
		}
		wantQuestions(t, l.stub, 1)
	}
	l.stub.Delay(0)
	l.stub.Answer(l.answer)
	l.wantPage(t, http.MethodGet, "/", nil, "")
}
