package sqlquery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
)

// Provider asks a database.
type Provider struct {
	dialect  parser
	database database
	queries  queries
	timeout  time.Duration
	names    *vocabulary
	now      func() time.Time

	// derived is the lookup in the list, as soon as the columns of the list are known.
	derived atomic.Pointer[statement]

	mu     sync.Mutex
	pool   *sql.DB
	opened os.FileInfo // the SQLite file that pool reads
	closed bool
}

// Open makes the provider. It does not contact the database; Check does.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	return p, p.database.warnings(), nil
}

// New makes the provider, as Open does.
func New(c Config) (*Provider, error) {
	if problems := c.Problems(); len(problems) > 0 {
		return nil, problems
	}
	database, err := c.database()
	if err != nil {
		return nil, config.Problems{{Variable: dsnVariable, Text: err.Error(), Accepted: "the address of a database"}}
	}
	q, problems := c.queries()
	if len(problems) > 0 {
		return nil, problems
	}
	return &Provider{dialect: c.dialect(), database: database, queries: q, timeout: c.Timeout.Seconds(), names: newVocabulary(), now: time.Now}, nil
}

// Returns says which data about devices go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string { return "no data is returned" }

// Close closes the connections. Queries that run end first.
func (p *Provider) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.pool != nil {
		_ = p.pool.Close()
		p.pool = nil
	}
}

var errClosed = errors.New("the inventory was closed")

// connections returns the pool. A SQLite file that was replaced is opened again: the old one, which has no name any more,
// would go on answering.
func (p *Provider) connections() (*sql.DB, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if file, is := p.database.(sqliteDatabase); is {
		now, err := os.Stat(file.path)
		if err != nil || !now.Mode().IsRegular() {
			return nil, &Fault{place: p.database.place(), class: unreachable}
		}
		if p.pool != nil && !os.SameFile(now, p.opened) {
			_ = p.pool.Close() // returns at once; queries that run go on to their end
			p.pool = nil
		}
		p.opened = now
	}
	if p.pool == nil {
		connector, err := p.database.connector()
		if err != nil {
			return nil, &Fault{place: p.database.place(), class: other}
		}
		p.pool = sql.OpenDB(connector)
		p.pool.SetMaxOpenConns(maxConnections)
		p.pool.SetMaxIdleConns(maxConnections)
		p.pool.SetConnMaxLifetime(connectionAge)
		p.pool.SetConnMaxIdleTime(connectionIdle)
	}
	return p.pool, nil
}

// read runs work in a transaction that only reads, and that the server ends after the time limit. Errors of work are
// returned as they are.
func (p *Provider) read(ctx context.Context, limit time.Duration, work func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pool, err := p.connections()
	if err != nil {
		return err
	}
	tx, end, err := p.database.begin(ctx, pool)
	if err != nil {
		return p.fault(ctx, err)
	}
	defer end()
	if ends, some := ctx.Deadline(); some {
		limit = min(limit, time.Until(ends))
	}
	if err := p.dialect.limit(ctx, tx, limit); err != nil {
		return p.fault(ctx, err)
	}
	return work(ctx, tx)
}

// Lookup implements posture.Provider.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	if q.Identifier.Key() == "" {
		return posture.Device{}, fmt.Errorf("%w: it is empty", posture.ErrIdentifier)
	}
	var found posture.Device
	var err error
	for range attempts {
		err = p.read(ctx, p.timeout, func(ctx context.Context, tx *sql.Tx) error {
			var err error
			found, err = p.find(ctx, tx, q)
			return err
		})
		// Nothing was written, so the same may be asked again: a fail-over ends all connections.
		if !isLost(err) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return posture.Device{}, err
	}
	return found, nil
}

// find looks a device up.
func (p *Provider) find(ctx context.Context, tx *sql.Tx, q posture.Query) (posture.Device, error) {
	s, err := p.lookupStatement(ctx, tx)
	if err != nil {
		return posture.Device{}, err
	}
	rows, err := tx.QueryContext(ctx, s.text, p.dialect.arguments(s, q.Identifier.String())...)
	if err != nil {
		p.derived.Store(nil) // a view may have changed
		return posture.Device{}, p.fault(ctx, err)
	}
	defer rows.Close()
	r, err := p.reader(rows)
	if err != nil {
		return posture.Device{}, err
	}
	return r.one(ctx, rows, q)
}

// lookupStatement is the query, or the lookup in the list.
func (p *Provider) lookupStatement(ctx context.Context, tx *sql.Tx) (statement, error) {
	if p.queries.lookup.isSet() {
		return p.queries.lookup, nil
	}
	if s := p.derived.Load(); s != nil {
		return *s, nil
	}
	// The columns of a list are known without a row.
	r, err := p.columnsOf(ctx, tx, p.headOf(p.queries.list))
	if err != nil {
		return statement{}, err
	}
	s := p.dialect.derived(p.queries.list, r.columns[r.identifier].name)
	p.derived.Store(&s)
	return s, nil
}
