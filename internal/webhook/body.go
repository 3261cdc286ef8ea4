package webhook

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// receive reads the body within bodyTimeout: a client that never finishes does not hold memory for long. It uses
// buffer where that is large enough.
//
// The deadline is not cleared here. The server goes on reading, to notice a client that leaves; a deadline that passed
// would look like that, and cancel the lookup. net/http clears it when it begins that (Go 1.26 does), and even without
// that it is over later than the request has to be answered.
//
// On HTTP/2 the server's ReadTimeout does that: there it is the time for the body alone, and to set
// another one would be a message between goroutines with every request.
func receive(w http.ResponseWriter, r *http.Request, buffer []byte) ([]byte, *Problem) {
	if r.ProtoMajor == 1 {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil {
			return nil, problemf(codeInternal, "set read deadline: %w", err)
		}
	}
	return readBody(w, r, buffer)
}

// Does not compile where bodyTimeout is shorter than Budget; see receive.
const _ = uint64(bodyTimeout - Budget)

// readBody reads the whole body, at most MaxBody bytes of it.
func readBody(w http.ResponseWriter, r *http.Request, buffer []byte) ([]byte, *Problem) {
	if r.ContentLength > MaxBody {
		return nil, problemf(codeTooLarge, "the body has %d bytes", r.ContentLength)
	}
	in := io.Reader(r.Body)
	if r.ContentLength < 0 { // else net/http lets no more pass than the header says
		in = http.MaxBytesReader(w, r.Body, MaxBody)
	}
	body := buffer[:0]
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if len(body) > MaxBody {
			return nil, problemf(codeTooLarge, "the body has more than %d bytes", MaxBody)
		}
		if err == io.EOF {
			return body, nil
		}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, problemf(codeTooLarge, "the body has more than %d bytes", tooLarge.Limit)
		}
		if err != nil {
			return nil, problemf(codeMalformed, "read body: %w", err)
		}
	}
}
