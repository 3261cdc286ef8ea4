package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"step-posture-connector/internal/filesys"
)

// batch is some lines of one file, in their order.
type batch struct {
	file  string
	first int // the number of the first line
	text  []byte
	ends  []int         // of the lines in text
	done  chan []result // gets the outcomes once
}

// result is the outcome of the line with a number.
type result struct {
	outcome

	number int
}

// Run reads the audit logs at the paths, plain or compressed by gzip, and decides their lines again. The path "-" is stdin.
// It needs the memory for a few batches and for the devices of the report, however long the files are.
func (r *Replay) Run(ctx context.Context, paths []string, stdin io.Reader) (*Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	work := make(chan *batch, workers)
	ordered := make(chan *batch, workers)
	var errRead error
	for range workers {
		go func() {
			for b := range work {
				b.done <- r.decideAll(ctx, b)
			}
		}()
	}
	go func() {
		defer close(ordered)
		defer close(work)
		for _, path := range paths {
			err := readFile(ctx, path, stdin, func(b *batch) error {
				b.done = make(chan []result, 1)
				for _, to := range []chan *batch{ordered, work} {
					select {
					case to <- b:
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				return nil
			})
			if err != nil {
				errRead = fmt.Errorf("%s: %w", path, err)
				return
			}
		}
	}()
	collected := newCollector(r)
	for {
		select {
		case b, more := <-ordered:
			if more {
				collected.add(b.file, <-b.done)
				continue
			}
			if errRead != nil { // which was set before the channel was closed
				return nil, errRead
			}
			return collected.report()
		case <-ctx.Done():
			return nil, ctx.Err() // the reader may wait for a terminal
		}
	}
}

func (r *Replay) decideAll(ctx context.Context, b *batch) []result {
	results := make([]result, len(b.ends))
	begin := 0
	for i, end := range b.ends {
		number := b.first + i
		if text := bytes.TrimSuffix(b.text[begin:end], []byte("\n")); len(text) > 0 {
			results[i] = result{r.decide(ctx, text), number}
		} else {
			results[i] = result{outcome{kind: empty}, number}
		}
		begin = end
	}
	return results
}

// readFile passes the lines of a file to each, in batches.
func readFile(ctx context.Context, path string, stdin io.Reader, each func(*batch) error) error {
	from := stdin
	if path != "-" {
		file, err := os.Open(path) // a pipe too: of a shell that unpacks another form
		if err != nil {
			return filesys.Cause(err)
		}
		defer file.Close()
		from = file
	}
	lines := bufio.NewReaderSize(from, maxLine)
	if magic, _ := lines.Peek(len(gzipMagic)); string(magic) == gzipMagic {
		unpacked, err := gzip.NewReader(lines)
		if err != nil {
			return err
		}
		defer unpacked.Close()
		lines = bufio.NewReaderSize(unpacked, maxLine)
	}
	b := &batch{file: path, first: 1}
	for {
		line, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if long {
			line = []byte{notALine} // its end is read below
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
		}
		if len(line) > 0 {
			b.text = append(b.text, line...)
			b.ends = append(b.ends, len(b.text))
		}
		atEnd := errors.Is(err, io.EOF)
		if err != nil && !atEnd {
			return filesys.WithoutPath(err)
		}
		if len(b.text) >= maxBatch || len(b.ends) >= maxBatchLines || atEnd {
			if err := each(b); err != nil {
				return err
			}
			b = &batch{file: path, first: b.first + len(b.ends)}
		}
		if atEnd {
			return ctx.Err()
		}
	}
}

var errEmpty = errors.New("the audit log has no lines")

const (
	gzipMagic = "\x1f\x8b"
	// notALine stands for a line that is too long. It is no JSON, so that the line is counted as one that cannot be read.
	notALine = '!'
)
