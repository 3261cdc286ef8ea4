package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/metrics"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/webhook"
)

// The devices of the tests of tokens. The inventory knows all of them.
const (
	serial, udid           = "C02XK1ABJHD2", "4C4C4544-0037-5910-8052-B4C04F564433"
	otherSerial, otherUDID = "C02XK1ABJHD3", "4C4C4544-0037-5910-8052-B4C04F564434"
)

// The attributes of a CSR that the policy of the tests reads.
const (
	tokenIn = "2.5.4.35"
	udidIn  = "2.5.4.45"
)

// enrolment is a handler whose policies require tokens, with a real state database and all that writes about a request. At its
// end no token that was issued may have been written anywhere.
type enrolment struct {
	path    string
	db      *store.DB
	store   *obstructed
	tokens  *enroll.Tokens
	rule    *posture.TokenRequirement
	other   *posture.TokenRequirement // of another policy
	gate    *posture.Gate
	udids   map[string]string // what the inventory knows
	lookup  func(posture.Query) error
	rules   ruleSet
	handler *webhook.Handler
	hooks   []webhook.Hook

	mu      sync.Mutex
	last    *audit.Event
	written bytes.Buffer // answers and log
	issued  []string
	trail   string
}

// ruleSet are rules that refuse where it says so.
type ruleSet struct{ refuses bool }

func (r *ruleSet) Evaluate(*posture.Evidence) (v posture.Verdict) {
	o := posture.Outcome{Rule: "encrypted", Result: posture.Met, Applies: true, Enforced: true, Code: "diskNotEncrypted", Message: "Encrypt the disk"}
	if r.refuses {
		o.Result, o.Reason = posture.Unmet, "rule encrypted is unmet"
	}
	return posture.Verdict{Outcomes: []posture.Outcome{o}}
}

func (*ruleSet) Render(*posture.Evidence) (json.RawMessage, []string, error) {
	return json.RawMessage(`{"of":"the policy"}`), nil, nil
}

// The webhooks of enrolment, by their place in hooks.
const (
	attestedHook = iota
	x509Hook     // an expression identifies the device
	laterHook    // the challenge identifies it
	challengeHook
	otherPolicyHook
	otherLaterHook
)

func newEnrolment(t testing.TB) *enrolment {
	t.Helper()
	e := &enrolment{path: filepath.Join(t.TempDir(), "state.db"), udids: map[string]string{serial: udid, otherSerial: otherUDID}}
	url, err := store.ParseURL("sqlite:" + e.path)
	if err != nil {
		t.Fatal(err)
	}
	if e.db, err = store.OpenDaemon(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.db.Close() })
	e.store = &obstructed{Store: e.db}
	e.tokens = &enroll.Tokens{Store: e.store}
	e.rule = &posture.TokenRequirement{Policy: "enrolment", In: tokenIn, UDIDIn: udidIn, Lifetime: 5 * time.Minute}
	other := *e.rule
	other.Policy, e.other = "other", &other
	e.gate = e.gateOf(e.rule)
	otherGate := e.gateOf(e.other)
	for i, accepts := range []posture.Accepts{posture.Attested, posture.X509, posture.X509, posture.SCEPChallenge, posture.Attested, posture.X509} {
		hook := webhook.Hook{
			Name: string(accepts), ID: "0d0f4a2e-6f8a-4f6c-9a57-00000000000" + string(rune('0'+i)), Secrets: [][]byte{bytes.Repeat([]byte{byte(i + 1)}, 32)},
			Gate: e.gate, Accepts: []posture.Accepts{accepts}, Whole: true,
		}
		if i >= otherPolicyHook {
			hook.Gate = otherGate
		}
		if i == x509Hook {
			hook.Identify = map[posture.Accepts]webhook.Identify{posture.X509: func(r *posture.Request) (string, error) {
				if r.CSR != nil {
					return r.CSR.CommonName, nil
				}
				return r.Certificate.CommonName, nil
			}}
		}
		e.hooks = append(e.hooks, hook)
	}
	e.open(t)
	t.Cleanup(func() { e.wantNoToken(t) })
	return e
}

// gateOf asks an inventory in memory.
func (e *enrolment) gateOf(rule *posture.TokenRequirement) *posture.Gate {
	gate := gateOf(inventory(func(_ context.Context, q posture.Query) (posture.Device, error) {
		if e.lookup != nil {
			if err := e.lookup(q); err != nil {
				return posture.Device{}, err
			}
		}
		d := posture.Device{Identifier: q.Identifier.String(), Facts: posture.Facts{Managed: posture.Known(true)}}
		text, known := e.udids[q.Identifier.String()]
		if !known {
			return posture.Device{}, posture.ErrNotFound
		}
		if text != "" {
			d.Facts.UDID = posture.Known(text)
		}
		return d, nil
	}))
	gate.Inventories[0].Name, gate.Record = "owned", true
	gate.Policy = posture.Policy{Name: rule.Policy, Rules: &e.rules, Token: rule}
	return gate
}

// open makes the handler, with log, audit log and metrics.
func (e *enrolment) open(t testing.TB) {
	t.Helper()
	e.trail = filepath.Join(t.TempDir(), "audit.log")
	trail, _, err := audit.OpenTrail(e.trail)
	if err != nil {
		t.Fatal(err)
	}
	trail.RecordFacts()
	t.Cleanup(func() { _ = trail.Close() })
	var codes []string
	for _, code := range outcome.Codes() {
		codes = append(codes, string(code))
	}
	measured := metrics.NewWithPolicies(metrics.Build{}, codes, nil)
	measured.UsePolicies(metrics.Policies{})
	t.Cleanup(func() {
		w := httptest.NewRecorder()
		measured.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
		wantNone(t, "the metrics", w.Body.Bytes(), e.issued)
	})
	asText, asJSON := audit.NewLog(&e.written, false), audit.NewLog(&e.written, true)
	e.handler = &webhook.Handler{
		Tolerance: 30 * time.Second, Now: recorded, Tokens: e.tokens,
		Audit: func(event *audit.Event) {
			if err := trail.Append(event); err != nil {
				t.Error(err)
			}
		},
		Record: func(event *audit.Event) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.last = event
			asText.Write(event)
			asJSON.Write(event)
			measured.Observe(event)
		},
	}
	e.handler.Use(webhook.NewHooks(e.hooks, true))
}

// issue makes a token.
func (e *enrolment) issue(t testing.TB, identifier, udid string) (text string, token enroll.Token) {
	t.Helper()
	return e.issueFor(t, e.rule, identifier, udid)
}

func (e *enrolment) issueFor(t testing.TB, rule *posture.TokenRequirement, identifier, udid string) (text string, token enroll.Token) {
	t.Helper()
	text, token, err := e.tokens.Issue(t.Context(), rule, enroll.Wanted{Identifier: identifier, UDID: udid, Client: "enroll"})
	if err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.issued = append(e.issued, text)
	return text, token
}
