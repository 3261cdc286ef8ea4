package store

import (
	"context"
	"database/sql"
	"errors"

	"step-posture-connector/internal/console/access"
)

var _ access.Store = (*DB)(nil)

// CreateSession implements access.Store. What has expired is judged by the clock of the caller, who made the session.
func (d *DB) CreateSession(ctx context.Context, hash [32]byte, s access.Session) error {
	// Fail closed: cleaned, the name could be that of another person.
	if s.Person != text(s.Person) || s.Person == "" || len(s.Person) > maxPerson {
		return errors.New("the person of the session has a name that cannot be stored")
	}
	return d.transaction(ctx, func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, "DELETE FROM console_sessions WHERE expires_at <= $1", s.Created.UnixMicro()); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, "INSERT INTO console_sessions (hash, person, source, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
			hash[:], s.Person, string(s.Source), s.Created.UnixMicro(), s.Expires.UnixMicro())
		return err
	})
}

// Session implements access.Store.
func (d *DB) Session(ctx context.Context, hash [32]byte) (s access.Session, ok bool, err error) {
	var (
		source           string
		created, expires int64
	)
	err = d.read(ctx, func(ctx context.Context, q querier) error {
		err := q.QueryRowContext(ctx, "SELECT person, source, created_at, expires_at FROM console_sessions WHERE hash = $1", hash[:]).Scan(&s.Person, &source, &created, &expires)
		ok = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	if err != nil || !ok {
		return access.Session{}, false, err
	}
	s.Source, s.Created, s.Expires = access.Source(source), timeOf(created), timeOf(expires)
	return s, true, nil
}

// DeleteSession implements access.Store.
func (d *DB) DeleteSession(ctx context.Context, hash [32]byte) error {
	return d.write(ctx, func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, "DELETE FROM console_sessions WHERE hash = $1", hash[:])
		return err
	})
}

// CookieKey implements access.Store. Of several replicas that start at the same time one inserts its candidate, and the others wait
// for it.
func (d *DB) CookieKey(ctx context.Context, candidate [32]byte) (key [32]byte, err error) {
	var stored []byte
	err = d.transaction(ctx, func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, "INSERT INTO console_keys (id, key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING", candidate[:]); err != nil {
			return err
		}
		return q.QueryRowContext(ctx, "SELECT key FROM console_keys WHERE id = 1").Scan(&stored)
	})
	if err != nil {
		return [32]byte{}, err
	}
	// Fail closed: with a shorter key others could sign cookies.
	if copy(key[:], stored) != len(key) || len(stored) != len(key) {
		return [32]byte{}, errors.New("the key that signs cookies has the wrong length")
	}
	return key, nil
}
