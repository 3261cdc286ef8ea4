package httpjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestHostileIdentifiers: an identifier that could mean anything in a request is refused before one is sent.
func TestHostileIdentifiers(t *testing.T) {
	t.Parallel()
	s := &assetsService{}
	p := s.open(t, 9*time.Second, nil)
	for _, text := range []string{
		`C02"`, `C02\`, `C02'`, `C02/x`, `C02%2f`, `..`, `.`, `*`, `C02*`, `C02 X`, `C02&x=1`, `C02?`, `C02#`, `{{secret.token}}`, `C02;`, `a@b.example`, strings.Repeat("A", 65),
	} {
		_, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, text)})
		if !errors.Is(err, posture.ErrIdentifier) {
			t.Errorf("%q: Lookup = %v, want ErrIdentifier", text, err)
		}
	}
	for _, text := range []string{"C02\r\nX: y", "C02\x00", strings.Repeat("A", 10<<10), ""} {
		if id, err := posture.ParseIdentifier(text); err == nil {
			t.Errorf("%.20q is an identifier: %v", text, id)
		}
	}
	if n := s.server.Count("token", "devices"); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// recorder is a service that keeps what it is asked, and answers as it is told.
type recorder struct {
	mu       sync.Mutex
	paths    []string
	queries  []string
	bodies   []string
	headers  []http.Header
	answer   func(w http.ResponseWriter, r *http.Request)
	requests int
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.paths, s.queries = append(s.paths, r.URL.EscapedPath()), append(s.queries, r.URL.RawQuery)
	s.bodies, s.headers = append(s.bodies, body.String()), append(s.headers, r.Header.Clone())
	w.Header().Set("Content-Type", "application/json")
	s.answer(w, r)
}

// serve starts a service for a section, in which URL is its address, and opens the provider.
func serve(t *testing.T, s http.Handler, section string) *httpjson.Provider {
	t.Helper()
	server, err := vendortest.New(vendortest.API{Handler: s, Endpoint: func(r *http.Request) string { return r.URL.Path }})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := configured(t, strings.ReplaceAll(section, "URL", server.URL()))
	c.RootCAs = server.CertPool()
	p, err := httpjson.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestEscaping: values are escaped by their place, whatever characters they have, and never expanded.
func TestEscaping(t *testing.T) {
	t.Parallel()
	const text = `o'neil+"x"%2f/../{{vars.a}}\&b=c`
	s := &recorder{answer: func(w http.ResponseWriter, _ *http.Request) {
		sent, _ := json.Marshal(text)
		_, _ = w.Write([]byte(`{"device":{"id":` + string(sent) + `,"ok":true},"more":false}`))
	}}
	p := serve(t, s, `
base_url: URL/base
identifiers: ^[ -~]+$
vars: {a: "x/y z", none: ""}
secrets: {token: {env: TOKEN}}
headers: {X-Kind: "{{vars.a}}", X-Empty: "{{vars.none|omitempty}}", X-Auth: "key={{secret.token}}"}
request: {method: POST, path: "/d/{{identifier|path}}/{{vars.a}}/end/", query: {"serials[]": "{{identifier|query}}", note: "a={{vars.a}}"}, body: {a: ["{{identifier}}", 7, true], "q\"": "x {{vars.a}}"}}
select: {items: "[body.device]", more: body.more}
then: [{name: groups, request: {path: "/g/{{item.id}}"}, more: body.more}]
map: {device.identifier: item.id, device.managed: item.ok, device.groups: "[string(groups.device.id)]"}
`)
	d, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, text), Facts: posture.AllFacts()})
	if err != nil || d.Identifier != text {
		t.Fatalf("Lookup = %+v, %v", d, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	const escaped = "o%27neil+%22x%22%252f%2F..%2F%7B%7Bvars.a%7D%7D%5C&b=c"
	if path := strings.ReplaceAll(s.paths[0], "'", "%27"); path != "/base/d/"+escaped+"/x%2Fy%20z/end/" {
		t.Errorf("path = %s", s.paths[0])
	}
	if path := strings.ReplaceAll(s.paths[1], "'", "%27"); path != "/base/g/"+escaped {
		t.Errorf("path of the step = %s", s.paths[1])
	}
	if want := "note=a%3Dx%2Fy+z&serials%5B%5D=o%27neil%2B%22x%22%252f%2F..%2F%7B%7Bvars.a%7D%7D%5C%26b%3Dc"; s.queries[0] != want {
		t.Errorf("query = %s\nwant    %s", s.queries[0], want)
	}
	var body struct {
		A []any `json:"a"`
	}
	if err := json.Unmarshal([]byte(s.bodies[0]), &body); err != nil || body.A[0] != text || body.A[1] != 7.0 || body.A[2] != true {
		t.Errorf("body = %s, %v", s.bodies[0], err)
	}
	if h := s.headers[0]; h.Get("X-Kind") != "x/y z" || h.Get("X-Auth") != "key=hidden-secret" || h["X-Empty"] != nil || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers = %v", h)
	}
}

