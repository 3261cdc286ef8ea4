package store_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/console/access"
	"step-posture-connector/internal/store"
)

// TestSessions is what both databases must do for the console.
func TestSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		for _, row := range []struct {
			name string
			test func(*testing.T, *backend)
		}{
			{"a session is kept as it was created", testSession},
			{"no session has another person's name", testPersons},
			{"replicas sign cookies with one key", testCookieKey},
			{"a key that was damaged signs nothing", testDamagedKey},
		} {
			b := create(t)
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				row.test(t, b)
			})
		}
	})
}

func testSession(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	want := access.Session{Person: "jo@example.com é", Source: access.OIDC, Created: noon(), Expires: noon().Add(8 * time.Hour)}
	hash, other := sha256.Sum256([]byte("cookie")), sha256.Sum256([]byte("other"))
	if err := d.CreateSession(t.Context(), hash, want); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := d.Session(t.Context(), hash); got != want || !ok || err != nil {
		t.Errorf("Session = %+v, %t, %v, want %+v", got, ok, err, want)
	}
	if got, ok, err := d.Session(t.Context(), other); got != (access.Session{}) || ok || err != nil {
		t.Errorf("Session of an unknown cookie = %+v, %t, %v", got, ok, err)
	}
	if err := d.CreateSession(t.Context(), hash, want); err == nil {
		t.Error("a second session has the same hash")
	}
	later := want
	later.Created, later.Expires = want.Expires, want.Expires.Add(time.Hour)
	if err := d.CreateSession(t.Context(), other, later); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := d.Session(t.Context(), hash); ok || err != nil {
		t.Errorf("Session that has expired = %+v, %t, %v", got, ok, err)
	}
	for range 2 {
		if err := d.DeleteSession(t.Context(), other); err != nil {
			t.Error(err)
		}
	}
	if n := b.number(t, "SELECT COUNT(*) FROM console_sessions"); n != 0 {
		t.Errorf("there are %d sessions", n)
	}
}

func testPersons(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	for _, person := range []string{"", "jo\x00", "jo\xff", strings.Repeat("x", 1025)} {
		if err := d.CreateSession(t.Context(), sha256.Sum256([]byte(person)), access.Session{Person: person, Created: noon(), Expires: noon()}); err == nil {
			t.Errorf("CreateSession for %.20q succeeded", person)
		}
	}
}

func testCookieKey(t *testing.T, b *backend) {
	t.Helper()
	databases := []*store.DB{b.open(t)}
	if !b.url.IsSQLite() {
		databases = append(databases, b.open(t))
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
	)
	keys := map[[32]byte]bool{}
	for i := range 8 {
		running.Go(func() {
			key, err := databases[i%len(databases)].CookieKey(context.WithoutCancel(t.Context()), sha256.Sum256([]byte{byte(i)}))
			if err != nil {
				t.Errorf("CookieKey = %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			keys[key] = true
		})
	}
	running.Wait()
	if len(keys) != 1 || keys[[32]byte{}] {
		t.Errorf("there are %d keys", len(keys))
	}
}

func testDamagedKey(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	b.exec(t, "INSERT INTO console_keys (id, key) VALUES (1, $1)", []byte("short"))
	if key, err := d.CookieKey(t.Context(), [32]byte{1}); err == nil || key != ([32]byte{}) {
		t.Errorf("CookieKey = %x, %v", key, err)
	}
}
