package tokenapi_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	a := start(t)
	before := time.Now()
	r := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02ABC","udid":"00008103-001A2B3C4D5E6F70","lifetime":"90s"}`)
	after := time.Now()
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(r.body.Token) {
		t.Errorf("got token %q, want 43 characters of base64url", r.body.Token)
	}
	// The clock is that of the database, and the fraction of a second is cut.
	if low, high := before.Add(88*time.Second), after.Add(91*time.Second); r.body.ExpiresAt.Before(low) || r.body.ExpiresAt.After(high) {
		t.Errorf("got expires_at %s, want it between %s and %s", r.body.ExpiresAt, low, high)
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(r.text), &members); err != nil || len(members) != 3 {
		t.Errorf("got %s, want three members", r.text)
	}
	e := r.event
	if e.Operation != "issue" || e.Client != "enrol" || e.Policy != "enrolment" || e.TokenID != r.body.ID || e.Identifier != "C02ABC" ||
		e.UDID != "00008103-001A2B3C4D5E6F70" || e.Code != "" || e.Reason != "" || e.Method != http.MethodPost || e.Path != "/v1/tokens" {
		t.Errorf("got event %+v", e)
	}
	hash := enroll.HashOf(r.body.Token)
	event, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{r.body.Token, enrolBearer, hex.EncodeToString(hash[:])} {
		if strings.Contains(string(event), secret) {
			t.Errorf("the event has the secret %s: %s", secret, event)
		}
	}
	if got, err := a.handler.Tokens.Store.Find(t.Context(), hash); err != nil || got.ID != r.body.ID || got.Client != "enrol" {
		t.Errorf("the database has %+v, %v, want the token that was issued", got, err)
	}
}

