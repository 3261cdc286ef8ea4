package vendorhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// clock is a clock that a test puts forward.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, time.May, 4, 3, 2, 1, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()) }

func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

// loginVendor has a login of its own: JSON, and the token in a header of the answer.
type loginVendor struct {
	t        *testing.T
	password atomic.Value  // that it accepts
	answers  chan int      // statuses of the next logins; 200 where there is none
	token    atomic.Value  // that it issues
	hold     chan struct{} // logins wait for it, where it is not nil
	logins   atomic.Int64
	asked    atomic.Int64
}

const otherStatus = 418 // says by a 200 that the credentials are wrong

func newLoginVendor(t *testing.T) *loginVendor {
	t.Helper()
	v := &loginVendor{t: t, answers: make(chan int, 10)}
	v.password.Store("hidden-password")
	v.token.Store("token-1")
	return v
}

func (v *loginVendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/login") {
		v.asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+v.token.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return
	}
	v.logins.Add(1)
	if v.hold != nil {
		<-v.hold
	}
	status := http.StatusOK
	select {
	case status = <-v.answers:
	default:
	}
	var form struct{ Email, Password string }
	if body, _ := io.ReadAll(r.Body); json.Unmarshal(body, &form) != nil || form.Email != "a@example.com" || r.Header.Get("Authorization") != "" {
		v.t.Errorf("a login with %v and %s", r.Header, body)
	}
	switch {
	case status == otherStatus:
		_, _ = io.WriteString(w, `{"status":"wrong password"}`)
	case status != http.StatusOK:
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "hidden-answer")
	case form.Password != v.password.Load():
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.Header().Set("Authorization", "Bearer "+v.token.Load().(string))
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	}
}

// login is what a provider makes of the vendor's login.
func login() vendorhttp.Login {
	return vendorhttp.Login{
		Request: func() (vendorhttp.Request, error) {
			return vendorhttp.Request{Method: http.MethodPost, Path: "/login", Body: []byte(`{"email":"a@example.com","password":"hidden-password"}`)}, nil
		},
		Token: func(a vendorhttp.Answer) (string, time.Duration, error) {
			switch {
			case strings.Contains(string(a.Body), "wrong"):
				return "", 0, fmt.Errorf("the vendor says so: %w: check ACME_EMAIL", posture.ErrCredentials)
			case a.Status != http.StatusOK:
				return "", 0, fmt.Errorf("the login answered %d", a.Status)
			}
			_, token, _ := strings.Cut(a.Header.Get("Authorization"), " ")
			return token, time.Hour, nil
		},
		Remedy: "check ACME_PASSWORD",
	}
}

func ask(ctx context.Context, c *vendorhttp.Client) error {
	_, err := c.Ask(ctx, vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: "/"})
	return err
}

// TestLogin: one login is enough until shortly before its token ends; a token that is refused is replaced.
func TestLogin(t *testing.T) {
	t.Parallel()
	v, clock := newLoginVendor(t), newClock()
	c := exchanging(t, vendorhttp.Options{Auth: login(), Now: clock.now}, v.ServeHTTP)
	want := func(what string, logins int64) {
		t.Helper()
		if err := ask(t.Context(), c); err != nil || v.logins.Load() != logins {
			t.Errorf("%s: Ask = %v after %d logins, want %d", what, err, v.logins.Load(), logins)
		}
	}
	want("at first", 1)
	clock.pass(58 * time.Minute)
	want("shortly before", 1)
	clock.pass(time.Minute)
	want("at the end", 2)
	v.token.Store("token-2")
	want("refused", 3)
	if v.asked.Load() != 5 {
		t.Errorf("%d requests, want one each, and one more", v.asked.Load())
	}
}

