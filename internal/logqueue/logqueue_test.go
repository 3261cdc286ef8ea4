package logqueue_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/logqueue"
)

const patience = time.Minute // how long a test waits for an event

// pipe returns a Queue that writes to a pipe, and the end of the pipe that the test may read.
func pipe(t *testing.T) (*logqueue.Queue, *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	q := logqueue.New(writer)
	t.Cleanup(func() {
		_ = reader.Close() // ends a write that is stuck
		_ = q.Close(patience)
		_ = writer.Close()
	})
	return q, reader
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s without success: %s", patience, what)
		}
	}
}

// Ten thousand lines a second into a file: none is lost, and those of one writer keep their order.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	const writers, batches, lines = 4, 100, 50 // a batch each 20 ms
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	q := logqueue.New(file)
	filler := strings.Repeat("x", 600)
	var working sync.WaitGroup
	for w := range writers {
		working.Go(func() {
			for i := range batches * lines {
				if i%lines == 0 {
					time.Sleep(20 * time.Millisecond)
				}
				_, _ = fmt.Fprintf(q, "%d %d %s\n", w, i, filler)
			}
		})
	}
	working.Wait()
	if err := q.Close(patience); err != nil || q.Dropped() != 0 || q.Err() != nil {
		t.Errorf("Close() = %v, %d lines were dropped, Err() = %v", err, q.Dropped(), q.Err())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	next := [writers]int{}
	for line := range strings.Lines(string(text)) {
		w := int(line[0] - '0')
		if w >= writers || line != fmt.Sprintf("%d %d %s\n", w, next[w], filler) {
			t.Fatalf("got the line %.50q, want the next of a writer", line)
		}
		next[w]++
	}
	for w, n := range next {
		if n != batches*lines {
			t.Errorf("the file has %d lines of writer %d, want %d", n, w, batches*lines)
		}
	}
}

// A reader that hangs stops no writer. When it reads again, it gets the lines before the loss, then one with the number
// of lost lines, then those after it.
func TestReaderHangs(t *testing.T) {
	t.Parallel()
	q, reader := pipe(t)
	if _, err := io.WriteString(q, "0\n"); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1000) + "\n"
	written := 1
	for ; q.Dropped() < 100; written++ {
		_, _ = io.WriteString(q, line)
	}
	if written > 20_000 {
		t.Errorf("%d lines of 1 kB were accepted, want the memory to be bounded", written)
	}
	eventually(t, "it is reported as stuck", func() bool { return strings.Contains(fmt.Sprint(q.Err()), "a write has not ended") })
	lost := q.Dropped()

	lines := bufio.NewScanner(reader)
	for i := range written - int(lost) {
		if want := strings.TrimSpace(line); !lines.Scan() || i > 0 && lines.Text() != want {
			t.Fatalf("got the line %.20q, want one that was written before the loss", lines.Text())
		}
	}
	if want := fmt.Sprintf("%d lines of the log were lost", lost); !lines.Scan() || lines.Text() != want {
		t.Errorf("got the line %.50q, want %q", lines.Text(), want)
	}
	eventually(t, "no error is left", func() bool { return q.Err() == nil })
	_, _ = io.WriteString(q, "after\n")
	if !lines.Scan() || lines.Text() != "after" {
		t.Errorf("got the line %.50q, want the one after the loss", lines.Text())
	}
}

// A reader that hangs does not keep the program from exiting.
func TestCloseWhileTheReaderHangs(t *testing.T) {
	t.Parallel()
	q, _ := pipe(t)
	for range 100 {
		_, _ = io.WriteString(q, strings.Repeat("x", 10_000)+"\n")
	}
	if err := q.Close(10 * time.Millisecond); err == nil {
		t.Error("Close() = nil, want an error: lines are still waiting")
	}
	if _, err := io.WriteString(q, "after\n"); err != nil || q.Dropped() != 1 {
		t.Errorf("a line after the end: %v, %d lines were dropped, want 1", err, q.Dropped())
	}
}

// disk fails while it is full, after it has taken a part of what is written.
type disk struct {
	mu   sync.Mutex
	text bytes.Buffer
	full bool
	part int
}

func (d *disk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		n := min(d.part, len(p))
		d.part -= n
		d.text.Write(p[:n])
		return n, errors.New("no space left on device")
	}
	return d.text.Write(p)
}

func (d *disk) set(full bool, part int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.part = full, part
}

func (d *disk) holds() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// Lines that cannot be written are counted and reported, and the next line begins a line of its own.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	d := &disk{}
	q := logqueue.New(d)
	_, _ = io.WriteString(q, "one\n")
	eventually(t, "the first line is written", func() bool { return d.holds() == "one\n" })
	d.set(true, 2)
	for i := range 3 {
		_, _ = io.WriteString(q, "two\n")
		eventually(t, "it is counted", func() bool { return q.Dropped() == uint64(i)+1 })
	}
	eventually(t, "the reason is reported", func() bool { return strings.HasSuffix(fmt.Sprint(q.Err()), "lines were lost: no space left on device") })
	d.set(false, 0)
	_, _ = io.WriteString(q, "three\n") // is reported as lost too, or is written just after the report
	eventually(t, "no error is left", func() bool { return q.Err() == nil })
	_, _ = io.WriteString(q, "four\n")
	if err := q.Close(patience); err != nil {
		t.Error(err)
	}
	got := strings.Replace(d.holds(), "three\n", "", 1)
	if want := fmt.Sprintf("one\ntw\n%d lines of the log were lost\nfour\n", q.Dropped()); got != want {
		t.Errorf("written is %q, want %q", got, want)
	}
}

// Concurrent lines are written to a pipe in pieces that do not mix with what other programs write to it.
func TestPieces(t *testing.T) {
	t.Parallel()
	var sizes []int
	var first sync.Once
	hold := make(chan struct{})
	out := writerFunc(func(p []byte) (int, error) {
		first.Do(func() { <-hold })
		sizes = append(sizes, len(p))
		if p[len(p)-1] != '\n' {
			t.Errorf("a write ends within a line")
		}
		return len(p), nil
	})
	q := logqueue.New(out)
	_, _ = io.WriteString(q, "first\n")
	for range 100 {
		_, _ = io.WriteString(q, strings.Repeat("x", 500)+"\n")
	}
	_, _ = io.WriteString(q, strings.Repeat("y", 9000)+"\n")
	close(hold)
	if err := q.Close(patience); err != nil {
		t.Fatal(err)
	}
	if len(sizes) > 30 {
		t.Errorf("102 lines were written by %d writes", len(sizes))
	}
	for i, size := range sizes {
		if size > 4096 && size != 9001 {
			t.Errorf("write %d has %d bytes", i, size)
		}
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// At 50 lines a millisecond, as under load: how many writes a line costs.
func BenchmarkWrite(b *testing.B) {
	writes := 0
	q := logqueue.New(writerFunc(func(p []byte) (int, error) { writes++; return len(p), nil }))
	line := []byte(strings.Repeat("x", 350) + "\n")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = q.Write(line)
		if i%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if err := q.Close(patience); err != nil || q.Dropped() > 0 {
		b.Errorf("Close() = %v, %d lines were dropped", err, q.Dropped())
	}
	b.ReportMetric(float64(writes)/float64(b.N), "writes/op")
}
