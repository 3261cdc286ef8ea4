package compat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/posture"
)

// TestKey: a key is an enrolment token of the policy for the UDID.
func TestKey(t *testing.T) {
	t.Parallel()
	d := start(t)
	form := regexp.MustCompile(`^\{"key":"([A-Za-z0-9_-]{43})"\}\n$`)
	seen := map[string]bool{}
	for path, want := range map[string]string{
		udid: udid, strings.ToLower(udid): strings.ToLower(udid), "00008110-001C2D8E0F90802E": "00008110-001C2D8E0F90802E",
		"%35B1D": "5B1D", "a%20b": "a b", "a%2Fb": "a/b", "a%2525": "a%25", strings.Repeat("A", 256): strings.Repeat("A", 256),
	} {
		r := d.key(t, path)
		found := form.FindStringSubmatch(r.text)
		if r.status != http.StatusOK || found == nil || r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: got %d, %q, %v, want a key", path, r.status, r.text, r.header)
		}
		key := found[1]
		if seen[key] {
			t.Errorf("%s: the key was issued before", path)
		}
		seen[key] = true
		token, err := d.db.Find(t.Context(), enroll.HashOf(key))
		if err != nil {
			t.Fatal(err)
		}
		if token.UDID != want || token.Identifier != "" || token.Policy != "default" || token.Client != "mdmsecuritydemo" || token.Expires.Sub(token.Created) != 5*time.Minute || token.State() != enroll.Live {
			t.Errorf("%s: got the token %+v, want one for %s that lives 5 minutes", path, token, want)
		}
		e := *r.event
		if e.Operation != "key" || e.UDID != want || e.TokenID != token.ID || e.Policy != "default" || e.Path != "/api/key/…" || e.Method != http.MethodPost || e.Reason != "" {
			t.Errorf("%s: got event %+v", path, e)
		}
		if strings.Contains(fmt.Sprintf("%+v", e), key) {
			t.Errorf("%s: the key is in the event %+v", path, e)
		}
	}
}

// TestKeyOfAnotherDevice: the key is bound to its UDID, and to one key of a device.
func TestKeyOfAnotherDevice(t *testing.T) {
	t.Parallel()
	d := start(t)
	var body struct{ Key string }
	if err := json.Unmarshal([]byte(d.key(t, udid).text), &body); err != nil {
		t.Fatal(err)
	}
	id, err := posture.ParseIdentifier(serial)
	if err != nil {
		t.Fatal(err)
	}
	tokens, first := d.handler.Tokens, enroll.Key{1}
	token, err := tokens.Find(t.Context(), body.Key, "default", first)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.MatchesRequest(rule(), id, []string{udid + "0"}); err == nil {
		t.Error("the key is good for another UDID")
	}
	if err := token.MatchesRequest(rule(), id, []string{strings.ToLower(udid)}); err != nil {
		t.Error(err)
	}
	for range 2 { // step-ca repeats a request
		if err := tokens.Redeem(t.Context(), token, first, id); err != nil {
			t.Error(err)
		}
	}
	if err := tokens.Redeem(t.Context(), token, enroll.Key{2}, id); err == nil {
		t.Error("the key is good for a second public key")
	}
}

