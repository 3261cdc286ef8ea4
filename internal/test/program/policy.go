package program

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Policies is a policy file of a test, in a folder of its own, with files of inventories and secrets beside it.
type Policies struct {
	Folder string
	Path   string
}

// NewPolicies makes a policy file.
func NewPolicies(t *testing.T, text string) *Policies {
	t.Helper()
	folder := t.TempDir()
	p := &Policies{folder, filepath.Join(folder, "posture.yaml")}
	p.Write(t, text)
	return p
}

// Write replaces the policy file, by rename.
func (p *Policies) Write(t *testing.T, text string) {
	t.Helper()
	ReplaceFile(t, p.Path, text)
}

// Append adds to the policy file.
func (p *Policies) Append(t *testing.T, text string) {
	t.Helper()
	before, err := os.ReadFile(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	p.Write(t, string(before)+text)
}

// WriteFile replaces a file beside the policy file, by rename.
func (p *Policies) WriteFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(p.Folder, name)
	ReplaceFile(t, path, text)
	return path
}

// Overwrite writes the policy file in place.
func (p *Policies) Overwrite(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(p.Path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Environment is env with the policy file.
func (p *Policies) Environment(env Environment) Environment { return env.With("POLICY_PATH", p.Path) }

// Alone is a configuration with the policy file, a health listener, and neither an inventory nor a webhook in the environment.
func (p *Policies) Alone(t *testing.T, pki *PKI) Environment {
	t.Helper()
	env := p.Environment(WorkingEnvironment(t, pki)).With("HEALTH_ADDRESS", FreeHealth)
	for _, name := range []string{"PROVIDER", "FILE_PATH", "FILE_TYPE", "WEBHOOK_IDS", "WEBHOOK_SECRETS"} {
		delete(env, name)
	}
	return env
}

// HashOf is the hash of a policy file, as metrics have it.
func HashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// NewSecret makes a signing secret, as step-ca prints one.
func NewSecret() string {
	var random [64]byte
	_, _ = rand.Read(random[:])
	return base64.StdEncoding.EncodeToString(random[:])
}

// HookID is the ID of a webhook for a test.
func HookID(n int) string { return fmt.Sprintf("3f0c6c1e-1f6e-4a52-9d33-%012d", n) }

// As is the same client with the ID and the secret of another webhook.
func (s *StepCA) As(t *testing.T, id, secret string) *StepCA {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &StepCA{s.Client, id, key, s.address}
}

// Refused is how the answer begins that a refusal with this code has.
func Refused(code string) string {
	return fmt.Sprintf(`{"allow":false,"error":{"code":%q,`, code)
}

// WantStatus asks about a device and wants an answer with this status.
func (s *StepCA) WantStatus(t *testing.T, what, identifier string, want int) {
	t.Helper()
	if status, text, err := s.Send(t, WebhookBody(identifier)); err != nil || status != want {
		t.Errorf("%s: %s got %d %s (%v), want %d", what, identifier, status, text, err, want)
	}
}

// Answers reports whether the answer about a device is 200 and begins like this.
func (s *StepCA) Answers(t *testing.T, identifier, begin string) bool {
	t.Helper()
	status, text, err := s.Send(t, WebhookBody(identifier))
	return err == nil && status == http.StatusOK && strings.HasPrefix(text, begin)
}

// Accepted reports whether the signature is accepted.
func (s *StepCA) Accepted(t *testing.T, identifier string) bool {
	t.Helper()
	status, text, err := s.Send(t, WebhookBody(identifier))
	if err != nil || status != http.StatusOK && status != http.StatusUnauthorized {
		t.Errorf("got %d %s (%v)", status, text, err)
	}
	return status == http.StatusOK
}

// WantLog wants each text in the log. A line may come after the answer to its request.
func (d *Daemon) WantLog(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		d.AwaitLog(t, text, 1)
	}
}

// AwaitLog waits until the log has a text, n times.
func (d *Daemon) AwaitLog(t *testing.T, text string, n int) {
	t.Helper()
	d.Eventually(t, fmt.Sprintf("the log has %q %d times", text, n), func() bool { return strings.Count(d.Output(), text) >= n })
}

// HasSeries reports whether /metrics has a line that begins like this.
func (d *Daemon) HasSeries(t *testing.T, begin string) bool {
	t.Helper()
	_, text := d.Get(t, "/metrics")
	return strings.Contains(text, "\n"+begin)
}
