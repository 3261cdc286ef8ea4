package e2e_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/smallstep/certificates/webhook"

	"step-posture-connector/internal/test/e2e/stepca"
)

// hook is a webhook server that answers as a test says: with it, tests find out what step-ca sends, and what its clients
// get to see of an answer.
type hook struct {
	address string

	mu     sync.Mutex
	answer func(*webhook.RequestBody) *webhook.ResponseBody // nil answers 503
	calls  []call
}

// call is a request of step-ca.
type call struct {
	url       string
	id        string
	body      webhook.RequestBody
	raw       []byte
	signature string
}

// signedWith reports whether the call is signed with a secret in base64.
func (c call) signedWith(t *testing.T, secret string) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(c.raw)
	return hex.EncodeToString(mac.Sum(nil)) == c.signature
}

// startHook starts a webhook server with a certificate of the lab's CA.
func (l *lab) startHook(t *testing.T) *hook {
	t.Helper()
	certificate, key, err := l.ca.IssueServer(t.Context(), t.TempDir(), stepca.EC)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{address: listener.Addr().String()}
	server := &http.Server{Handler: h, ReadHeaderTimeout: answerTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ServeTLS(listener, certificate, key)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return h
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := call{url: r.URL.String(), id: r.Header.Get("X-Smallstep-Webhook-ID"), raw: raw, signature: r.Header.Get("X-Smallstep-Signature")}
	if err := json.Unmarshal(raw, &c.body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
	if h.answer == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(h.answer(&c.body))
}

// answers says how the next calls are answered.
func (h *hook) answers(answer func(*webhook.RequestBody) *webhook.ResponseBody) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// take returns the calls since the last time.
func (h *hook) take() []call {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls := h.calls
	h.calls = nil
	return calls
}

// allow is an answer with the data of an instance.
func allow(*webhook.RequestBody) *webhook.ResponseBody {
	return &webhook.ResponseBody{Allow: true, Data: map[string]string{"host": inventoryHost, "role": inventoryRole}}
}

// refuse is an answer with a code and a message.
func refuse(*webhook.RequestBody) *webhook.ResponseBody {
	return &webhook.ResponseBody{Error: &webhook.Error{Code: "deviceNotFound", Message: "not in the inventory"}}
}

// What the inventory has of an instance.
const (
	inventoryHost = "db-1.prod.example.com"
	inventoryRole = "database"
)

// hang adds a webhook of the server to a provisioner.
func (l *lab) hang(t *testing.T, h *hook, provisioner, certType, path string, kind stepca.Kind) stepca.Credentials {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	names := map[stepca.Kind]string{stepca.Enriching: "posture", stepca.Authorizing: "final", stepca.SCEPChallenge: "challenge", stepca.Notifying: "told"}
	credentials, err := l.ca.AddWebhookFor(ctx, provisioner, certType, stepca.Webhook{Name: names[kind], URL: "https://" + h.address + path, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}
