package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

// call is a recorded webhook call, for the benchmarks.
type call struct {
	hook   Hook
	header http.Header
	body   []byte
	now    time.Time // when it was recorded
}

func recordedCall(b testing.TB) call {
	b.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "samples", "acme-da-x509-enriching.json"))
	if err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "samples", "acme-da-x509-enriching.meta.json"))
	if err != nil {
		b.Fatal(err)
	}
	var meta struct {
		Headers       http.Header `json:"headers"`
		WebhookID     string      `json:"webhookID"`
		WebhookSecret []byte      `json:"webhookSecret"`
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		b.Fatal(err)
	}
	var when struct {
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.Unmarshal(body, &when); err != nil {
		b.Fatal(err)
	}
	return call{Hook{ID: meta.WebhookID, Secrets: [][]byte{meta.WebhookSecret}, Gate: gateOf(all{})}, meta.Headers, body, when.Timestamp}
}

func BenchmarkAuthenticate(b *testing.B) {
	c := recordedCall(b)
	hooks := NewHooks([]Hook{c.hook}, false)
	b.ReportAllocs()
	for b.Loop() {
		if _, p := hooks.Authenticate(c.header, c.body, c.now); p != nil {
			b.Fatal(p)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	c := recordedCall(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, p := decode(Signed{raw: c.body}, c.now, time.Second, false); p != nil {
			b.Fatal(p)
		}
	}
}

func BenchmarkIdentify(b *testing.B) {
	c := recordedCall(b)
	body, p := decode(Signed{raw: c.body}, c.now, time.Second, false)
	if p != nil {
		b.Fatal(p)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, p := identify(body); p != nil {
			b.Fatal(p)
		}
	}
}

// gateOf asks one inventory, as without a policy file.
func gateOf(provider posture.Provider) *posture.Gate {
	return &posture.Gate{Join: posture.Join{Inventories: []posture.Source{{Kind: "all", Provider: provider}}}}
}

// all is an inventory that has every device.
type all struct{}

func (all) Lookup(_ context.Context, q posture.Query) (posture.Device, error) {
	return posture.Device{Identifier: q.Identifier.String(), Facts: posture.Facts{Managed: posture.Known(true)}, Data: []byte(`{"department":"Engineering"}`)}, nil
}

func BenchmarkAnswer(b *testing.B) {
	decision, err := gateOf(all{}).Decide(b.Context(), posture.Query{Identifier: identifierOf(b, "C02HARNESS01")}, &posture.Evidence{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if a := conclude(&audit.Event{}, decision); a.status != http.StatusOK {
			b.Fatal(a.status)
		}
	}
}

func identifierOf(b *testing.B, text string) posture.Identifier {
	b.Helper()
	id, err := posture.ParseIdentifier(text)
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// BenchmarkLog is the line of an allow, without writing it to a file.
func BenchmarkLog(b *testing.B) {
	log := audit.NewLog(io.Discard, false)
	event := audit.Event{
		Reference: "7F3K9Q2M", Allowed: true, Reason: "in the inventory", Identifier: "C02HARNESS01", Provider: "file", ProviderTime: time.Microsecond,
		Status: http.StatusOK, WebhookID: "98a6ad8d-d8e5-4d1d-b465-770fb66a5207", Provisioner: "devices", RequestID: "d3f2a1", Duration: time.Millisecond,
	}
	b.ReportAllocs()
	for b.Loop() {
		log.Write(&event)
	}
}

// BenchmarkHandler is a whole call without network and TLS, its log line included.
func BenchmarkHandler(b *testing.B) {
	c := recordedCall(b)
	h := &Handler{
		Tolerance: time.Second,
		Now:       func() time.Time { return c.now },
		Record:    audit.NewLog(io.Discard, false).Write,
	}
	h.Use(NewHooks([]Hook{c.hook}, false))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, AttestPath, bytes.NewReader(c.body))
		r.Header = c.header
		w := deadlines{httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK || !bytes.HasPrefix(w.Body.Bytes(), []byte(`{"allow":true`)) {
			b.Fatalf("got %d %s, want an allow", w.Code, w.Body)
		}
	}
}

// deadlines accepts time limits, as a real connection does.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetReadDeadline(time.Time) error { return nil }