// Each body differs in little from one that gets a token.
func TestBodies(t *testing.T) {
	t.Parallel()
	issuing, refusing := start(t), start(t)
	const own = "accepted is one of enrolment, kiosk"
	const shape = "accepted is a JSON object with policy, identifier, udid and lifetime"
	for name, test := range map[string]struct {
		body string
		want string // in the message, or "" for a token
	}{
		"identifier":        {`{"policy":"enrolment","identifier":"C02"}`, ""},
		"UDID":              {`{"policy":"enrolment","udid":"0000-1"}`, ""},
		"both":              {`{"policy":"enrolment","identifier":"C02","udid":"0000-1"}`, ""},
		"nulls":             {`{"policy":"enrolment","identifier":"C02","udid":null,"lifetime":null}`, ""},
		"white space":       {" {\n\"policy\" : \"enrolment\",\t\"identifier\":\"C02\"}\r\n", ""},
		"escapes":           {`{"\u0070olicy":"enrol\u006dent","identifier":"C02"}`, ""},
		"person":            {`{"policy":"enrolment","identifier":"Jürgen <j@example.com>"}`, ""},
		"longest":           {`{"policy":"enrolment","identifier":"` + strings.Repeat("A", 512) + `"}`, ""},
		"least lifetime":    {`{"policy":"enrolment","identifier":"C02","lifetime":"1s"}`, ""},
		"most lifetime":     {`{"policy":"enrolment","identifier":"C02","lifetime":"5m"}`, ""},
		"compound lifetime": {`{"policy":"enrolment","identifier":"C02","lifetime":"4m59s"}`, ""},
		"fraction":          {`{"policy":"enrolment","identifier":"C02","lifetime":"1500ms"}`, ""},
		"days":              {`{"policy":"kiosk","identifier":"C02","lifetime":"7d"}`, ""},
		"days and hours":    {`{"policy":"kiosk","identifier":"C02","lifetime":"7d24h"}`, ""},
		"other policy":      {`{"policy":"kiosk","identifier":"C02"}`, ""},

		"empty":                    {``, "the body is not JSON"},
		"white space only":         {"\n", "the body is not JSON"},
		"form":                     {`policy=enrolment`, "the body is not JSON at byte 1"},
		"cut short":                {`{"policy":"enrolment"`, "the body is not JSON"},
		"BOM":                      {"\xef\xbb\xbf" + `{"policy":"enrolment","identifier":"C02"}`, "the body is not JSON"},
		"comment":                  {`{/**/"policy":"enrolment","identifier":"C02"}`, "the body is not JSON"},
		"comma at the end":         {`{"policy":"enrolment","identifier":"C02",}`, "the body is not JSON"},
		"single quotes":            {`{'policy':'enrolment'}`, "the body is not JSON"},
		"UTF-16":                   {"{\x00}\x00", "the body is not JSON"},
		"second value":             {`{"policy":"enrolment","identifier":"C02"}{}`, "the body is not JSON at byte 42"},
		"text after it":            {`{"policy":"enrolment","identifier":"C02"}x`, "the body is not JSON"},
		"NUL after it":             {`{"policy":"enrolment","identifier":"C02"}` + "\x00", "the body is not JSON"},
		"invalid UTF-8":            {`{"policy":"enrolment","identifier":"C02` + "\xff" + `"}`, "the body is not JSON"},
		"lone surrogate":           {`{"policy":"enrolment","identifier":"\ud800"}`, "the body is not JSON"},
		"null":                     {`null`, "there is no policy"},
		"list":                     {`[{"policy":"enrolment","identifier":"C02"}]`, "the body is not an object"},
		"string":                   {`"enrolment"`, "the body is not an object"},
		"number":                   {`1`, "the body is not an object"},
		"deep":                     {`{"policy":` + strings.Repeat("[", 2000), shape},
		"unknown member":           {`{"policy":"enrolment","identifier":"C02","serial":"C02"}`, `the member "serial" is unknown; ` + shape},
		"member in capitals":       {`{"policy":"enrolment","Identifier":"C02"}`, `the member "Identifier" is unknown`},
		"member with space":        {`{"policy":"enrolment","identifier ":"C02"}`, `the member "identifier " is unknown`},
		"policy twice":             {`{"policy":"enrolment","policy":"kiosk","identifier":"C02"}`, `the member "policy" occurs more than once`},
		"policy twice, escaped":    {`{"policy":"enrolment","\u0070olicy":"kiosk","identifier":"C02"}`, `the member "policy" occurs more than once`},
		"identifier twice, equal":  {`{"policy":"enrolment","identifier":"C02","identifier":"C02"}`, `"identifier" occurs more than once`},
		"unknown twice":            {`{"a":1,"a":1}`, `the member "a"`},
		"policy a number":          {`{"policy":1,"identifier":"C02"}`, `the member "policy" is not a text; ` + shape},
		"policy a list":            {`{"policy":["enrolment"],"identifier":"C02"}`, `the member "policy" is not a text`},
		"identifier a number":      {`{"policy":"enrolment","identifier":2}`, `the member "identifier" is not a text`},
		"UDID an object":           {`{"policy":"enrolment","udid":{}}`, `the member "udid" is not a text`},
		"lifetime a number":        {`{"policy":"enrolment","identifier":"C02","lifetime":60}`, `the member "lifetime" is not a text`},
		"lifetime a boolean":       {`{"policy":"enrolment","identifier":"C02","lifetime":true}`, `the member "lifetime" is not a text`},
		"no policy":                {`{"identifier":"C02"}`, "there is no policy; " + own},
		"policy null":              {`{"policy":null,"identifier":"C02"}`, "there is no policy; " + own},
		"policy empty":             {`{"policy":"","identifier":"C02"}`, "policy is empty"},
		"unknown policy":           {`{"policy":"nothing","identifier":"C02"}`, "policy is none that this client may issue tokens for; " + own},
		"policy of another client": {`{"policy":"guests","identifier":"C02"}`, "policy is none that this client may issue tokens for; " + own},
		"policy without tokens":    {`{"policy":"plain","identifier":"C02"}`, "policy is none that this client may issue tokens for; " + own},
		"policy in capitals":       {`{"policy":"Enrolment","identifier":"C02"}`, own},
		"no device":                {`{"policy":"enrolment"}`, "the token is for no device"},
		"null device":              {`{"policy":"enrolment","identifier":null,"udid":null}`, "the token is for no device"},
		"identifier empty":         {`{"policy":"enrolment","identifier":"","udid":"0000-1"}`, "identifier is empty"},
		"UDID empty":               {`{"policy":"enrolment","identifier":"C02","udid":""}`, "udid is empty"},
		"identifier too long":      {`{"policy":"enrolment","identifier":"` + strings.Repeat("A", 513) + `"}`, "longer than 512 bytes"},
		"identifier with a space":  {`{"policy":"enrolment","identifier":"C02 "}`, "begins or ends with a space"},
		"identifier with NUL":      {`{"policy":"enrolment","identifier":"C02\u0000"}`, "printable"},
		"UDID with a line feed":    {`{"policy":"enrolment","udid":"0\n1"}`, "printable"},
		"UDID of hyphens":          {`{"policy":"enrolment","udid":"--"}`, "only hyphens"},
		"UDID not ASCII":           {`{"policy":"enrolment","udid":"ä"}`, "ASCII"},
		"lifetime empty":           {`{"policy":"enrolment","identifier":"C02","lifetime":""}`, "lifetime is empty"},
		"lifetime without unit":    {`{"policy":"enrolment","identifier":"C02","lifetime":"60"}`, `a text with a unit, such as "90s"`},
		"lifetime zero":            {`{"policy":"enrolment","identifier":"C02","lifetime":"0"}`, "shorter than 1s"},
		"lifetime 0s":              {`{"policy":"enrolment","identifier":"C02","lifetime":"0s"}`, "shorter than 1s"},
		"lifetime 0d":              {`{"policy":"enrolment","identifier":"C02","lifetime":"0d"}`, "shorter than 1s"},
		"lifetime too short":       {`{"policy":"enrolment","identifier":"C02","lifetime":"999ms"}`, "shorter than 1s"},
		"lifetime negative":        {`{"policy":"enrolment","identifier":"C02","lifetime":"-5m"}`, "a text with a unit"},
		"lifetime negative days":   {`{"policy":"enrolment","identifier":"C02","lifetime":"1d-24h5m"}`, "a text with a unit"},
		"lifetime signed":          {`{"policy":"enrolment","identifier":"C02","lifetime":"+5m"}`, "a text with a unit"},
		"lifetime too long":        {`{"policy":"enrolment","identifier":"C02","lifetime":"5m1s"}`, "longer than 5m0s"},
		"lifetime of days":         {`{"policy":"enrolment","identifier":"C02","lifetime":"1d"}`, "longer than 5m0s"},
		"lifetime endless":         {`{"policy":"enrolment","identifier":"C02","lifetime":"2562047h"}`, "longer than 5m0s"},
		"lifetime of all days":     {`{"policy":"kiosk","identifier":"C02","lifetime":"65535d2562047h"}`, "longer than 192h0m0s"},
		"lifetime overflows":       {`{"policy":"enrolment","identifier":"C02","lifetime":"99999999999999h"}`, "a text with a unit"},
		"lifetime overflows days":  {`{"policy":"enrolment","identifier":"C02","lifetime":"99999999999999d"}`, "a text with a unit"},
		"lifetime of two days":     {`{"policy":"kiosk","identifier":"C02","lifetime":"1d1d"}`, "a text with a unit"},
		"lifetime with a space":    {`{"policy":"enrolment","identifier":"C02","lifetime":"5 m"}`, "a text with a unit"},
		"lifetime a unit":          {`{"policy":"enrolment","identifier":"C02","lifetime":"d"}`, "a text with a unit"},
		"lifetime in weeks":        {`{"policy":"kiosk","identifier":"C02","lifetime":"1w"}`, "a text with a unit"},
		"lifetime of ISO 8601":     {`{"policy":"kiosk","identifier":"C02","lifetime":"PT5M"}`, "a text with a unit"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.want == "" {
				r := issuing.issue(t, enrolBearer, test.body)
				if r.status != http.StatusCreated || r.body.Token == "" {
					t.Errorf("got status %d, want a token: %s", r.status, r.text)
				}
				return
			}
			wantError(t, refusing.issue(t, enrolBearer, test.body), http.StatusBadRequest, "malformed", test.want)
		})
	}
	if got := refusing.list(t, enrolBearer, ""); len(got.body.Tokens) != 0 {
		t.Errorf("got %s, want no token", got.text)
	}
}

