package snapshot

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

var errLongToken = errors.New("it has a text of more than 16 MiB")

// bounded bounds what the decoder holds of a file at once: it holds each text as a whole, and the file may be damaged.
type bounded struct {
	from    io.Reader
	decoder *jsontext.Decoder
	read    int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.read-b.decoder.InputOffset() > maxToken {
		return 0, errLongToken
	}
	n, err := b.from.Read(p)
	b.read += int64(n)
	return n, err
}
