package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// The load during a reload, and its goals.
const (
	reloadRate       = 300.0
	reloadGoal       = 3.0 // p99 during to p99 without
	reloadMemoryGoal = 1.1 // after to before
)

const (
	reloadLimit = 60 * time.Second // for one reload
	lastReload  = time.Second      // before the end of a window; later none is begun
	settleEvery = time.Second
)

// reloading replaces a large inventory under load, again and again.
func (b *bench) reloading(ctx context.Context) error {
	first, err := b.folder.inventory(formatCSV, b.scale.large)
	if err != nil {
		return err
	}
	second, err := b.folder.inventory(formatCSV, b.scale.large+1)
	if err != nil {
		return err
	}
	inUse := inventory{b.folder.file("reloaded.csv"), formatCSV, b.scale.large}
	if err := os.Link(first.path, inUse.path); err != nil {
		return fmt.Errorf("put the inventory in place: %w", err)
	}
	t, err := b.daemon(ctx, inUse, false)
	if err != nil {
		return err
	}
	k, err := b.keepAlive(ctx, t, pool)
	if err != nil {
		return err
	}
	defer k.close()
	r := &replacing{path: inUse.path, next: []string{second.path, first.path}, log: logWatch{path: t.log}}
	var before memory
	var without, during []float64
	for n := range b.scale.reloadWindows + 1 { // the first is to warm up
		b.say("reload under load: window %d of %d", n, b.scale.reloadWindows)
		quiet, err := b.slice(ctx, t, k, reloadRate, b.scale.reloadWindow)
		if err != nil {
			return err
		}
		if n == 0 {
			if before, err = t.memory(); err != nil {
				return err
			}
			continue
		}
		busy, err := b.sliceWith(ctx, t, k, r)
		if err != nil {
			return err
		}
		without = append(without, percentile(latencies(quiet), 99))
		during = append(during, percentile(latencies(busy), 99))
	}
	after, err := b.settled(ctx, t, before.now)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("reload of %s at %s requests a second, %d times, ", devices(b.scale.large), short(reloadRate), r.count)
	b.rows = append(b.rows,
		compared(what+"p99 meanwhile", median(without), median(during), millis, reloadGoal, "p99 without"),
		compared(what+"memory afterwards", before.now, after, mebibytes, reloadMemoryGoal, "memory before"))
	return b.end(t.process)
}

// sliceWith sends requests at a constant rate while the inventory is replaced one time after the other.
func (b *bench) sliceWith(ctx context.Context, t *target, k keepAlive, r *replacing) ([]sent, error) {
	replaced := make(chan error, 1)
	began := time.Now()
	go func() {
		for {
			if err := r.once(ctx); err != nil || time.Since(began) > b.scale.reloadWindow-lastReload {
				replaced <- err
				return
			}
		}
	}()
	all, err := b.slice(ctx, t, k, reloadRate, b.scale.reloadWindow)
	return all, errors.Join(err, <-replaced)
}

// settled waits until the runtime has had time to return unused memory, then measures the memory.
func (b *bench) settled(ctx context.Context, t *target, before float64) (float64, error) {
	var after float64
	for spent := time.Duration(0); spent < b.scale.settle; spent += settleEvery {
		if err := pause(ctx, settleEvery); err != nil {
			return 0, err
		}
		m, err := t.memory()
		if err != nil {
			return 0, err
		}
		if after = m.now; after <= before {
			break
		}
	}
	return after, nil
}

// replacing puts one inventory after the other in place of the one in use.
type replacing struct {
	path  string
	next  []string // in turn
	count int
	log   logWatch
}

// once replaces the inventory and returns when the daemon says that it has it.
func (r *replacing) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	arriving := r.path + ".new"
	if err := os.Link(r.next[r.count%len(r.next)], arriving); err != nil {
		return fmt.Errorf("replace the inventory: %w", err)
	}
	if err := os.Rename(arriving, r.path); err != nil {
		return fmt.Errorf("replace the inventory: %w", err)
	}
	r.count++
	for {
		seen, err := r.log.read()
		switch {
		case err != nil:
			return err
		case bytes.Contains(seen, []byte("reload failed")):
			return errors.New("the daemon refuses the inventory")
		case bytes.Contains(seen, []byte("reloaded: ")):
			return nil
		}
		if err := pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("wait for a reload: %w", err)
		}
	}
}

// logWatch reads a log as it grows.
type logWatch struct {
	path   string
	offset int64
}

// read returns the whole lines that have come since it was last called.
func (l *logWatch) read() ([]byte, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(l.offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	l.offset += int64(len(text))
	return text, nil
}
