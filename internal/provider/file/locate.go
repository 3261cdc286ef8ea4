package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"step-posture-connector/internal/filesys"
)

// syntaxError is a fault at an offset of a JSON file, counted after its BOM.
type syntaxError struct {
	device string // that has the fault, or empty
	offset int64
	behind bool // the fault is after the white space at the offset
	err    error
}

func (e *syntaxError) Error() string { return e.err.Error() }

func (e *syntaxError) Unwrap() error { return e.err }

// locate adds line, column and likely cause to a fault that has only an offset: it reads the file again up to there.
// It drops the path, which is added later.
func locate(err error, file io.ReadSeeker) error {
	fault := (*syntaxError)(nil)
	if !errors.As(err, &fault) {
		return filesys.WithoutPath(err)
	}
	if _, errSeek := file.Seek(0, io.SeekStart); errSeek != nil {
		return err
	}
	text := withoutBOM(file)
	before := passage{place: place{line: 1, column: 1}}
	for range fault.offset {
		c, errRead := text.ReadByte()
		if errRead != nil {
			break
		}
		before.add(c)
	}
	rest, _ := text.Peek(sniffed)
	for fault.behind && len(rest) > 0 && isSpace(rest[0]) {
		before.add(rest[0])
		_, _ = text.Discard(1)
		rest, _ = text.Peek(sniffed)
	}
	at := before.place
	if comma := before.trailingComma(rest); comma != nil {
		at, err = *comma, errTrailingComma
	} else if hint := hintOf(rest, err); hint != "" {
		err = fmt.Errorf("%w; %s", err, hint)
	}
	err = fmt.Errorf("line %d, column %d: %w", at.line, at.column, err)
	if fault.device != "" {
		err = fmt.Errorf("%s: %w", fault.device, err)
	}
	return err
}

var errTrailingComma = errors.New("not valid JSON: a trailing comma; remove it")

// place is the position of a character; both numbers count from 1.
type place struct{ line, column int }

// passage is the text before a fault.
type passage struct {
	place        // the fault's
	comma *place // the last character that is not white space, if it is a comma
}

func (p *passage) add(c byte) {
	switch {
	case c == ',':
		at := p.place
		p.comma = &at
	case !isSpace(c):
		p.comma = nil
	}
	switch {
	case c == '\n':
		p.line, p.column = p.line+1, 1
	case c&0xC0 != 0x80: // the first byte of a character in UTF-8
		p.column++
	}
}

// trailingComma returns the place of a comma before a closing bracket. The decoder reports the bracket or the comma.
func (p *passage) trailingComma(rest []byte) *place {
	if len(rest) == 0 {
		return nil
	}
	if p.comma != nil && isClosing(rest[0]) {
		return p.comma
	}
	if next := bytes.TrimLeft(rest[1:], " \t\r\n"); rest[0] == ',' && len(next) > 0 && isClosing(next[0]) {
		return &p.place
	}
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isClosing(c byte) bool { return c == ']' || c == '}' }

// hintOf returns the likely cause of a fault, where the decoder's own text does not name it.
func hintOf(rest []byte, err error) string {
	starts := func(texts ...string) bool {
		for _, text := range texts {
			if bytes.HasPrefix(rest, []byte(text)) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the file ends too early: was it written completely?"
	case bytes.Contains([]byte(err.Error()), []byte("UTF-8")):
		return "save the file as UTF-8"
	case starts("/", "#"):
		return "JSON has no comments"
	case starts("'", "“", "”", "‘", "’"):
		return `strings are in straight double quotation marks: "…"`
	case starts("\x00"):
		return "a NUL byte: the file is damaged, or is not text"
	}
	return ""
}
