package webhook_test

import (
	"bytes"
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
	"testing"
	"text/template"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
)

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

// tokenOf is what is kept of a token.
func tokenOf(t testing.TB, e *enrolment, text string) enroll.Token {
	t.Helper()
	token, err := e.db.Find(t.Context(), enroll.HashOf(text))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// render executes a template with the one function of step-ca that it needs.
func render(t testing.TB, text string, data any) string {
	t.Helper()
	toJSON := func(value any) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	}
	parsed, err := template.New("").Funcs(template.FuncMap{"toJson": toJSON}).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, data); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
