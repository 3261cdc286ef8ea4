package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/enroll"
)

const columns = "id, hash, policy, identifier, udid, client, created_at, expires_at, bound_at, key, bound_to, revoked_at"

// scanner is a row.
type scanner interface {
	Scan(destinations ...any) error
}

// scan reads columns and the clock.
func scan(row scanner) (enroll.Token, error) {
	var (
		t                     enroll.Token
		hash, key             []byte
		created, expires, now int64
		bound, revoked        sql.NullInt64
		boundTo               sql.NullString
	)
	err := row.Scan(&t.ID, &hash, &t.Policy, &t.Identifier, &t.UDID, &t.Client, &created, &expires, &bound, &key, &boundTo, &revoked, &now)
	if err != nil {
		return enroll.Token{}, err
	}
	// Fail closed: a key that was cut would be that of nobody, or of another device.
	if len(hash) != len(t.Hash) || bound.Valid && len(key) != len(t.Key) {
		return enroll.Token{}, errors.New("a token has a hash of the wrong length")
	}
	copy(t.Hash[:], hash)
	copy(t.Key[:], key)
	t.Created, t.Expires, t.Now, t.BoundTo = timeOf(created), timeOf(expires), timeOf(now), boundTo.String
	if bound.Valid {
		t.Bound = timeOf(bound.Int64)
	}
	if revoked.Valid {
		t.Revoked = timeOf(revoked.Int64)
	}
	return t, nil
}

func timeOf(microseconds int64) time.Time { return time.UnixMicro(microseconds).UTC() }

// orNull is NULL where there is no text: indexes leave it out.
func orNull(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

// Insert implements enroll.Store. The live tokens of a device are counted and added to under a lock, so that several that are
// issued at the same time are not too many.
func (d *DB) Insert(ctx context.Context, t enroll.Token, lifetime time.Duration) (inserted enroll.Token, err error) {
	identifier, udid := enroll.FoldIdentifier(t.Identifier), enroll.FoldUDID(t.UDID)
	if t.Identifier != "" && identifier == "" {
		return enroll.Token{}, errors.New("the token has an identifier that is none") // it would not count
	}
	err = d.transaction(ctx, func(ctx context.Context, q querier) error {
		if err := d.lockDevice(ctx, q, identifier, udid); err != nil {
			return err
		}
		if err := d.wantRoom(ctx, q, "identifier_key", identifier); err != nil {
			return err
		}
		if err := d.wantRoom(ctx, q, "udid_key", udid); err != nil {
			return err
		}
		var err error
		inserted, err = scan(q.QueryRowContext(ctx,
			"INSERT INTO tokens (id, hash, policy, identifier, identifier_key, udid, udid_key, client, created_at, expires_at, keep_until)"+
				" SELECT $1, $2, $3, $4, $5, $6, $7, $8, c.now, c.now + $9, c.now + $10 FROM (SELECT "+d.dialect.now()+" AS now) c"+
				" RETURNING "+columns+", created_at",
			t.ID, t.Hash[:], t.Policy, t.Identifier, orNull(identifier), t.UDID, orNull(udid), t.Client, lifetime.Microseconds(), (lifetime + enroll.Kept).Microseconds()))
		return err
	})
	if err != nil {
		return enroll.Token{}, err
	}
	return inserted, nil
}

// lockDevice lets other replicas wait that issue tokens for the same identifier or UDID, until the transaction ends. In SQLite
// the transaction itself is alone.
func (d *DB) lockDevice(ctx context.Context, q querier, identifier, udid string) error {
	if d.url.IsSQLite() {
		return nil
	}
	var numbers []int64
	if identifier != "" {
		numbers = append(numbers, lockNumber("identifier", identifier))
	}
	if udid != "" {
		numbers = append(numbers, lockNumber("udid", udid))
	}
	slices.Sort(numbers) // two that take the same locks do not wait for each other
	for _, n := range numbers {
		if _, err := q.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", n); err != nil {
			return err
		}
	}
	return nil
}

// lockNumber is that of an advisory lock. Other programs may use the database, and two of ours that are the same by accident
// only wait.
func lockNumber(kind, name string) int64 {
	sum := sha256.Sum256([]byte("step-posture-connector\x00" + kind + "\x00" + name))
	return int64(binary.BigEndian.Uint64(sum[:])) //nolint:gosec // G115: any number will do
}

// wantRoom returns ErrTooMany where a device has as many live tokens as it may have.
func (d *DB) wantRoom(ctx context.Context, q querier, column, key string) error {
	if key == "" {
		return nil
	}
	live := 0
	err := q.QueryRowContext(ctx, "SELECT COUNT(*) FROM tokens WHERE "+column+" = $1 AND expires_at > (SELECT "+d.dialect.now()+") AND bound_at IS NULL AND revoked_at IS NULL", key).Scan(&live)
	if err == nil && live >= enroll.MaxLive {
		return enroll.ErrTooMany
	}
	return err
}

// Find implements enroll.Store.
func (d *DB) Find(ctx context.Context, h enroll.Hash) (found enroll.Token, err error) {
	err = d.read(ctx, func(ctx context.Context, q querier) (err error) {
		found, err = d.find(ctx, q, h)
		return err
	})
	return found, err
}