// TestLoginOnce: many lookups at once cause one login.
func TestLoginOnce(t *testing.T) {
	t.Parallel()
	v := newLoginVendor(t)
	v.hold = make(chan struct{})
	clock := newClock()
	c := exchanging(t, vendorhttp.Options{Auth: login(), Rate: 0.001, Burst: 20, Now: clock.now}, v.ServeHTTP)
	var together sync.WaitGroup
	for range 20 {
		together.Go(func() {
			if err := ask(t.Context(), c); err != nil {
				t.Errorf("Ask = %v", err)
			}
		})
	}
	close(v.hold)
	together.Wait()
	if v.logins.Load() != 1 || v.asked.Load() != 20 {
		t.Errorf("%d logins and %d requests, want 1 and 20", v.logins.Load(), v.asked.Load())
	}
	// No turn is left, and a login needs none.
	clock.pass(2 * time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := c.Authenticate(ctx); err != nil || v.logins.Load() != 2 {
		t.Errorf("Authenticate = %v after %d logins, want 2", err, v.logins.Load())
	}
}

// TestLoginFails: each way in which a login fails has its message, and none repeats the answer.
func TestLoginFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, token, want string
		answers           []int
		change            func(*vendorhttp.Login)
		credentials       bool
		logins            int64
	}{
		{name: "401", answers: []int{401}, want: "token endpoint answered 401: the inventory refused the credentials: check ACME_PASSWORD", credentials: true, logins: 1},
		{name: "said by a 200", answers: []int{otherStatus}, want: "token endpoint: the vendor says so: the inventory refused the credentials: check ACME_EMAIL", credentials: true, logins: 1},
		{name: "once 500", answers: []int{500}, logins: 2},
		{name: "twice 500", answers: []int{500, 500}, want: "token endpoint answered 500", logins: 2},
		{name: "404", answers: []int{404}, want: "token endpoint: the login answered 404", logins: 1},
		{name: "403", answers: []int{403}, want: "token endpoint answered 403: something on the way to it forbids that", logins: 1},
		{name: "redirect", answers: []int{302}, want: "token endpoint answered 302: the server redirects, and redirects are not followed; check ACME_URL", logins: 1},
		{name: "no token", token: " ", want: "token endpoint: the answer holds no token", logins: 1},
		{name: "odd token", token: "tok\ten", want: "token endpoint: the token has a character that no token may have", logins: 1},
		{
			name: "no request", want: "token endpoint: hidden", logins: 0,
			change: func(l *vendorhttp.Login) {
				l.Request = func() (vendorhttp.Request, error) { return vendorhttp.Request{}, errors.New("hidden") }
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v, l := newLoginVendor(t), login()
			if row.token != "" {
				v.token.Store(strings.Trim(row.token, " "))
			}
			for _, status := range row.answers {
				v.answers <- status
			}
			if row.change != nil {
				row.change(&l)
			}
			c := exchanging(t, vendorhttp.Options{Auth: l, Vendor: vendorhttp.Vendor{Name: "Acme", Variable: "ACME_URL"}}, v.ServeHTTP)
			err := ask(t.Context(), c)
			if got := fmt.Sprint(err); got != row.want && (row.want != "" || err != nil) || errors.Is(err, posture.ErrCredentials) != row.credentials {
				t.Errorf("Ask = %s\nwant  %s", got, row.want)
			}
			if v.logins.Load() != row.logins {
				t.Errorf("%d logins, want %d", v.logins.Load(), row.logins)
			}
			// What failed is not kept.
			v.token.Store("token")
			if row.change == nil {
				if err := ask(t.Context(), c); err != nil {
					t.Errorf("the next Ask = %v", err)
				}
			}
		})
	}
}

// TestRemember: refused credentials are not sent again until the time has passed, and are then tried again.
func TestRemember(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]func(*loginVendor) vendorhttp.Auth{
		"login": func(*loginVendor) vendorhttp.Auth {
			l := login()
			l.Remember = time.Minute
			return l
		},
		"client credentials": func(*loginVendor) vendorhttp.Auth {
			return vendorhttp.ClientCredentials{ID: "id", Secret: secret("hidden-password"), Path: "/token", Remember: time.Minute, Remedy: "check ACME_PASSWORD"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, clock := newLoginVendor(t), newClock()
			v.password.Store("another")
			c := exchanging(t, vendorhttp.Options{Auth: auth(v), Now: clock.now}, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !strings.HasSuffix(r.URL.Path, "/token"):
					v.ServeHTTP(w, r)
				case v.logins.Add(1) > 0 && r.PostFormValue("client_secret") != v.password.Load():
					answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_client"})
				default:
					answer(w, http.StatusOK, map[string]any{"access_token": v.token.Load(), "token_type": "Bearer"})
				}
			})
			refused := func(logins int64) {
				t.Helper()
				if err := ask(t.Context(), c); !errors.Is(err, posture.ErrCredentials) || !strings.HasSuffix(err.Error(), "check ACME_PASSWORD") || v.logins.Load() != logins {
					t.Errorf("Ask = %v after %d logins, want that the credentials are refused, and %d", err, v.logins.Load(), logins)
				}
			}
			refused(1)
			refused(1)
			v.password.Store("hidden-password") // is not noticed
			clock.pass(59 * time.Second)
			refused(1)
			clock.pass(time.Second)
			if err := ask(t.Context(), c); err != nil || v.logins.Load() != 2 {
				t.Errorf("Ask = %v after %d logins, want none", err, v.logins.Load())
			}
			if v.asked.Load() != 1 {
				t.Errorf("%d requests without a token", v.asked.Load()-1)
			}
		})
	}
}

// TestRememberLogin: a login is not sent again either where the server has refused it without a word about the credentials; it
// is where the server could not answer.
func TestRememberLogin(t *testing.T) {
	t.Parallel()
	for status, again := range map[int]bool{
		http.StatusBadRequest: false, http.StatusForbidden: false, http.StatusNotFound: false, http.StatusNoContent: false,
		http.StatusServiceUnavailable: true, http.StatusBadGateway: true,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			v, clock, l := newLoginVendor(t), newClock(), login()
			l.Remember = time.Minute
			c := exchanging(t, vendorhttp.Options{Auth: l, Now: clock.now}, v.ServeHTTP)
			v.answers <- status
			v.answers <- status // of the repetition, or of the next login
			first := ask(t.Context(), c)
			sent := v.logins.Load()
			second := ask(t.Context(), c)
			if first == nil || again != (second == nil) || (v.logins.Load() > sent) != again {
				t.Errorf("Ask = %v, then %v after %d and %d logins, want another login: %v", first, second, sent, v.logins.Load(), again)
			}
		})
	}
}