// TestKeyRefused: whatever is wrong below /api/, the answer is no JSON.
func TestKeyRefused(t *testing.T) {
	t.Parallel()
	d := start(t)
	all := &counted{Store: d.db}
	d.handler.Tokens = &enroll.Tokens{Store: all}
	large := strings.Repeat("x", 64<<10+1)
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		body         string
		chunked      bool
		want         int
		code         string
	}{
		"GET":                     {"GET", "/api/key/" + udid, bearer(keysBearer), "", false, 405, "methodNotAllowed"},
		"HEAD":                    {"HEAD", "/api/key/" + udid, bearer(keysBearer), "", false, 405, "methodNotAllowed"},
		"PUT":                     {"PUT", "/api/key/" + udid, bearer(keysBearer), "x", false, 405, "methodNotAllowed"},
		"DELETE":                  {"DELETE", "/api/key/" + udid, bearer(keysBearer), "", false, 405, "methodNotAllowed"},
		"OPTIONS":                 {"OPTIONS", "/api/key/" + udid, nil, "", false, 405, "methodNotAllowed"},
		"another method":          {"BREW", "/api/key/" + udid, bearer(keysBearer), "", false, 405, "methodNotAllowed"},
		"GET without a UDID":      {"GET", "/api/key/", bearer(keysBearer), "", false, 404, "notFound"},
		"empty":                   {"POST", "/api/key/", bearer(keysBearer), "", false, 404, "notFound"},
		"no slash":                {"POST", "/api/key", bearer(keysBearer), "", false, 404, "notFound"},
		"slashes":                 {"POST", "/api/key/a/b", bearer(keysBearer), "", false, 404, "notFound"},
		"a slash behind":          {"POST", "/api/key/" + udid + "/", bearer(keysBearer), "", false, 404, "notFound"},
		"a slash before":          {"POST", "/api/key//" + udid, bearer(keysBearer), "", false, 404, "notFound"},
		"slashes alone":           {"POST", "/api/key///", bearer(keysBearer), "", false, 404, "notFound"},
		"dots":                    {"POST", "/api/key/../key/" + udid, bearer(keysBearer), "", false, 404, "notFound"},
		"another path":            {"POST", "/api/keys/" + udid, bearer(keysBearer), "", false, 404, "notFound"},
		"another case":            {"POST", "/API/KEY/" + udid, bearer(keysBearer), "", false, 404, "notFound"},
		"escaped slash of path":   {"POST", "/api/key%2F" + udid, bearer(keysBearer), "", false, 404, "notFound"},
		"escaped letter of path":  {"POST", "/%61pi/key/" + udid, bearer(keysBearer), "", false, 404, "notFound"},
		"no credential":           {"POST", "/api/key/" + udid, nil, "", false, 401, "unauthenticated"},
		"credential of queries":   {"POST", "/api/key/" + udid, bearer(queriesBearer), "", false, 401, "unauthenticated"},
		"space":                   {"POST", "/api/key/%20", bearer(keysBearer), "", false, 400, "malformed"},
		"space at the end":        {"POST", "/api/key/" + udid + "%20", bearer(keysBearer), "", false, 400, "malformed"},
		"hyphens":                 {"POST", "/api/key/---", bearer(keysBearer), "", false, 400, "malformed"},
		"NUL":                     {"POST", "/api/key/a%00b", bearer(keysBearer), "", false, 400, "malformed"},
		"line break":              {"POST", "/api/key/a%0Ab", bearer(keysBearer), "", false, 400, "malformed"},
		"umlaut":                  {"POST", "/api/key/%C3%84", bearer(keysBearer), "", false, 400, "malformed"},
		"not UTF-8":               {"POST", "/api/key/%FF", bearer(keysBearer), "", false, 400, "malformed"},
		"a query":                 {"POST", "/api/key/" + udid + "?x", bearer(keysBearer), "", false, 400, "malformed"},
		"an empty query":          {"POST", "/api/key/" + udid + "?", bearer(keysBearer), "", false, 400, "malformed"},
		"too long":                {"POST", "/api/key/" + strings.Repeat("A", 257), bearer(keysBearer), "", false, 400, "malformed"},
		"far too long":            {"POST", "/api/key/" + strings.Repeat("A", 10000), bearer(keysBearer), "", false, 400, "malformed"},
		"large body":              {"POST", "/api/key/" + udid, bearer(keysBearer), large, false, 413, "tooLarge"},
		"large body, in chunks":   {"POST", "/api/key/" + udid, bearer(keysBearer), large, true, 413, "tooLarge"},
		"large body, nobody":      {"POST", "/api/key/" + udid, nil, large, false, 401, "unauthenticated"},
		"large header":            {"POST", "/api/key/" + udid, http.Header{"Authorization": {"Bearer " + keysBearer}, "X": {strings.Repeat("x", 16<<10)}}, "", false, 431, "tooLarge"},
		"large header of nothing": {"GET", "/api/key/", http.Header{"X": {strings.Repeat("x", 16<<10)}}, "", false, 431, "tooLarge"},
	} {
		var r reply
		switch {
		case test.body == "":
			r = d.do(t, test.method, test.path, test.header, nil)
		case test.chunked:
			r = d.do(t, test.method, test.path, test.header, unread{strings.NewReader(test.body)})
		default:
			r = d.do(t, test.method, test.path, test.header, strings.NewReader(test.body))
		}
		if r.status != test.want || r.event.Code != test.code || r.event.Reason == "" || r.event.TokenID != "" {
			t.Errorf("%s: got %d and event %+v, want %d, %s", name, r.status, r.event, test.want, test.code)
		}
		if len(r.event.UDID) > 300 || len(r.event.Path) > 300 || strings.ContainsAny(r.event.UDID, "\n\x00") || !utf8.ValidString(r.event.UDID) {
			t.Errorf("%s: got event %+v, want what fits into a log line", name, r.event)
		}
		if allow := r.header.Get("Allow"); (allow == "POST") != (r.status == http.StatusMethodNotAllowed) {
			t.Errorf("%s: got %d with Allow %q", name, r.status, allow)
		}
	}
	if n := all.inserted.Load(); n != 0 {
		t.Errorf("%d keys were issued", n)
	}
}

