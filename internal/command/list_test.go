package command_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"step-posture-connector/internal/command"
)

func TestReadList(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list string
		want []string
		err  string
	}{
		"one a line":            {"C02A\nC02B\n", []string{"C02A", "C02B"}, ""},
		"no line end":           {"C02A\nC02B", []string{"C02A", "C02B"}, ""},
		"BOM, CRLF, spaces":     {"\ufeffC02A\r\n\r\n \t\r\n C02B \r\n", []string{"C02A", "C02B"}, ""},
		"comments":              {"# Macs\nC02A\n  # phones, \"too\n# \"x\nC02B\n", []string{"C02A"}, "line 3: a quotation mark begins"},
		"comments and commas":   {"# Macs\nC02A\n  # phones, too\n#,\nC02B\n", []string{"C02A", "C02B"}, ""},
		"identifiers any":       {"a b\n\xc3\xa4\nx\x00\n", []string{"a b", "\u00e4", "x\x00"}, ""},
		"CSV":                   {"Identifier,Name\nC02A,\"Ada, the\nfirst\"\nC02B,x,surplus\nC02C\n", []string{"C02A", "C02B", "C02C"}, ""},
		"CSV, one column":       {"\ufeff\"identifier\"\r\n\"C02A\"\r\n", []string{"C02A"}, ""},
		"CSV, empty identifier": {"Identifier,Name\nC02A,x\n\n ,y\nC02B,z\n", []string{"C02A"}, "line 4: the first column, with the identifier, is empty"},
		"another column":        {"Serial Number,Identifier\nC02A,x\n", nil, "line 1: 2 columns without the header; accepted: one identifier a line, or CSV with the header Identifier above the first column"},
		"a row in a list":       {"C02A\n#\nC02B,x\n", []string{"C02A"}, "line 3: 2 columns without the header; accepted: one identifier a line"},
		"semicolons":            {"Identifier;Name\nC02A;x\n", nil, "line 1: several columns, which commas do not separate; accepted: "},
		"tabs":                  {"Identifier\tName\n", nil, "line 1: several columns, which commas do not separate; accepted: "},
		"UTF-16":                {"\xff\xfeC\x000\x00\n\x00", nil, "line 1: it is UTF-16, or no text; save it as UTF-8"},
		"UTF-16, no BOM":        {"C\x000\x00\n\x00", nil, "line 1: it is UTF-16, or no text; save it as UTF-8"},
		"open quotation mark":   {"C02A\nC02B\n\"C02C\nC02D\n", []string{"C02A", "C02B"}, "line 3: a quotation mark begins or ends in the middle of a value, or has no end"},
		"empty":                 {"", nil, "it has no identifier; accepted: one identifier a line"},
		"only a header":         {"# x\nIdentifier,Name\n", nil, "it has no identifier; accepted: one identifier a line"},
		"no line ends":          {"C02A\n" + strings.Repeat("x", 3<<20), []string{"C02A"}, "line 2: it is too long for an identifier or a row; accepted: "},
		"a cell without an end": {"Identifier,Name\nC02A,\"" + strings.Repeat("x", 3<<20), nil, "line 2: it is too long for an identifier or a row; accepted: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var failure string
			for identifier, err := range command.ReadList(strings.NewReader(test.list)) {
				if err != nil {
					failure = err.Error()
					continue
				}
				if failure != "" {
					t.Errorf("%q comes after the error", identifier)
				}
				got = append(got, identifier)
			}
			if !slices.Equal(got, test.want) || !strings.HasPrefix(failure, test.err) || (failure == "") != (test.err == "") {
				t.Errorf("got %q and %q, want %q and %q", got, failure, test.want, test.err)
			}
		})
	}
}

// endless is a list that never ends.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	const line = "C02XK1JKLVCG\n"
	n := copy(p, strings.Repeat(line, len(p)/len(line)))
	e.read.Add(int64(n))
	return n, nil
}

// A list may be of any length: it is read as devices are asked about, not before.
func TestListIsNotKept(t *testing.T) {
	t.Parallel()
	in, identifiers := &endless{}, 0
	for _, err := range command.ReadList(in) {
		if identifiers++; err != nil || identifiers == 10_000 {
			break
		}
	}
	if read := in.read.Load(); identifiers != 10_000 || read > 1<<20 {
		t.Errorf("%d bytes were read for %d identifiers", read, identifiers)
	}
}

// As many devices are asked about at once as vendors allow, and the answers come in the order of the list.
func TestAskAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const devices = 40
		var now, most, begun atomic.Int64
		list := func(yield func(string, error) bool) {
			for i := range devices {
				if !yield(fmt.Sprint(i), nil) {
					return
				}
			}
		}
		release := make(chan struct{})
		answers := command.AskAll(t.Context(), list, func(string) {
			begun.Add(1)
			most.Store(max(most.Load(), now.Add(1)))
			<-release
			now.Add(-1)
		})
		synctest.Wait()
		if begun.Load() > command.AtOnce {
			t.Errorf("%d devices are asked about before the first answer was taken, want %d at most", begun.Load(), command.AtOnce)
		}
		go func() {
			for range devices {
				synctest.Wait()
				release <- struct{}{}
			}
		}()
		var got []string
		for identifier := range answers {
			got = append(got, identifier)
		}
		for i, identifier := range got {
			if identifier != fmt.Sprint(i) {
				t.Fatalf("the answers come in the order %q", got)
			}
		}
		if len(got) != devices || most.Load() != command.AtOnce {
			t.Errorf("%d answers, %d at once; want %d, %d", len(got), most.Load(), devices, command.AtOnce)
		}
	})
}

// When the reader of the answers goes away, nothing is asked any more.
func TestAskAllEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var asked atomic.Int64
		for range command.AskAll(ctx, command.ReadList(io.Reader(&endless{})), func(string) { asked.Add(1) }) {
			break
		}
		cancel()
		synctest.Wait() // and the bubble ends only when every goroutine has
		if n := asked.Load(); n > 2*command.AtOnce {
			t.Errorf("%d devices were asked about", n)
		}
	})
}