// TestPathOfValues: a value of the answer that is empty, a dot or two dots is never a part of a path.
func TestPathOfValues(t *testing.T) {
	t.Parallel()
	for _, id := range []string{`""`, `"."`, `".."`, `null`, `true`, `{}`, `1.5`} {
		s := &recorder{answer: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"device":{"sn":"C02","id":` + id + `,"ok":true}}`))
		}}
		p := serve(t, s, `
base_url: URL
request: {path: "/d/{{serial}}"}
select: {items: "[body.device]", more: "false"}
then: [{name: groups, request: {path: "/d/{{item.id}}/groups"}, more: "false"}]
map: {device.serial_number: item.sn, device.managed: item.ok, device.groups: groups.names}
`)
		q := posture.Query{Identifier: identifier(t, "C02"), Facts: posture.MustFacts("device.groups")}
		if d, err := p.Lookup(t.Context(), q); err == nil || errors.Is(err, posture.ErrNotFound) {
			t.Errorf("%s: Lookup = %+v, %v", id, d, err)
		}
		if s.requests != 1 {
			t.Errorf("%s: %d requests %q", id, s.requests, s.paths)
		}
		q.Facts = posture.MustFacts("device.managed")
		if _, err := p.Lookup(t.Context(), q); err != nil || s.requests != 2 {
			t.Errorf("%s: without a fact of the step: %v, %d requests", id, err, s.requests)
		}
	}
	for _, text := range []string{".", ".."} {
		p := serve(t, &recorder{}, `
base_url: URL
identifiers: ^[a-z.]+$
request: {path: "/d/{{identifier}}"}
select: {items: "[body.device]", more: "false"}
map: {device.identifier: item.sn, device.managed: item.ok}
`)
		if _, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, text)}); !errors.Is(err, posture.ErrIdentifier) {
			t.Errorf("%q: Lookup = %v", text, err)
		}
	}
}

// TestStepIsRequired: a step that fails is a fault where a fact of it is read; a 404 and a part of an answer too.
func TestStepIsRequired(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vendortest.Fault{
		"404":              {Kind: vendortest.Answer, Status: 404, Body: `{"groups":[],"more":false}`, Headers: map[string]string{"Content-Type": "application/json"}},
		"204":              {Kind: vendortest.Answer, Status: 204},
		"HTML":             {Kind: vendortest.Answer, Body: "<html>"},
		"there is more":    {Kind: vendortest.Answer, Body: `{"groups":[],"more":true}`, Headers: map[string]string{"Content-Type": "application/json"}},
		"no groups":        {Kind: vendortest.Answer, Body: `{"more":false}`, Headers: map[string]string{"Content-Type": "application/json"}},
		"groups are a map": {Kind: vendortest.Answer, Body: `{"groups":{},"more":false}`, Headers: map[string]string{"Content-Type": "application/json"}},
		"a redirect":       {Kind: vendortest.Redirect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &assetsService{}
			p := s.open(t, 9*time.Second, []providertest.Device{{Identifier: "C02"}})
			s.server.Fail(fault, "groups")
			q := posture.Query{Identifier: identifier(t, "C02"), Facts: posture.MustFacts("device.groups")}
			if d, err := p.Lookup(t.Context(), q); err == nil || errors.Is(err, posture.ErrNotFound) {
				t.Errorf("Lookup = %+v, %v", d, err)
			}
			q.Recorded = q.Facts
			if d, err := p.Lookup(t.Context(), q); err != nil {
				t.Errorf("Lookup of what is only recorded = %+v, %v", d, err)
			}
			q.Facts, q.Recorded = posture.MustFacts("device.name"), 0
			if d, err := p.Lookup(t.Context(), q); err != nil || !strings.Contains(mustName(d), "{{secret.token}}") {
				t.Errorf("Lookup of another fact = %+v, %v", d, err)
			}
			if v := s.server.Violations(); len(v) > 0 {
				t.Error(v)
			}
		})
	}
}

func mustName(d posture.Device) string {
	name, _ := d.Facts.Name.Get()
	return name
}

// TestTokens: a token that is valid outlives an outage of the host that issues tokens, and many lookups need one token.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := &assetsService{}
	devices := make([]providertest.Device, 20)
	for i := range devices {
		devices[i].Identifier = "C" + string(rune('A'+i)) + "0"
	}
	p := s.open(t, 9*time.Second, devices)
	var wg sync.WaitGroup
	for _, d := range devices {
		wg.Go(func() {
			if _, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, d.Identifier)}); err != nil {
				t.Errorf("Lookup = %v", err)
			}
		})
	}
	wg.Wait()
	if n := s.server.Count("token"); n != 1 {
		t.Errorf("%d tokens were asked for, want 1", n)
	}
	s.server.Fail(vendortest.Fault{Kind: vendortest.Reset}, "token")
	if _, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, "CA0")}); err != nil {
		t.Errorf("Lookup with a valid token = %v", err)
	}
}

// TestCheck distinguishes what an operator has to change from what may pass.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := &assetsService{}
	p := s.open(t, 9*time.Second, []providertest.Device{{Identifier: "C02"}})
	if found, warnings, err := p.Check(t.Context()); err != nil || len(warnings) > 0 || !strings.Contains(found, s.server.URL()) {
		t.Errorf("Check = %q, %q, %v", found, warnings, err)
	}
	s.server.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: `{"results":[]}`, Headers: map[string]string{"Content-Type": "application/json"}}, "devices")
	if _, warnings, err := p.Check(t.Context()); !errors.Is(err, posture.ErrUnanswered) || len(warnings) != 1 || !strings.Contains(warnings[0], "step 9 (select.items)") {
		t.Errorf("Check of another shape = %q, %v", warnings, err)
	}
	s.server.Heal()
	s.server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 401}, "token")
	s.mu.Lock()
	s.valid = false
	s.mu.Unlock()
	if _, _, err := p.Check(t.Context()); !errors.Is(err, posture.ErrCredentials) {
		t.Errorf("Check with wrong credentials = %v", err)
	}
	s.server.Down()
	if _, _, err := p.Check(t.Context()); err == nil || errors.Is(err, posture.ErrCredentials) || errors.Is(err, posture.ErrUnanswered) {
		t.Errorf("Check of a service that is down = %v", err)
	}
}
