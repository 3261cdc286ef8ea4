//go:build compose

package compose_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// problem is what a device reads of an error.
func problem(err error) string {
	var p *acme.Error
	if !errors.As(err, &p) {
		return fmt.Sprint(err)
	}
	text := fmt.Sprintf("%d %s", p.StatusCode, p.ProblemType)
	for _, sub := range p.Subproblems {
		text += " " + sub.Type
	}
	return text
}

// TestCompose is one sequence: the stack starts without any files, decides, is damaged in every way and
// repaired, and leaves nothing behind.
func TestCompose(t *testing.T) {
	s := newStack(t)
	s.interruptedAtFirst(t)
	s.up(t)
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"known and unknown devices", s.decides},
		{"up a second time", s.upAgain},
		{"the CA issues nothing without its webhook", s.gated},
		{"settings are changed", s.changed},
		{"a device's renewal", s.renewalRefused},
		{"a device is added", s.deviceAdded},
		{"a rule is added", s.ruleAdded},
		{"the connector's certificate is renewed", s.renewed},
		{"the connector's certificate has expired", s.expired},
		{"killed and started", s.killed},
		{"cut off", s.cutOff},
		{"privileges of the containers", s.confined},
		{"secrets", s.hidden},
		{"down", s.down},
	} {
		if !t.Run(part.name, part.test) {
			return
		}
	}
}

func (s *stack) decides(t *testing.T) {
	s.wantCertificate(t, "known", known)
	certificate, err := s.order(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(certificate.Subject, certificate.EmailAddresses, certificate.NotAfter.Sub(certificate.NotBefore).Round(time.Hour)); got != "CN="+known+",OU=Engineering [ada@example.com] 168h0m0s" {
		t.Errorf("the certificate has %s", got)
	}
	s.wantRefused(t, "unknown", unknown, 401, "urn:smallstep:acme:error:deviceNotFound")
}

// upAgain: a second up makes nothing new.
func (s *stack) upAgain(t *testing.T) {
	state := func() string {
		var all []string
		for _, service := range []string{"step-ca", "connector", "renewer"} {
			all = append(all, s.container(t, service))
		}
		all = append(all, s.compose(t, "exec", "-T", "renewer", "sha256sum", "/run/connector/env", "/run/connector/webhook_secret", "/run/connector/server.crt"))
		return strings.Join(all, "\n")
	}
	before := state()
	s.up(t)
	if after := state(); after != before {
		t.Errorf("after the second up:\n%s\nbefore:\n%s", after, before)
	}
	s.wantCertificate(t, "up again", known)
}

// deviceAdded: the file is replaced on the host, as an editor does it.
func (s *stack) deviceAdded(t *testing.T) {
	path := filepath.Join(s.folder, "devices.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, unknown+",grace@example.com,Research\n"...)
	if err := os.WriteFile(path+".new", text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, "two devices are loaded", func() bool { return strings.Contains(s.compose(t, "logs", "connector"), "reloaded: 2 devices") })
	s.wantCertificate(t, "added", unknown)
}

// ruleAdded: a rule of docker/posture.yaml refuses after the file was replaced on the host, until it is restored.
func (s *stack) ruleAdded(t *testing.T) {
	path := filepath.Join(s.folder, "posture.yaml")
	shipped, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(text, answer string) {
		if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		s.eventually(t, "the answer is "+answer, func() bool {
			_, err := s.order(t.Context(), known)
			return strings.Contains(problem(err), answer)
		})
	}
	rule := `{name: research, code: notResearch, require: 'device.attributes["department"] == "Research"'}`
	replace("policies:\n  default:\n    rules:\n      - "+rule+"\n", "urn:smallstep:acme:error:notResearch")
	s.wantCertificate(t, "a rule that is met", unknown)
	replace(string(shipped), "<nil>")
}

// ordering places orders without pause, until it is stopped. Some fail; none of an unknown device may succeed.
func (s *stack) ordering(t *testing.T) (stop func()) {
	done := make(chan struct{})
	var working sync.WaitGroup
	for _, serial := range []string{known, "C02UNKNOWN03"} {
		working.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
				}
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				if certificate, err := s.order(ctx, serial); err == nil && serial != known {
					t.Errorf("an unknown device got a certificate for %s", certificate.Subject)
				}
				cancel()
			}
		})
	}
	return func() { close(done); working.Wait() }
}

// killed: while orders run, and after each kill the next order is right.
func (s *stack) killed(t *testing.T) {
	defer s.ordering(t)()
	for _, services := range [][]string{{"connector"}, {"step-ca"}, {"connector", "step-ca"}, {"step-ca", "connector"}} {
		what := "after the kill of " + strings.Join(services, " and ")
		for _, service := range services {
			s.run(t, "docker", "kill", s.container(t, service))
		}
		for _, service := range services {
			s.run(t, "docker", "start", s.container(t, service))
		}
		s.compose(t, "up", "--detach", "--wait")
		s.wantCertificate(t, what, known)
		s.wantRefused(t, what, "C02UNKNOWN02", 401, "deviceNotFound")
	}
}

// cutOff: without an answer of the connector the CA issues nothing.
func (s *stack) cutOff(t *testing.T) {
	connector, network := s.container(t, "connector"), s.name+"_default"
	s.run(t, "docker", "network", "disconnect", network, connector)
	s.wantRefused(t, "cut off", known, 500, "serverInternal")
	s.run(t, "docker", "network", "connect", "--alias", "connector", network, connector)
	s.wantCertificate(t, "connected again", known)
}

// down removes everything, even volumes without a name.
func (s *stack) down(t *testing.T) {
	var mounted []string
	for _, service := range []string{"password", "step-ca", "setup", "connector", "renewer"} {
		mounted = append(mounted, strings.Fields(s.inspect(t, s.container(t, service), `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`))...)
	}
	for _, name := range mounted {
		if !strings.HasPrefix(name, s.name+"_") {
			t.Errorf("the volume %s has no name, so another container does not get it", name)
		}
	}
	s.compose(t, "down", "--volumes", "--timeout", "20")
	filter := "label=com.docker.compose.project=" + s.name
	for _, kind := range []string{"container", "volume", "network"} {
		args := []string{"docker", kind, "ls", "--quiet", "--filter", filter}
		if kind == "container" {
			args = append(args, "--all")
		}
		if left := s.run(t, args...); strings.TrimSpace(left) != "" {
			t.Errorf("%s not removed: %s", kind, left)
		}
	}
}