// TestKeyBody: a body that nobody needs makes no difference.
func TestKeyBody(t *testing.T) {
	t.Parallel()
	d := start(t)
	for name, body := range map[string]string{"JSON": `{"key":"x"}`, "as much as may be": strings.Repeat("x", 64<<10)} {
		if r := d.do(t, http.MethodPost, "/api/key/"+udid, bearer(keysBearer), strings.NewReader(body)); r.status != http.StatusOK {
			t.Errorf("%s: got %d, want a key", name, r.status)
		}
	}
}

func TestTooManyKeys(t *testing.T) {
	t.Parallel()
	d := start(t)
	for i := range enroll.MaxLive {
		if r := d.key(t, udid); r.status != http.StatusOK {
			t.Fatalf("key %d: got %d", i, r.status)
		}
	}
	r := d.key(t, strings.ToLower(udid))
	if r.status != http.StatusTooManyRequests || r.event.Code != "tooMany" || r.header.Get("Retry-After") == "" {
		t.Errorf("got %d, %+v, want that there are too many", r.status, r.event)
	}
	if r := d.key(t, "another"); r.status != http.StatusOK {
		t.Errorf("another UDID: got %d, want a key", r.status)
	}
}

// TestKeyFaults: of the database, of the configuration, of the program.
func TestKeyFaults(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.handler.Rule = func() *posture.TokenRequirement { return nil }
	if r := d.key(t, udid); r.status != http.StatusServiceUnavailable || r.event.Code != "unavailable" {
		t.Errorf("no rule: got %d, %+v", r.status, r.event)
	}
	d.handler.Rule = rule
	if err := d.db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := d.key(t, udid); r.status != http.StatusServiceUnavailable || r.event.Code != "unavailable" || r.event.Reason == "" || r.event.TokenID != "" {
		t.Errorf("no database: got %d, %+v", r.status, r.event)
	}
	d.handler.Tokens = nil
	if r := d.key(t, udid); r.status != http.StatusInternalServerError || r.event.Code != "internal" || r.event.Stack == "" {
		t.Errorf("a panic: got %d, %+v", r.status, r.event)
	}
	d.handler.Rule = func() *posture.TokenRequirement { panic("a value with " + keysBearer) }
	if r := d.key(t, udid); r.status != http.StatusInternalServerError || r.event.Code != "internal" {
		t.Errorf("a panic with a value: got %d, %+v", r.status, r.event)
	}
}

// TestKeyInTheWrongPlace: a key in place of the UDID does not get into the log.
func TestKeyInTheWrongPlace(t *testing.T) {
	t.Parallel()
	d := start(t)
	key := strings.Repeat("aB3_-", 8) + "xyz"
	for _, path := range []string{"/api/key/" + key, "/api/key/x/" + key, "/api/" + key, "/api/key//" + key} {
		if r := d.do(t, http.MethodPost, path, bearer(keysBearer), nil); strings.Contains(fmt.Sprintf("%+v", r.event), key) {
			t.Errorf("%s: got event %+v, want no key", path, r.event)
		}
	}
}

// TestClosedWithoutCredential: an endpoint whose credential is not set is open to nobody.
func TestClosedWithoutCredential(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.handler.Keys, d.handler.Queries = inbound.Credential{}, inbound.NewCredential(nil)
	for _, path := range []string{"/api/key/" + udid, "/devices/query"} {
		for _, value := range []string{"Bearer ", "Bearer", "Bearer x", ""} {
			r := d.do(t, http.MethodPost, path, http.Header{"Authorization": {value}}, strings.NewReader(`{"serial_number":"`+serial+`"}`))
			if r.status != http.StatusUnauthorized {
				t.Errorf("%s with %q: got %d, want 401", path, value, r.status)
			}
		}
	}
}
