package auditchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"step-posture-connector/internal/audit"
)

// Options say how the files are verified.
type Options struct {
	Key []byte // AUDIT_CHAIN_KEY
	// Heads are lines that the chains must have: a chain that was cut off behind one is found by it alone.
	Heads []audit.Head
	// After are lines whose successors may be the first ones of the files: older files were removed on purpose.
	After []audit.Head

	// Lines with one of these are kept.
	references map[string]bool
	publicKey  []byte // the member of a line
}

// ErrNoLines says that there was nothing to verify.
var ErrNoLines = errors.New("the files have no lines")

// Verify verifies the chains of the files at the paths, plain or compressed by gzip and in any order. The path "-" is stdin. The
// lines are verified by all processors, each by itself, and then compared with their neighbours. It needs the memory for a few
// blocks, however long the files are.
func Verify(ctx context.Context, o Options, paths []string, stdin io.Reader) (*Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan *block, runtime.GOMAXPROCS(0))
	defer close(work)
	for range cap(work) {
		go func() {
			sealer := audit.NewSealer(o.Key)
			for b := range work {
				b.done <- b.judge(sealer, &o)
			}
		}()
	}
	report := &Report{Chains: []Chain{}, Problems: []Problem{}, Notes: []Note{}}
	heads := map[audit.Head]bool{}
	for _, head := range o.Heads {
		heads[head] = false
	}
	var files []*file
	for _, path := range paths {
		f := newFile(report, path, heads)
		if err := f.verify(ctx, stdin, work); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		files = append(files, f)
	}
	if report.Lines == 0 && report.NotCovered == 0 && len(o.Heads) == 0 {
		return nil, ErrNoLines
	}
	report.join(files, o)
	report.compareHeads(files, o.Heads, heads)
	report.Intact = len(report.Problems) == 0
	return report, nil
}

// verify reads a file, and judges its lines while more are read.
func (f *file) verify(ctx context.Context, stdin io.Reader, work chan<- *block) error {
	from, closeAll, err := open(f.path, stdin)
	if err != nil {
		return err
	}
	defer closeAll()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ordered := make(chan *block, cap(work))
	ended := make(chan error, 1)
	go func() {
		defer close(ordered)
		ended <- read(ctx, from, func(b *block) error {
			b.done = make(chan []judged, 1)
			for _, to := range []chan<- *block{ordered, work} {
				select {
				case to <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err() // the reader may wait for a terminal
		case b, more := <-ordered:
			if !more {
				f.end()
				return <-ended
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case lines := <-b.done:
				for i := range lines {
					f.add(&lines[i])
				}
			}
		}
	}
}