func (d *DB) find(ctx context.Context, q querier, h enroll.Hash) (enroll.Token, error) {
	t, err := scan(q.QueryRowContext(ctx, "SELECT "+columns+", "+d.dialect.now()+" FROM tokens WHERE hash = $1", h[:]))
	if errors.Is(err, sql.ErrNoRows) {
		err = enroll.ErrUnknown
	}
	return t, err
}

// Bind implements enroll.Store. One statement finds the token live and binds it. Of several, each waits for the one before, and
// then finds the token bound.
func (d *DB) Bind(ctx context.Context, h enroll.Hash, key enroll.Key, identifier string) (bound enroll.Token, err error) {
	err = d.write(ctx, func(ctx context.Context, q querier) error {
		now := d.dialect.now()
		var err error
		bound, err = scan(q.QueryRowContext(ctx,
			"UPDATE tokens SET bound_at = "+now+", key = $2, bound_to = $3, bound_to_key = $4, keep_until = "+d.dialect.greatest+"(expires_at, "+now+" + $5) + $6"+
				" WHERE hash = $1 AND bound_at IS NULL AND revoked_at IS NULL AND expires_at > "+now+" RETURNING "+columns+", "+now,
			h[:], key[:], identifier, orNull(enroll.FoldIdentifier(identifier)), enroll.KeyLifetime.Microseconds(), enroll.Kept.Microseconds()))
		if errors.Is(err, sql.ErrNoRows) {
			bound, err = d.find(ctx, q, h)
		}
		return err
	})
	if err != nil {
		return enroll.Token{}, err
	}
	return bound, nil
}

// Bound implements enroll.Store.
func (d *DB) Bound(ctx context.Context, policy string, key enroll.Key) (tokens []enroll.Token, err error) {
	err = d.read(ctx, func(ctx context.Context, q querier) error {
		tokens, err = d.bound(ctx, q, policy, key)
		return err
	})
	return tokens, err
}

// The orders of lists. By the first the index of the times is read from its end. The second keeps SQLite from that where few
// tokens meet the condition: it would read all tokens of a policy for the order's sake.
const (
	byTime      = "created_at DESC, id DESC"
	few         = "created_at + 0 DESC, id DESC"
	policyOfFew = "policy || ''"
)

func (d *DB) bound(ctx context.Context, q querier, policy string, key enroll.Key) ([]enroll.Token, error) {
	return d.newest(ctx, q, "policy = $1 AND key = $2", few, enroll.MaxListed, policy, key[:])
}

// newest are the tokens that meet a condition, the newest first.
func (d *DB) newest(ctx context.Context, q querier, condition, order string, most int, arguments ...any) ([]enroll.Token, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+columns+", "+d.dialect.now()+" FROM tokens WHERE "+condition+" ORDER BY "+order+" LIMIT "+strconv.Itoa(most), arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tokens []enroll.Token
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	return tokens, rows.Err()
}

// List implements enroll.Store.
func (d *DB) List(ctx context.Context, f enroll.Filter) (tokens []enroll.Token, more bool, err error) {
	err = d.read(ctx, func(ctx context.Context, q querier) error {
		tokens, err = d.list(ctx, q, f)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(tokens) > enroll.MaxListed {
		return tokens[:enroll.MaxListed], true, nil
	}
	return tokens, false, nil
}

// list is one more than MaxListed tokens at most.
func (d *DB) list(ctx context.Context, q querier, f enroll.Filter) ([]enroll.Token, error) {
	const most = enroll.MaxListed + 1
	switch {
	case f.Identifier != "":
		condition, arguments := inPolicies(policyOfFew, f.Policies, []any{f.Identifier})
		return d.newest(ctx, q, "(identifier_key = $1 OR bound_to_key = $1) AND "+condition, few, most, arguments...)
	case f.Policies == nil:
		return d.newest(ctx, q, "1 = 1", byTime, most)
	}
	// Each policy is asked for by itself: the tokens of another one, in millions, need not be read then.
	var tokens []enroll.Token
	for _, policy := range slices.Compact(slices.Sorted(slices.Values(f.Policies))) {
		some, err := d.newest(ctx, q, "policy = $1", byTime, most, policy)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, some...)
		slices.SortFunc(tokens, func(a, b enroll.Token) int {
			return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
		})
		tokens = tokens[:min(len(tokens), most)]
	}
	return tokens, nil
}

// inPolicies is the condition that a column is one of these; nil means all. It adds to the arguments.
func inPolicies(column string, policies []string, arguments []any) (string, []any) {
	if policies == nil {
		return "1 = 1", arguments
	}
	places := []string{"NULL"} // an empty list is no SQL
	for _, policy := range policies {
		arguments = append(arguments, policy)
		places = append(places, fmt.Sprintf("$%d", len(arguments)))
	}
	return column + " IN (" + strings.Join(places, ", ") + ")", arguments
}

// Revoke implements enroll.Store.
func (d *DB) Revoke(ctx context.Context, id string, policies []string) error {
	condition, arguments := inPolicies("policy", policies, []any{id})
	return d.write(ctx, func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, "UPDATE tokens SET revoked_at = COALESCE(revoked_at, "+d.dialect.now()+") WHERE id = $1 AND "+condition, arguments...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, enroll.ErrUnknown)
		}
		return nil
	})
}