// What a client may issue is no secret from itself, and nothing of others is in the answer.
func TestPoliciesOfClients(t *testing.T) {
	t.Parallel()
	a := start(t)
	var answers []string
	for _, policy := range []string{"enrolment", "plain", "nothing"} {
		r := a.issue(t, guestBearer, `{"policy":"`+policy+`","identifier":"C02"}`)
		wantError(t, r, http.StatusBadRequest, "malformed", "accepted is one of guests")
		answers = append(answers, strings.Replace(r.text, r.event.Reference, "", 1))
		if r.event.Policy != "" || !strings.Contains(r.event.Reason, `"`+policy+`"`) {
			t.Errorf("got event %+v, want the policy in the reason alone", r.event)
		}
	}
	if answers[0] != answers[1] || answers[1] != answers[2] {
		t.Errorf("got %q, want the same for each policy", answers)
	}
	for _, credential := range []string{idleBearer, plainBearer} {
		wantError(t, a.issue(t, credential, `{"policy":"plain","identifier":"C02"}`), http.StatusBadRequest, "malformed", "accepted is none: ask your administrator")
	}
}

func TestTooManyLiveTokens(t *testing.T) {
	t.Parallel()
	a := start(t)
	var last reply
	for range enroll.MaxLive {
		last = a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`)
	}
	r := a.issue(t, enrolBearer, `{"policy":"enrolment","identifier":"c02"}`)
	wantError(t, r, http.StatusTooManyRequests, "tooMany", "too many live tokens for this device")
	if got := r.header.Get("Retry-After"); got != "60" {
		t.Errorf("got Retry-After %q, want 60", got)
	}
	a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C03"}`)
	a.revoke(t, enrolBearer, last.body.ID)
	a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`)
}

// A client that writes a token, or a control character, into the wrong place does not put it into the log.
func TestHostileTextsAreCleaned(t *testing.T) {
	t.Parallel()
	a := start(t)
	token := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`).body.Token
	for name, body := range map[string]string{
		"identifier": `{"policy":"nothing","identifier":"%s"}`,
		"UDID":       `{"policy":"nothing","udid":"%s"}`,
		"policy":     `{"policy":"%s","udid":"1"}`,
		"lifetime":   `{"policy":"enrolment","udid":"1","lifetime":"%s"}`,
		"member":     `{"%s":"enrolment"}`,
		"twice":      `{"%[1]s":1,"%[1]s":2}`,
	} {
		r := a.issue(t, enrolBearer, fmt.Sprintf(body, token))
		wantError(t, r, http.StatusBadRequest, "malformed")
		wantNoSecret(t, r, token)
		if r = a.issue(t, enrolBearer, fmt.Sprintf(body, `\n\u001b[31m\u202e`)); r.status != http.StatusBadRequest {
			t.Errorf("%s: got %s", name, r.text)
		}
		for _, text := range []string{r.event.Identifier, r.event.UDID, r.event.Policy, r.event.Reason, r.body.Error.Message} {
			if strings.ContainsAny(text, "\n\x1b\u202e") {
				t.Errorf("%s: got %q, want no control character", name, text)
			}
		}
	}
	for _, path := range []string{"/v1/tokens/" + token, "/v1/tokens/x/" + token, "/v1/tokens/" + token + "?" + token, "/" + token} {
		r := a.do(t, http.MethodDelete, path, bearer(enrolBearer), nil)
		wantNoSecret(t, r, token)
	}
}
