package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/sqltest"
)

// backend is an empty state database.
type backend struct {
	url    store.URL
	driver string
	dsn    string // of an administrator
	name   string // of the database in PostgreSQL
}

// each runs a test on both kinds of database. Each call of create makes one.
func each(t *testing.T, test func(t *testing.T, create func(testing.TB) *backend)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, onSQLite)
	})
	t.Run("postgresql", func(t *testing.T) {
		t.Parallel()
		test(t, onPostgreSQL(sqltest.PostgreSQL(t)))
	})
}

func parse(t testing.TB, text string) store.URL {
	t.Helper()
	u, err := store.ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func onSQLite(t testing.TB) *backend {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	return &backend{parse(t, "sqlite:"+path), "sqlite", path + "?_pragma=busy_timeout(10000)", ""}
}

const (
	owner         = "connector"
	ownerPassword = "owner-pV8s"
)

// onPostgreSQL makes databases with a user that owns nothing but its schema.
func onPostgreSQL(s *sqltest.Server) func(testing.TB) *backend {
	var (
		count atomic.Int64
		role  sync.Once
	)
	return func(t testing.TB) *backend {
		t.Helper()
		n := count.Add(1)
		role.Do(func() { s.Exec(t, "CREATE ROLE "+owner+" LOGIN PASSWORD '"+ownerPassword+"'") })
		name := fmt.Sprintf("state%d", n)
		s.Exec(t, "CREATE DATABASE "+name)
		b := &backend{parse(t, s.PostgresURL(owner, ownerPassword, name)), "pgx", s.PostgresURL("admin", sqltest.AdminPassword, name), name}
		b.exec(t, "CREATE SCHEMA AUTHORIZATION "+owner)
		b.exec(t, "ALTER ROLE "+owner+" SET search_path = "+owner)
		b.dsn += "&search_path=" + owner
		return b
	}
}

func (b *backend) open(t testing.TB) *store.DB {
	t.Helper()
	d, err := store.OpenDaemon(t.Context(), b.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// exec changes the database behind the back of the connector.
func (b *backend) exec(t testing.TB, statement string, arguments ...any) {
	t.Helper()
	b.administer(t, func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, statement, arguments...)
		return err
	})
}

func (b *backend) number(t testing.TB, query string) (n int) {
	t.Helper()
	b.administer(t, func(ctx context.Context, db *sql.DB) error { return db.QueryRowContext(ctx, query).Scan(&n) })
	return n
}

func (b *backend) administer(t testing.TB, do func(context.Context, *sql.DB) error) {
	t.Helper()
	b.administerWithin(t, time.Minute, do)
}

func (b *backend) administerWithin(t testing.TB, limit time.Duration, do func(context.Context, *sql.DB) error) {
	t.Helper()
	db, err := sql.Open(b.driver, b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	if err := do(ctx, db); err != nil {
		t.Fatal(err)
	}
}

// age moves all times of a token into the past.
func (b *backend) age(t testing.TB, id string, by time.Duration) {
	t.Helper()
	b.exec(t, "UPDATE tokens SET created_at = created_at - $1, expires_at = expires_at - $1, bound_at = bound_at - $1, revoked_at = revoked_at - $1, keep_until = keep_until - $1 WHERE id = $2",
		by.Microseconds(), id)
}

const policy = "enrolment"

// wanted is a token for a device.
func wanted(identifier, udid string) enroll.Token {
	return enroll.Token{ID: rand.Text(), Hash: enroll.HashOf(rand.Text()), Policy: policy, Identifier: identifier, UDID: udid, Client: "enroll"}
}

func insert(t testing.TB, s enroll.Store, token enroll.Token) enroll.Token {
	t.Helper()
	inserted, err := s.Insert(t.Context(), token, 5*time.Minute)
	if err != nil {
		t.Fatalf("Insert = %v", err)
	}
	return inserted
}

func keyOf(n int) (k enroll.Key) {
	copy(k[:], fmt.Sprintf("key %d", n))
	return k
}

func bind(t testing.TB, s enroll.Store, token enroll.Token, key enroll.Key) enroll.Token {
	t.Helper()
	bound, err := s.Bind(t.Context(), token.Hash, key, "C02XK1ABJHD2")
	if err != nil {
		t.Fatalf("Bind = %v", err)
	}
	return bound
}
