package snapshot

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// endless is a text that does not end. It counts how much of it was read.
type endless struct {
	begin string
	read  int64
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	if e.read < int64(len(e.begin)) {
		copy(p, e.begin[e.read:])
	}
	e.read += int64(len(p))
	return len(p), nil
}

// TestLongToken: a file with a text that has no end is not used, and not read into memory.
func TestLongToken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, newInventory(""))
		for _, begin := range []string{`{"format":1,"inventory":"`, `{"`, `{"format":1`} {
			file := &endless{begin: begin}
			loaded, err := h.readDocument(file, read(h.clock))
			if err == nil || loaded != nil || file.read > 3*maxToken {
				t.Errorf("%s: %d bytes were read, %v", begin, file.read, err)
			}
		}
		if _, err := h.readDocument(&endless{begin: `{"format":1,"inventory":"`}, read(h.clock)); !errors.Is(err, errLongToken) {
			t.Errorf("the error is %v", err)
		}
		// A text below the bound that is cut off is only that.
		whole := strings.NewReader(`{"format":1,"inventory":"` + strings.Repeat("a", maxToken/2))
		if _, err := h.readDocument(whole, read(h.clock)); errors.Is(err, errLongToken) || errors.Is(err, io.ErrUnexpectedEOF) || err == nil {
			t.Errorf("the error of half a text is %v", err)
		}
	})
}
