package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bodies returns the recorded requests of a real step-ca.
func bodies(f *testing.F) [][]byte {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "samples", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	var found [][]byte
	for _, path := range paths {
		if strings.HasSuffix(path, ".meta.json") {
			continue
		}
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		found = append(found, body)
	}
	if len(found) == 0 {
		f.Fatal("no recorded requests")
	}
	return found
}

// FuzzAuthenticate: a request passes if and only if its ID is known and its signature is that of exactly its body, under
// the ID's own secret.
func FuzzAuthenticate(f *testing.F) {
	first, second := sha256.Sum256([]byte("first")), sha256.Sum256([]byte("second"))
	hooks := []Hook{
		{ID: "98a6ad8d-d8e5-4d1d-b465-770fb66a5207", Secrets: [][]byte{first[:]}},
		{ID: "9445A147-807D-4547-A404-E80F908D2009", Secrets: [][]byte{second[:]}},
	}
	known := NewHooks(hooks, false)
	for i, body := range bodies(f) {
		hook := hooks[i%2]
		f.Add(hook.ID, hex.EncodeToString(expected(hook.Secrets[0], body)), body, uint(i))
		f.Add(strings.ToUpper(hook.ID), strings.ToUpper(hex.EncodeToString(expected(hook.Secrets[0], body))), body, uint(8*i))
		f.Add(hook.ID, hex.EncodeToString(expected(nil, body)), body, uint(0))
		f.Add("00000000-0000-0000-0000-000000000000", hex.EncodeToString(expected(hook.Secrets[0], body)), body, uint(1))
	}
	f.Add("", "", []byte{}, uint(0))
	f.Add(" "+hooks[0].ID, strings.Repeat("0", 64), []byte("x"), uint(7))
	f.Add(hooks[0].ID, strings.Repeat("zz", 32), []byte("x"), uint(7))
	f.Add(hooks[0].ID+","+hooks[1].ID, strings.Repeat("0", 63), []byte("{}"), uint(300))
	f.Fuzz(func(t *testing.T, id, signature string, body []byte, bit uint) {
		want := false
		for _, hook := range hooks {
			right := hex.EncodeToString(expected(hook.Secrets[0], body))
			want = want || len(id) == len(hook.ID) && strings.EqualFold(id, hook.ID) && len(signature) == len(right) && strings.EqualFold(signature, right)
		}
		checkAuthentication(t, known, header(id, signature), body, want)

		// A correct request passes; with any bit of the body or the signature changed, it does not.
		hook, other := hooks[bit%2], hooks[(bit+1)%2]
		right := expected(hook.Secrets[0], body)
		checkAuthentication(t, known, header(hook.ID, hex.EncodeToString(right)), body, true)
		checkAuthentication(t, known, header(hook.ID, hex.EncodeToString(flipped(right, bit))), body, false)
		if len(body) > 0 {
			checkAuthentication(t, known, header(hook.ID, hex.EncodeToString(right)), flipped(body, bit), false)
		}
		checkAuthentication(t, known, header(hook.ID, hex.EncodeToString(right)), append(bytes.Clone(body), byte(bit)), false)
		checkAuthentication(t, known, header(other.ID, hex.EncodeToString(right)), body, false)
		checkAuthentication(t, known, header(hook.ID, hex.EncodeToString(expected(nil, body))), body, false)
		checkAuthentication(t, NewHooks(nil, false), header(hook.ID, hex.EncodeToString(right)), body, false)
		twice := header(hook.ID, hex.EncodeToString(right))
		twice.Add(signatureHeader, signature)
		checkAuthentication(t, known, twice, body, false)
		twice = header(hook.ID, hex.EncodeToString(right))
		twice.Add(idHeader, id)
		checkAuthentication(t, known, twice, body, false)
	})
}

func checkAuthentication(t *testing.T, hooks *Hooks, h http.Header, body []byte, want bool) {
	t.Helper()
	signed, p := hooks.Authenticate(h, body, time.Unix(1, 0))
	switch {
	case p == nil != want:
		t.Fatalf("Authenticate with %q and a body of %d bytes = %v, want it to pass: %v", h, len(body), p, want)
	case p == nil && !bytes.Equal(signed.raw, body):
		t.Errorf("the body that passed is %q, want %q", signed.raw, body)
	case p != nil && (signed.raw != nil || p.Code != codeUnauthenticated || statusOf(p.Code) != http.StatusUnauthorized):
		t.Errorf("Authenticate = %q, %v, want no body and 401 unauthenticated", signed.raw, p)
	}
}

// expected is the signature as step-ca makes it, implemented a second time.
func expected(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return mac.Sum(nil)
}

func header(id, signature string) http.Header {
	h := http.Header{}
	h.Set("X-Smallstep-Webhook-ID", id)
	h.Set("X-Smallstep-Signature", signature)
	return h
}

func flipped(b []byte, bit uint) []byte {
	changed := bytes.Clone(b)
	changed[bit/8%uint(len(b))] ^= 1 << (bit % 8)
	return changed
}
