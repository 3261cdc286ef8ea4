package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func chained(t *testing.T) (*Trail, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail, b, err := OpenChain(path, make([]byte, 32), func(text string) { t.Errorf("a warning: %s", text) })
	if err != nil || b.Err != nil || b.Started != startNew {
		t.Fatal(b, err)
	}
	t.Cleanup(func() { _ = trail.Close() })
	return trail, path
}

// events are the events of the lines of a file, "" for a decision; each line must follow the one before.
func events(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sealer, last := NewSealer(make([]byte, 32)), Link{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		link, isChained, isIntact := sealer.Verify([]byte(line))
		if !isChained {
			all = append(all, "?")
			continue
		}
		if !isIntact || link.Number != last.Number+1 || link.Previous != last.MAC {
			t.Errorf("line %d does not follow: %s", len(all)+1, line)
		}
		last = link
		e, _ := ReadChainEvent([]byte(line))
		all = append(all, e.Event)
	}
	return all
}

// Lines that a file system which hangs does not take are counted in the next line that it takes.
func TestChainStalls(t *testing.T) {
	t.Parallel()
	trail, path := chained(t)
	e := &Event{Reference: "7F3K9Q2M", Time: time.Now(), Allowed: true, Left: time.Millisecond}
	_ = trail.acquire(stall) // as a write that hangs
	const many = 3
	for range many {
		if err := trail.Append(e); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Append = %v, want a timeout", err)
		}
	}
	if _, err := trail.Head(); err == nil {
		t.Error("Head does not say that it waits for a write")
	}
	trail.release()
	if err := trail.Append(e); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(events(t, path), ","); got != "chain_start,lost," {
		t.Errorf("the lines are %s", got)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `,"event":"lost","lost":3,"chain":"`) {
		t.Errorf("the file has %s, %v", text, err)
	}
}

// What was lost last is in the file at the end too.
func TestChainEndsWithWhatWasLost(t *testing.T) {
	t.Parallel()
	trail, path := chained(t)
	trail.chain.lost.Add(2)
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(events(t, path), ","); got != "chain_start,lost" {
		t.Errorf("the lines are %s", got)
	}
}

// A file whose part of a line cannot be removed, as one that can only be appended to: the parts are closed, and the chain goes on.
// The MAC of a line that was not written is not that of the line before.
func TestPartsThatStay(t *testing.T) {
	t.Parallel()
	trail, path := chained(t)
	e := &Event{Reference: "7F3K9Q2M", Time: time.Now(), Allowed: true}
	if err := trail.Append(e); err != nil {
		t.Fatal(err)
	}
	whole := trail.file
	for _, parts := range [][]string{{`{"time":"20`}, {`{"t`, "\n", "\n{\"time\":\"2026"}, {`{"time"`, "\n{"}} {
		for _, part := range parts {
			if _, err := whole.WriteString(part); err != nil {
				t.Fatal(err)
			}
			// Another descriptor, which cannot shorten the file.
			onlyRead, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			trail.file = onlyRead
			trail.leave([]byte(part))
			trail.file = whole
			_ = onlyRead.Close()
		}
		if err := trail.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(events(t, path), ","); got != "chain_start,,?,torn,,?,?,?,torn,,?,?,torn," {
		t.Errorf("the lines are %s", got)
	}
}

// What is no line of a chain is none, whatever stands around it.
func TestVerifyLine(t *testing.T) {
	t.Parallel()
	trail, path := chained(t)
	if err := trail.Append(&Event{Reference: "7F3K9Q2M", Time: time.Now(), Allowed: true}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(string(text[strings.IndexByte(string(text), '\n')+1:]), "\n")
	sealer := NewSealer(make([]byte, 32))
	link, isChained, isIntact := sealer.Verify([]byte(line))
	if !isChained || !isIntact || link.Number != 2 || link != trail.chain.last {
		t.Fatalf("the line is %+v, %v, %v", link, isChained, isIntact)
	}
	if again, err := ParseHead(link.Head().String()); err != nil || again != link.Head() {
		t.Errorf("ParseHead(%s) = %v, %v", link.Head(), again, err)
	}
	for i := range line {
		changed := []byte(line)
		for _, with := range []byte{changed[i] ^ 1, changed[i] ^ 0x20, ' ', 0} {
			if changed[i] = with; with == line[i] {
				continue
			}
			if _, _, isIntact := sealer.Verify(changed); isIntact {
				t.Fatalf("intact with %q in place of %q at %d", with, line[i], i)
			}
		}
		if _, _, isIntact := sealer.Verify([]byte(line[:i] + line[i+1:])); isIntact {
			t.Fatalf("intact without byte %d", i)
		}
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	mac := strings.Repeat("0f", 32)
	for _, text := range []string{"", "1", ":" + mac, "0:" + mac, "01:" + mac, "+1:" + mac, "-1:" + mac, "1:" + strings.ToUpper(mac), "1:" + mac[1:], "1:" + mac + "0", "1 :" + mac, "99999999999999999999:" + mac} {
		if head, err := ParseHead(text); err == nil {
			t.Errorf("ParseHead(%q) = %v, want an error", text, head)
		}
	}
}

func BenchmarkAppendChained(b *testing.B) {
	trail, _, err := OpenChain(filepath.Join(b.TempDir(), "audit.jsonl"), make([]byte, 32), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer trail.Close()
	e := &Event{Reference: "7F3K9Q2M", Time: time.Now(), Allowed: true, Reason: "in the inventory", Identifier: "C02XK1JKLVCG"}
	b.ReportAllocs()
	for b.Loop() {
		if err := trail.Append(e); err != nil {
			b.Fatal(err)
		}
	}
}
