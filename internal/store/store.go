package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/enroll"
)

// DB is the state database. It implements enroll.Store, and is safe for concurrent use.
type DB struct {
	url     URL
	pool    *sql.DB
	dialect dialect
	daemon  bool          // migrates
	writer  chan struct{} // SQLite: has room for the one that writes. SQLite itself would let others wait without order
	lock    *os.File      // SQLite, daemon
	file    os.FileInfo   // SQLite: the file that was opened

	noRoom     atomic.Bool // something could not be written, and nothing was since that Ready has tried
	mu         sync.Mutex
	purgeFault error // of the last purge
}

// ErrPurge says that the database answers, and that tokens that are no longer kept cannot be deleted.
var ErrPurge = errors.New("old tokens cannot be deleted")

var _ enroll.Store = (*DB)(nil)

// OpenDaemon opens the state for the daemon. A SQLite file is created where it is missing, locked against a second daemon and
// migrated; what prevents this is an error. A PostgreSQL that does not answer is none: it is migrated when it does, see Ready.
func OpenDaemon(ctx context.Context, u URL) (*DB, error) {
	if !u.IsSQLite() {
		d, err := open(ctx, u, "", true)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, operationTimeout)
		defer cancel()
		_ = d.Ready(ctx) // Run asks again
		return d, nil
	}
	path, err := resolve(u.path)
	if err != nil {
		return nil, u.about(err)
	}
	lock, err := prepareFile(path)
	if err != nil {
		return nil, u.about(err)
	}
	d, err := openFile(ctx, u, path)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	d.lock = lock
	if err := d.Ready(ctx); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// openFile opens a SQLite file for the daemon that has locked it.
func openFile(ctx context.Context, u URL, path string) (*DB, error) {
	if err := wantOwnFile(ctx, u, path); err != nil {
		return nil, err
	}
	if err := protectFile(path); err != nil {
		return nil, u.about(err)
	}
	return open(ctx, u, path, true)
}

// OpenCommand opens the state for a command beside the daemon. It creates, migrates and locks nothing: a file that root has made
// would lock the daemon out. The error says where the database does not exist yet, or does not answer.
func OpenCommand(ctx context.Context, u URL) (*DB, error) {
	path := ""
	if u.IsSQLite() {
		var err error
		if path, err = resolve(u.path); err == nil {
			_, err = os.Stat(path)
		}
		if errors.Is(err, os.ErrNotExist) {
			err = ErrMissing
		}
		if err != nil {
			return nil, u.about(err)
		}
	}
	d, err := open(ctx, u, path, false)
	if err != nil {
		return nil, err
	}
	if err := d.Ready(ctx); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// open makes the pool. Path is that of the SQLite file.
func open(ctx context.Context, u URL, path string, daemon bool) (*DB, error) {
	d := &DB{url: u, daemon: daemon, dialect: postgreSQL()}
	var (
		connector driver.Connector
		err       error
	)
	if u.IsSQLite() {
		d.dialect, d.writer = sqlite(), make(chan struct{}, 1)
		if d.file, err = os.Stat(path); err == nil {
			connector, err = sqliteConnector(path, daemon)
		}
	} else {
		connector, err = u.postgresConnector()
	}
	if err != nil {
		return nil, d.fault(ctx, err)
	}
	d.pool = sql.OpenDB(connector)
	d.pool.SetMaxOpenConns(maxConnections)
	d.pool.SetMaxIdleConns(maxConnections)
	if !u.IsSQLite() {
		d.pool.SetConnMaxLifetime(connectionAge)
		d.pool.SetConnMaxIdleTime(connectionIdle)
	}
	return d, nil
}

// Close closes all connections, and gives the lock up.
func (d *DB) Close() error {
	err := d.pool.Close()
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// Run asks until ctx ends whether the database answers, and hands each outcome to notify: nil means that it does, and
// ErrPurge that it does too. It deletes the tokens that are no longer kept.
func (d *DB) Run(ctx context.Context, notify func(error)) {
	var purge sync.WaitGroup
	defer purge.Wait()
	purge.Go(func() { d.purgeOften(ctx) })
	for {
		err := d.Ready(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			d.mu.Lock()
			if d.purgeFault != nil {
				err = fmt.Errorf("%w: %w", ErrPurge, d.purgeFault)
			}
			d.mu.Unlock()
		}
		notify(err)
		if !wait(ctx, readyEvery) {
			return
		}
	}
}

// wait reports whether the time has passed before ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// querier is the pool, or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, statement string, arguments ...any) *sql.Row
	QueryContext(ctx context.Context, statement string, arguments ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, statement string, arguments ...any) (sql.Result, error)
}

type work func(ctx context.Context, q querier) error

// limited runs an operation within its time limit. One that may be repeated is tried again where the connection was lost. The
// error is a *fault, or one of package enroll.
func (d *DB) limited(ctx context.Context, times int, operation func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err := operation(ctx)
		if err == nil || errors.Is(err, enroll.ErrUnknown) || errors.Is(err, enroll.ErrTooMany) {
			return err
		}
		f := d.fault(ctx, err)
		if f.class == full || f.class == cannotBeOpened {
			d.noRoom.Store(true)
		}
		if f.class != lost || try >= times || ctx.Err() != nil {
			return f
		}
	}
}

// read runs statements that change nothing.
func (d *DB) read(ctx context.Context, do work) error {
	return d.limited(ctx, attempts, func(ctx context.Context) error { return cmp.Or(d.wantSameFile(), do(ctx, d.pool)) })
}

// write runs one statement that changes something, and may be repeated. In SQLite it needs a transaction: there a statement that
// returns rows is complete, and on the disk, only after its last row, and its error would be lost.
func (d *DB) write(ctx context.Context, do work) error {
	if d.url.IsSQLite() {
		return d.transaction(ctx, do)
	}
	return d.read(ctx, do)
}

// transaction runs statements that all count, or none does. It is not repeated.
func (d *DB) transaction(ctx context.Context, do work) error {
	return d.limited(ctx, 1, func(ctx context.Context) error { return d.inTransaction(ctx, do) })
}

func (d *DB) inTransaction(ctx context.Context, do work) error {
	if d.writer != nil {
		select {
		case d.writer <- struct{}{}:
			defer func() { <-d.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	tx, err := d.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after Commit
	if err := do(ctx, tx); err != nil {
		return err
	}
	// As late as can be: what a file has that was replaced is gone after a restart, and a token redeemed there would be live again.
	if err := d.wantSameFile(); err != nil {
		return err
	}
	return tx.Commit()
}
