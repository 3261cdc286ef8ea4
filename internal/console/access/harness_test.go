package access_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console/access"
)

// memory is a Store, with faults.
type memory struct {
	mu       sync.Mutex
	sessions map[[32]byte]access.Session
	key      *[32]byte
	asked    int // for sessions
	err      error
}

func (m *memory) CreateSession(_ context.Context, hash [32]byte, s access.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions == nil {
		m.sessions = map[[32]byte]access.Session{}
	}
	if m.err == nil {
		m.sessions[hash] = s
	}
	return m.err
}

func (m *memory) Session(_ context.Context, hash [32]byte) (access.Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	s, ok := m.sessions[hash]
	return s, ok, m.err
}

func (m *memory) DeleteSession(_ context.Context, hash [32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		delete(m.sessions, hash)
	}
	return m.err
}

func (m *memory) CookieKey(_ context.Context, candidate [32]byte) ([32]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.key == nil {
		m.key = &candidate
	}
	return *m.key, m.err
}

// fail makes the store fail, or with nil work again.
func (m *memory) fail(err error) { m.mu.Lock(); defer m.mu.Unlock(); m.err = err }

// found is how many sessions there are, and how often one was asked for.
func (m *memory) found() (sessions, asked int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions), m.asked
}

// shown is what a test sees of a page.
type shown struct {
	access.View

	Status   int
	Header   http.Header
	Text     string // of a refusal, or of the pages
	Person   string
	Source   access.Source
	IsLogIn  bool
	Location string
}

// plain renders pages as JSON.
type plain struct{}

func (plain) LogIn(w http.ResponseWriter, _ *http.Request, status int, v access.View) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(shown{View: v, IsLogIn: true})
}

func (plain) Refuse(w http.ResponseWriter, _ *http.Request, status int, text string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(shown{Text: text})
}

// ServeHTTP stands for the pages.
func (plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, csrf := access.SessionOf(r.Context())
	_ = json.NewEncoder(w).Encode(shown{View: access.View{CSRF: csrf}, Text: "page", Person: s.Person, Source: s.Source})
}

// lab is a Guard behind a real listener.
type lab struct {
	*httptest.Server

	guard *access.Guard
	store *memory

	mu      sync.Mutex
	now     time.Time
	notices []audit.Notice
	events  []access.Event
	silent  error  // of the audit log
	noting  func() // what happens while a notice is written; nil for nothing
}

// hashOf is a hash of bcrypt with the lowest cost.
func hashOf(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func usersOf(t testing.TB, text string) *access.Users {
	t.Helper()
	users, err := access.ParseUsers([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// newLab starts a Guard that s describes in part.
func newLab(t *testing.T, s access.Settings) *lab {
	t.Helper()
	l := &lab{store: &memory{}, now: time.Now()}
	if s.Store == nil {
		s.Store = l.store
	}
	if s.Pages == nil {
		s.Pages = plain{}
	}
	s.Renderer, s.Now, s.Notice, s.Record = plain{}, l.time, l.notice, l.record
	l.guard = access.NewGuard(s)
	l.Server = httptest.NewUnstartedServer(l.guard)
	if s.TLS {
		l.StartTLS()
	} else {
		l.Start()
	}
	t.Cleanup(l.Close)
	return l
}

const (
	person   = "ada"
	password = "a password of ada"
)

// newUsersLab has the users ada and bob.
func newUsersLab(t *testing.T) *lab {
	t.Helper()
	return newLab(t, access.Settings{TLS: true, Users: usersOf(t, person+":"+hashOf(t, password)+"\nbob:"+hashOf(t, "of bob")+"\n")})
}

func (l *lab) time() time.Time { l.mu.Lock(); defer l.mu.Unlock(); return l.now }

func (l *lab) pass(d time.Duration) { l.mu.Lock(); defer l.mu.Unlock(); l.now = l.now.Add(d) }

func (l *lab) notice(n audit.Notice) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.noting != nil {
		l.noting()
	}
	if l.silent == nil {
		l.notices = append(l.notices, n)
	}
	return l.silent
}

func (l *lab) record(e access.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// last is the last notice, as event, user and result.
func (l *lab) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.notices) == 0 {
		return ""
	}
	n := l.notices[len(l.notices)-1]
	return n.Event + " " + n.User + " " + n.Result
}

// reason is that of the last event.
func (l *lab) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return ""
	}
	return l.events[len(l.events)-1].Reason
}
