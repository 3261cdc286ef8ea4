package webhook_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
)

// quiet is the handler of an enrolment that writes its log nowhere.
func (e *enrolment) quiet(b *testing.B) {
	b.Helper()
	e.handler.Audit, e.handler.Record = nil, audit.NewLog(io.Discard, false).Write
}

func (e *enrolment) benchmark(b *testing.B, hook int, body []byte, header http.Header) string {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, pathFor(e.hooks[hook].Accepts[0]), bytes.NewReader(body))
	r.ProtoMajor, r.ProtoMinor, r.Header = 2, 0, header
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	return w.Body.String()
}

// BenchmarkToken is a whole call without network and TLS, with SQLite: the first one of a token, which waits for the disk, the
// same key again, and the certificate.
func BenchmarkToken(b *testing.B) {
	const allowed = `{"allow":true`
	e := newEnrolment(b)
	e.quiet(b)
	shown, _ := e.issue(b, serial, udid)
	o := enrolling(b, shown)
	want := func(b *testing.B, got string) {
		b.Helper()
		if !strings.HasPrefix(got, allowed) {
			b.Fatalf("got %s, want an allow", got)
		}
	}
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			shown, token := e.issue(b, serial, udid)
			body := enrolling(b, shown).enriching(b, serial)
			header := signed(e.hooks[attestedHook], body)
			b.StartTimer()
			want(b, e.benchmark(b, attestedHook, body, header))
			b.StopTimer()
			e.revoke(b, token)
			b.StartTimer()
		}
	})
	for _, one := range []struct {
		name string
		body []byte
	}{{"again", o.enriching(b, serial)}, {"certificate", o.authorizing(b, serial)}} {
		header := signed(e.hooks[attestedHook], one.body)
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				want(b, e.benchmark(b, attestedHook, one.body, header))
			}
		})
	}
}

// BenchmarkTokenRefused compares the times of the refusals: a client that measures them learns nothing that counts, because each
// looks its token up once.
func BenchmarkTokenRefused(b *testing.B) {
	e := newEnrolment(b)
	e.quiet(b)
	live, _ := e.issue(b, otherSerial, "")
	other, _ := e.issueFor(b, e.other, serial, "")
	used, _ := e.issue(b, serial, "")
	expired, old := e.issue(b, serial, "")
	revoked, gone := e.issue(b, serial, "")
	e.age(b, old, time.Hour)
	e.revoke(b, gone)
	e.ask(b, attestedHook, enrolling(b, used).enriching(b, serial))
	for name, shown := range map[string]string{
		"unknown": strings.Repeat("A", len(used)), "garbage": "x", "used": used, "expired": expired, "revoked": revoked, "other device": live, "other policy": other,
	} {
		body := enrolling(b, shown).enriching(b, serial)
		header := signed(e.hooks[attestedHook], body)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got := e.benchmark(b, attestedHook, body, header); !strings.Contains(got, `"tokenInvalid"`) {
					b.Fatalf("got %s, want a refusal", got)
				}
			}
		})
	}
}
