package webhook

import (
	"bytes"
	"encoding/hex"
	"hash"
	"testing"
	"time"
)

// counting counts what is hashed.
type counting struct {
	hash.Hash
	bytes *int
}

func (c counting) Write(p []byte) (int, error) {
	*c.bytes += len(p)
	return c.Hash.Write(p)
}

// The time for a refusal shows no client which IDs exist, and how many secrets they have: each hashes the body as often.
func TestUnknownIDDoesTheSameWork(t *testing.T) {
	t.Parallel()
	one, two := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	hooks := NewHooks([]Hook{
		{ID: "one", Secrets: [][]byte{one}},
		{ID: "two", Secrets: [][]byte{one, two}},
		{ID: "zeros", Secrets: [][]byte{make([]byte, 32)}},
	}, false)
	hashed := 0
	all := []*signer{hooks.empty}
	for _, h := range hooks.hooks {
		all = append(all, h.signers...)
	}
	for _, s := range all {
		newMac := s.macs.New
		s.macs.New = func() any {
			m, _ := newMac().(*mac)
			m.Hash = counting{m.Hash, &hashed}
			return m
		}
	}
	body := bytes.Repeat([]byte("x"), 1000)
	signature := hex.EncodeToString(bytes.Repeat([]byte{9}, 32))
	for _, id := range []string{"one", "two", "zeros", "unknown"} {
		hashed = 0
		if _, p := hooks.Authenticate(header(id, signature), body, time.Unix(1, 0)); p == nil {
			t.Fatalf("%s is authenticated", id)
		}
		const secretsAndEmptyKey = 3
		if hashed != secretsAndEmptyKey*len(body) {
			t.Errorf("for %s %d bytes are hashed, want %d", id, hashed, secretsAndEmptyKey*len(body))
		}
	}
}
