//go:build unix

package blackbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/test/program"
)

// pipe makes a named pipe in place of what is at the path.
func pipe(t *testing.T, path string) {
	t.Helper()
	_ = os.Remove(path)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A pipe with the secret, such as <(pass show …) of a shell, is read once: it has no second writer, neither at start nor
// at a reload, which would wait for one.
func TestSecretFromPipe(t *testing.T) {
	t.Parallel()
	pki := program.NewPKI(t)
	for name, policies := range map[string]string{
		"no policy file":       "",
		"policy file":          "policies:\n  default: {}\n",
		"file of more secrets": "policies:\n  default: {}\n" + hookLines("a a.secret"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := program.WorkingEnvironment(t, pki)
			if policies != "" {
				p := program.NewPolicies(t, policies)
				p.WriteFile(t, "a.secret", program.NewSecret())
				env = p.Environment(env)
			}
			path := filepath.Join(t.TempDir(), "pipe")
			pipe(t, path)
			written := make(chan error, 1)
			go func() {
				to, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err == nil {
					_, err = to.WriteString(program.WebhookSecret + "\n")
					_ = to.Close()
				}
				written <- err
			}()
			delete(env, "WEBHOOK_SECRETS")
			d := program.StartDaemon(t, env.With("WEBHOOK_SECRETS_FILE", path))
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			s := program.NewStepCA(t, pki, d.Address, nil)
			s.WantDecision(t, "at first", "C02XK1JKLVCG", program.Allowed)
			d.Hangup(t)
			d.AwaitLog(t, "reloaded: 3 devices", 1)
			s.WantDecision(t, "after SIGHUP", "C02XK1JKLVCG", program.Allowed)
			if strings.Contains(d.Output(), "reload failed") {
				t.Error(d.Output())
			}
		})
	}
}

// A file that has become a pipe does not stop the reloads: those of all other files go on, and the secret stays.
func TestSecretBecomesPipe(t *testing.T) {
	t.Parallel()
	pki := program.NewPKI(t)
	secret := filepath.Join(t.TempDir(), "secret")
	program.ReplaceFile(t, secret, program.WebhookSecret+"\n")
	ofEnvironment := program.WorkingEnvironment(t, pki).With("WEBHOOK_SECRETS_FILE", secret)
	delete(ofEnvironment, "WEBHOOK_SECRETS")
	p := program.NewPolicies(t, "policies:\n  default: {}\n"+hookLines("a a.secret"))
	inFile := p.WriteFile(t, "a.secret", program.NewSecret())
	for name, c := range map[string]struct {
		env    program.Environment
		secret string
	}{
		"environment": {ofEnvironment, secret},
		"policy file": {p.Environment(program.WorkingEnvironment(t, pki)), inFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := program.StartDaemon(t, c.env)
			pipe(t, c.secret)
			d.Hangup(t)
			d.AwaitLog(t, "pipe", 1)
			d.AwaitLog(t, "reloaded: 3 devices", 1)
			program.NewStepCA(t, pki, d.Address, nil).WantDecision(t, "after SIGHUP", "C02XK1JKLVCG", program.Allowed)
		})
	}
}
