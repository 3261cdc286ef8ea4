package inbound_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/inbound"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		values []string
		want   string // of the credential; or
		wrong  string
	}{
		"plain":           {values: []string{"Bearer secret"}, want: "secret"},
		"case and spaces": {values: []string{"bEARER   secret"}, want: "secret"},
		"space inside":    {values: []string{"Bearer a b"}, want: "a b"},
		"none":            {wrong: "exactly one"},
		"two":             {values: []string{"Bearer secret", "Bearer secret"}, wrong: "exactly one"},
		"other scheme":    {values: []string{"Basic secret"}, wrong: "not Bearer"},
		"no scheme":       {values: []string{"secret"}, wrong: "not Bearer"},
		"glued":           {values: []string{"Bearersecret"}, wrong: "not Bearer"},
		"tab":             {values: []string{"Bearer\tsecret"}, wrong: "not Bearer"},
		"empty":           {values: []string{"Bearer "}, wrong: "no credential"},
		"scheme alone":    {values: []string{"Bearer"}, wrong: "no credential"},
	} {
		got, err := inbound.Bearer(http.Header{"Authorization": row.values})
		switch {
		case row.wrong == "" && (err != nil || got != row.want):
			t.Errorf("%s: %q, %v, want %q", name, got, err, row.want)
		case row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v, want one about %q that does not repeat the credential", name, err, row.wrong)
		}
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	c := inbound.NewCredential([]byte("secret"))
	for text, want := range map[string]int{"secret": 1, "Secret": 0, "secret ": 0, "": 0} {
		if got := c.Is(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	for _, empty := range []inbound.Credential{{}, inbound.NewCredential(nil)} {
		if empty.Is("") != 0 {
			t.Error("the empty text is the credential that is not set")
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	fits := http.Header{"A": {strings.Repeat("x", inbound.MaxHeader-len("A: \r\n"))}}
	if err := inbound.CheckHeader(fits, inbound.MaxHeader); err != nil {
		t.Errorf("a header of the largest size: %v", err)
	}
	fits.Add("A", "")
	over := (*inbound.TooLarge)(nil)
	if err := inbound.CheckHeader(fits, inbound.MaxHeader); !errors.As(err, &over) {
		t.Errorf("a header that is too large: %v", err)
	}
	for _, row := range []struct {
		body    string
		length  int64
		isLarge bool
	}{{"", 0, false}, {"1234", 4, false}, {"1234", -1, false}, {"12345", 5, true}, {"12345", -1, true}} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(row.body))
		r.ContentLength, r.ProtoMajor = row.length, 2 // a recorder has no deadline to set
		got, err := inbound.ReadBody(httptest.NewRecorder(), r, 4, time.Second)
		if row.isLarge != errors.As(err, &over) || !row.isLarge && (err != nil || string(got) != row.body) {
			t.Errorf("%q of length %d: %q, %v", row.body, row.length, got, err)
		}
	}
}
