// Package inbound has what every handler of HTTP requests does before it knows who sends one: bounds, and bearer credentials.
package inbound

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// MaxHeader bounds all header lines of a request together, in bytes, where nothing else is said.
const MaxHeader = 16 << 10

// TooLarge is the error about a request that is larger than a bound.
type TooLarge struct{ text string }

func (e *TooLarge) Error() string { return e.text }

// CheckHeader applies a limit in bytes exactly: net/http allows some more than its limit, and a different amount for HTTP/2. The
// error is a *TooLarge.
func CheckHeader(header http.Header, limit int) error {
	size := 0
	for name, values := range header {
		for _, value := range values {
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	if size > limit {
		return &TooLarge{fmt.Sprintf("the header has %d bytes, more than %d", size, limit)}
	}
	return nil
}

// ReadBody reads a body of at most limit bytes, which has to come within a time. On HTTP/2 the server's ReadTimeout bounds it.
// The error is a *TooLarge where it is longer.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64, within time.Duration) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, &TooLarge{fmt.Sprintf("the body has %d bytes, more than %d", r.ContentLength, limit)}
	}
	if r.ProtoMajor == 1 {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)); err != nil {
			return nil, fmt.Errorf("set read deadline: %w", err)
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return nil, &TooLarge{fmt.Sprintf("the body has more than %d bytes", limit)}
	}
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}

// Credential is a bearer credential that a client must have. It keeps the hash alone.
type Credential struct {
	hash  [sha256.Size]byte
	isSet bool
}

// NewCredential makes a Credential. An empty one is nobody's.
func NewCredential(secret []byte) Credential {
	return Credential{sha256.Sum256(secret), len(secret) > 0}
}

// Is returns 1 where a text is the credential, else 0. How long that takes says nothing about either.
func (c Credential) Is(text string) int {
	hash := sha256.Sum256([]byte(text))
	isSet := 0
	if c.isSet { // fail closed: otherwise the empty text would be a credential
		isSet = 1
	}
	return subtle.ConstantTimeCompare(hash[:], c.hash[:]) & isSet
}

// Bearer returns the credential of a request. Its errors do not repeat it. As RFC 9110 section 11.4 says, the case of the scheme
// does not count, and one or more spaces follow it.
func Bearer(header http.Header) (credential string, err error) {
	values := header["Authorization"]
	if len(values) != 1 { // of two, another part of the chain could have verified the other one
		return "", errors.New("there is not exactly one Authorization header")
	}
	scheme, credential, _ := strings.Cut(values[0], " ")
	credential = strings.TrimLeft(credential, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", errors.New("the scheme of the Authorization header is not Bearer")
	case credential == "":
		return "", errors.New("the Authorization header has no credential")
	}
	return credential, nil
}
