package auditchain

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/filesys"
)

const gzipMagic = "\x1f\x8b"

// block is some whole lines of one file, in their order. Only the last line of a file may be without its line end.
type block struct {
	text []byte
	// tooLong says that the only line of this block is longer than any of the audit log; its text is left out.
	tooLong bool
	done    chan []judged // gets the lines once
}

// judged is what one line is by itself.
type judged struct {
	text      []byte // with its line end, if it has one
	link      audit.Link
	isChained bool
	isIntact  bool
	event     *audit.ChainEvent // of a line about the chain
	// hasReference says that it begins as a decision with a wanted reference does, hasKey that it has the wanted key alone.
	hasReference, hasKey bool
}

// judge verifies the lines of a block, each by itself.
func (b *block) judge(sealer *audit.Sealer, o *Options) []judged {
	if b.tooLong {
		return []judged{{}}
	}
	lines := make([]judged, 0, bytes.Count(b.text, []byte{'\n'})+1)
	for line := range bytes.Lines(b.text) {
		j := judged{text: line}
		if content, isWhole := bytes.CutSuffix(line, []byte{'\n'}); isWhole {
			j.link, j.isChained, j.isIntact = sealer.Verify(content)
			if j.isIntact {
				if event, is := audit.ReadChainEvent(content); is {
					j.event = &event
				}
			}
			j.hasReference = len(o.references) > 0 && audit.HasReference(content, o.references)
			j.hasKey = !j.hasReference && len(o.publicKey) > 0 && bytes.Contains(content, o.publicKey)
		}
		lines = append(lines, j)
	}
	return lines
}

// open opens a file, plain or compressed by gzip. The path "-" is stdin.
func open(path string, stdin io.Reader) (from io.Reader, closeAll func(), err error) {
	closeAll = func() {}
	from = stdin
	if path != "-" {
		file, err := os.Open(path) // a pipe too: of a shell that unpacks another form
		if err != nil {
			return nil, nil, filesys.WithoutPath(err)
		}
		from, closeAll = file, func() { _ = file.Close() }
	}
	buffered := bufio.NewReaderSize(from, blockSize)
	if magic, _ := buffered.Peek(len(gzipMagic)); string(magic) != gzipMagic {
		return buffered, closeAll, nil
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("unpack: %w", err)
	}
	return unpacked, closeAll, nil
}

// read passes the lines of a file to each, in blocks.
func read(ctx context.Context, from io.Reader, each func(*block) error) error {
	var rest []byte // of a line whose end is in the next block
	skipping := false
	for {
		text := make([]byte, len(rest)+blockSize)
		copy(text, rest)
		n, err := io.ReadFull(from, text[len(rest):])
		text = text[:len(rest)+n]
		atEnd := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && !isCutShort(from, err)
		if err != nil && !atEnd {
			return fmt.Errorf("read: %w", filesys.Cause(err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if skipping {
			end := bytes.IndexByte(text, '\n')
			if end < 0 && !atEnd {
				rest = nil
				continue
			}
			text, skipping = text[end+1:], false
			if end < 0 {
				text = nil
			}
		}
		whole := bytes.LastIndexByte(text, '\n') + 1
		if atEnd {
			whole = len(text)
		}
		rest = text[whole:]
		if whole > 0 {
			if err := each(&block{text: text[:whole:whole]}); err != nil {
				return err
			}
		}
		if len(rest) > longestLine {
			rest, skipping = nil, true
			if err := each(&block{tooLong: true}); err != nil {
				return err
			}
		}
		if atEnd {
			return nil
		}
	}
}

// isCutShort reports whether the end came in the middle of a compressed file. io.ReadFull and gzip have the same error for
// two things: another Read tells them apart, because gzip keeps its error.
func isCutShort(from io.Reader, err error) bool {
	if _, isGzip := from.(*gzip.Reader); !isGzip {
		return false
	}
	_, again := from.Read(make([]byte, 1))
	return errors.Is(again, err)
}
