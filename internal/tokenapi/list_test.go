package tokenapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

func TestList(t *testing.T) {
	t.Parallel()
	a := start(t)
	if r := a.list(t, enrolBearer, ""); strings.TrimSpace(r.text) != `{"tokens":[]}` {
		t.Errorf("got %s, want an empty list", r.text)
	}
	first := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`)
	time.Sleep(5 * time.Millisecond) // the clock of SQLite has milliseconds
	second := a.issued(t, enrolBearer, `{"policy":"kiosk","udid":"0000-1","lifetime":"1h"}`)
	a.issued(t, guestBearer, `{"policy":"guests","identifier":"C02"}`)
	r := a.list(t, enrolBearer, "")
	wantNoSecret(t, r, first.body.Token, second.body.Token, enrolBearer)
	if len(r.body.Tokens) != 2 || strings.Contains(r.text, "more") {
		t.Fatalf("got %s, want the two tokens of the client's policies", r.text)
	}
	for i, want := range []map[string]any{
		{"id": second.body.ID, "policy": "kiosk", "identifier": nil, "udid": "0000-1", "state": "live", "client": "enrol", "bound_at": nil},
		{"id": first.body.ID, "policy": "enrolment", "identifier": "C02", "udid": nil, "state": "live", "client": "enrol", "bound_at": nil},
	} {
		got := r.body.Tokens[i]
		for name, value := range want {
			if member, ok := got[name]; !ok || member != value {
				t.Errorf("token %d has %s %v, want %v", i, name, member, value)
			}
		}
		created, expires := timeOf(t, got["created_at"]), timeOf(t, got["expires_at"])
		if lives, want := expires.Sub(created), []time.Duration{time.Hour, 5 * time.Minute}[i]; lives != want {
			t.Errorf("token %d lives for %s, want %s", i, lives, want)
		}
		if len(got) != 9 {
			t.Errorf("got %v, want nine members", got)
		}
	}
	if e := r.event; e.Operation != "list" || e.Client != "enrol" || e.Reason != "" || e.TokenID != "" || e.Policy != "" {
		t.Errorf("got event %+v", e)
	}
	if r = a.list(t, guestBearer, "?identifier=C02"); len(r.body.Tokens) != 1 || r.body.Tokens[0]["policy"] != "guests" || r.event.Identifier != "C02" {
		t.Errorf("got %s, want the one of the client's policy", r.text)
	}
	for _, credential := range []string{idleBearer, plainBearer} { // one without policies sees none, and not all
		if r = a.list(t, credential, ""); r.status != http.StatusOK || len(r.body.Tokens) != 0 {
			t.Errorf("got %s, want an empty list", r.text)
		}
	}
}

// timeOf reads a time of an answer, which tools without fractions of a second can read.
func timeOf(t *testing.T, member any) time.Time {
	t.Helper()
	text, _ := member.(string)
	parsed, err := time.Parse("2006-01-02T15:04:05Z", text)
	if err != nil || len(text) != len("2006-01-02T15:04:05Z") {
		t.Errorf("got the time %v, want RFC 3339 in UTC with whole seconds", member)
	}
	return parsed
}

func TestStates(t *testing.T) {
	t.Parallel()
	a := start(t)
	state := func(id string) map[string]any {
		t.Helper()
		for _, token := range a.list(t, enrolBearer, "").body.Tokens {
			if token["id"] == id {
				return token
			}
		}
		t.Fatalf("the list has no token %s", id)
		return nil
	}
	r := a.issued(t, enrolBearer, `{"policy":"enrolment","udid":"0000-1"}`)
	id, err := posture.ParseRequested("C02")
	if err != nil {
		t.Fatal(err)
	}
	key := enroll.Key{1}
	found, err := a.handler.Tokens.Find(t.Context(), r.body.Token, "enrolment", key)
	if err != nil {
		t.Fatal(err)
	}
	if err = a.handler.Tokens.Redeem(t.Context(), found, key, id); err != nil {
		t.Fatal(err)
	}
	if got := state(r.body.ID); got["state"] != "used" || got["identifier"] != nil {
		t.Errorf("got %v, want a used token", got)
	} else {
		timeOf(t, got["bound_at"])
	}
	if got := a.list(t, enrolBearer, "?identifier=c02"); len(got.body.Tokens) != 1 {
		t.Errorf("got %s, want the token that the device has redeemed", got.text)
	}
	if got := a.revoke(t, enrolBearer, r.body.ID); got.status != http.StatusNoContent {
		t.Errorf("got status %d, want 204: %s", got.status, got.text)
	}
	if got := state(r.body.ID); got["state"] != "revoked" {
		t.Errorf("got %v, want a revoked token", got)
	}
	if _, err = a.handler.Tokens.Find(t.Context(), r.body.Token, "enrolment", key); err == nil {
		t.Error("the revoked token is still good for its key")
	}

	r = a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C03","lifetime":"1s"}`)
	for state(r.body.ID)["state"] == "live" { // by the clock of the database
		time.Sleep(50 * time.Millisecond)
	}
	if got := state(r.body.ID); got["state"] != "expired" {
		t.Errorf("got %v, want an expired token", got)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	a := start(t)
	own := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`).body
	others := a.issued(t, guestBearer, `{"policy":"guests","identifier":"C02"}`).body
	var answers []string
	for _, id := range []string{others.ID, "NOTHING", own.Token, strings.ToLower(own.ID), own.ID + "x", "%00", "%41", "..", "*", "'", strings.Repeat("A", 65)} {
		r := a.revoke(t, enrolBearer, id)
		wantError(t, r, http.StatusNotFound, "notFound", "no such token")
		wantNoSecret(t, r, own.Token, others.ID)
		answers = append(answers, strings.Replace(r.text, r.event.Reference, "", 1))
	}
	if slices.Sort(answers); answers[0] != answers[len(answers)-1] {
		t.Errorf("got %q, want the same for all", answers)
	}
	for _, credential := range []string{idleBearer, plainBearer, guestBearer} {
		wantError(t, a.revoke(t, credential, own.ID), http.StatusNotFound, "notFound")
	}
	for range 2 { // also again
		r := a.revoke(t, enrolBearer, own.ID)
		if r.status != http.StatusNoContent || r.text != "" || r.header.Get("Content-Type") != "" {
			t.Errorf("got status %d, %q, want 204 and nothing", r.status, r.text)
		}
		if e := r.event; e.Operation != "revoke" || e.TokenID != own.ID || e.Path != "/v1/tokens/…" || e.Code != "" {
			t.Errorf("got event %+v", e)
		}
	}
	if got := a.list(t, guestBearer, "").body.Tokens; len(got) != 1 || got[0]["state"] != "live" {
		t.Errorf("got %v, want the token of the other client live", got)
	}
}

// A longer list is cut, and says so.
func TestListIsCut(t *testing.T) {
	t.Parallel()
	a := start(t)
	rule := rules()["enrolment"]
	var last enroll.Token
	for i := range enroll.MaxListed + 1 {
		if i == enroll.MaxListed {
			time.Sleep(5 * time.Millisecond) // as above
		}
		var err error
		_, last, err = a.handler.Tokens.Issue(t.Context(), rule, enroll.Wanted{Identifier: fmt.Sprintf("D%d", i), Client: "enrol"})
		if err != nil {
			t.Fatal(err)
		}
	}
	r := a.list(t, enrolBearer, "")
	if len(r.body.Tokens) != enroll.MaxListed || r.body.More == nil || !*r.body.More || r.body.Tokens[0]["id"] != last.ID {
		t.Errorf("got %d tokens, more %v, want the newest %d and more", len(r.body.Tokens), r.body.More, enroll.MaxListed)
	}
	a.revoke(t, enrolBearer, last.ID)
	if r = a.list(t, guestBearer, ""); r.body.More != nil {
		t.Errorf("got %s, want no more", r.text)
	}
}
