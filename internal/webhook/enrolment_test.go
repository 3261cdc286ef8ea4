package webhook_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/metrics"
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
	for _, code := range webhook.Codes() {
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

// said is an answer, and the event of its request.
type said struct {
	status        int
	body          string
	code, message string // without the reference
	event         *audit.Event
}

// ask sends a signed body to the path of a webhook.
func (e *enrolment) ask(t testing.TB, hook int, body []byte) said {
	t.Helper()
	return e.askAt(t, hook, pathFor(e.hooks[hook].Accepts[0]), body)
}

func (e *enrolment) askAt(t testing.TB, hook int, target string, body []byte) said {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, bytes.NewReader(body))
	r.ProtoMajor, r.ProtoMinor = 2, 0
	for name, values := range signed(e.hooks[hook], body) {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.written.Write(w.Body.Bytes())
	var answer reply
	if err := json.Unmarshal(w.Body.Bytes(), &answer.body); err != nil || answer.body.Allow == nil {
		t.Fatalf("got %d %s: %v", w.Code, w.Body, err)
	}
	if *answer.body.Allow != (answer.body.Error.Code == "") || *answer.body.Allow && w.Code != http.StatusOK {
		t.Errorf("got %d %s, which is neither an allow nor a refusal", w.Code, w.Body)
	}
	message := regexp.MustCompile(` \(ref [0-9A-Z]{8}\)$`).ReplaceAllString(answer.body.Error.Message, "")
	return said{w.Code, w.Body.String(), answer.body.Error.Code, message, e.last}
}

func wantAllow(t testing.TB, what string, s said) {
	t.Helper()
	if s.code != "" {
		t.Errorf("%s: got %d %s (%s), want an allow", what, s.status, s.code, s.event.Reason)
	}
}

// wantInvalid wants the answer that everything gets which is wrong with a token, and a reason that tells it from others.
func wantInvalid(t testing.TB, what string, s said, reason string) {
	t.Helper()
	const message = "The enrolment token or challenge is not valid; ask your administrator for a new one"
	if s.status != http.StatusOK || s.code != "tokenInvalid" || s.message != message {
		t.Errorf("%s: got %d %s %q (%s), want tokenInvalid as always", what, s.status, s.code, s.message, reasonOf(s))
	}
	if !strings.Contains(reasonOf(s), reason) {
		t.Errorf("%s: got reason %q, want %q in it", what, reasonOf(s), reason)
	}
}

func reasonOf(s said) string {
	if s.event == nil {
		return ""
	}
	return s.event.Reason
}

func wantCode(t testing.TB, what string, s said, status int, code string) {
	t.Helper()
	if s.status != status || s.code != code {
		t.Errorf("%s: got %d %s (%s), want %d %s", what, s.status, s.code, reasonOf(s), status, code)
	}
}

// administer changes the state database behind the back of the connector.
func (e *enrolment) administer(t testing.TB, statement string, arguments ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", e.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, arguments...); err != nil {
		t.Fatal(err)
	}
}

// age moves all times of a token into the past.
func (e *enrolment) age(t testing.TB, token enroll.Token, by time.Duration) {
	t.Helper()
	e.administer(t, "UPDATE tokens SET created_at = created_at - $1, expires_at = expires_at - $1, bound_at = bound_at - $1 WHERE id = $2", by.Microseconds(), token.ID)
}

func (e *enrolment) revoke(t testing.TB, token enroll.Token) {
	t.Helper()
	if err := e.db.Revoke(t.Context(), token.ID, nil); err != nil {
		t.Fatal(err)
	}
}

// wantState looks into the database.
func (e *enrolment) wantState(t testing.TB, what string, token enroll.Token, want enroll.State) {
	t.Helper()
	found, err := e.db.Find(t.Context(), token.Hash)
	if err != nil || found.State() != want {
		t.Errorf("%s: the token is %s (%v), want %s", what, found.State(), err, want)
	}
}

// wantNoToken: no token that was issued is in an answer, the log, the audit log or the database.
func (e *enrolment) wantNoToken(t testing.TB) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	wantNone(t, "the log or an answer", e.written.Bytes(), e.issued)
	for _, path := range []string{e.trail, e.path, e.path + "-wal"} {
		contents, err := os.ReadFile(path)
		if err != nil && !strings.HasSuffix(path, "-wal") {
			t.Fatal(err)
		}
		wantNone(t, filepath.Base(path), contents, e.issued)
	}
}

func wantNone(t testing.TB, where string, contents []byte, tokens []string) {
	t.Helper()
	for _, token := range tokens {
		random, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{token, base64.RawStdEncoding.EncodeToString([]byte(token))[:56], hex.EncodeToString([]byte(token)), hex.EncodeToString(random), string(random)} {
			if at := bytes.Index(contents, []byte(form)); at >= 0 {
				t.Errorf("%s has a token: %.200q", where, contents[max(0, at-60):])
			}
		}
	}
}
