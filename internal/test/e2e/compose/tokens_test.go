//go:build compose

package compose_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/device"
)

// TestTokens: two connectors behind one name share the enrolment tokens in PostgreSQL. A token is good for one key at both,
// while one of them is stopped, and after an outage of the database.
func TestTokens(t *testing.T) {
	s := newStack(t, image(t, "BALANCER_IMAGE"), image(t, "POSTGRES_IMAGE"), "CONNECTOR_HOST=balancer", "AUDIT_LOG_PATH=")
	s.files = append(s.files, "docker-compose.replicas.yml", "test/balancer.yml")
	s.write(t, "posture.yaml", "policies:\n  default:\n    token: {required: true}\n")
	s.up(t, "--scale", "connector=2")
	replicas := strings.Fields(s.container(t, "connector"))
	if len(replicas) != 2 {
		t.Fatalf("%d replicas run, want 2", len(replicas))
	}
	s.wantRefused(t, "without a token", known, 401, "tokenInvalid")
	token := s.token(t, replicas[0])
	winner, other := s.device(t), s.device(t)
	s.wantWith(t, "the first key", winner, token, true)
	for _, stopped := range replicas {
		s.run(t, "docker", "stop", "--time", "20", stopped)
		s.wantWith(t, "the key of the token", winner, token, true)
		s.wantWith(t, "another key", other, token, false)
		s.run(t, "docker", "start", stopped)
		s.eventually(t, "the replica is healthy again", func() bool {
			return strings.TrimSpace(s.run(t, "docker", "inspect", "--format", "{{.State.Health.Status}}", stopped)) == "healthy"
		})
	}
	fresh := s.token(t, replicas[1])
	s.compose(t, "kill", "database")
	if _, err := s.with(t.Context(), other, fresh); !strings.HasPrefix(problem(err), "500 ") {
		t.Errorf("without the database an order gets %v, want 500", err)
	}
	s.compose(t, "start", "database")
	s.eventually(t, "the database is used again", func() bool {
		_, err := s.with(t.Context(), other, fresh)
		return err == nil
	})
	s.wantWith(t, "the key of another token", winner, fresh, false)
	if log := s.compose(t, "logs", "--no-color", "connector"); strings.Contains(log, token) || strings.Contains(log, fresh) {
		t.Error("a log has a token")
	}
}

// token has one issued by a replica.
func (s *stack) token(t *testing.T, replica string) string {
	t.Helper()
	var answer struct {
		Token string `json:"token"`
	}
	text := s.run(t, "docker", "exec", replica, "/step-posture-connector", "token", "issue", "--policy", "default", "--identifier", known)
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("token issue prints %s: %v", text, err)
	}
	return answer.Token
}

func (s *stack) device(t *testing.T) *device.Device {
	t.Helper()
	d, err := s.maker.Make(known, "00008030-"+known)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// with orders a certificate with a token.
func (s *stack) with(ctx context.Context, d *device.Device, token string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	order, err := d.Order(ctx, s.client, fmt.Sprintf("https://localhost:%d/acme/devices/directory", s.port))
	if err != nil {
		return nil, err
	}
	return order.FinalizeWith(ctx, pkix.Name{
		CommonName: known, ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 35}, Value: token}},
	})
}

func (s *stack) wantWith(t *testing.T, what string, d *device.Device, token string, allowed bool) {
	t.Helper()
	certificate, err := s.with(t.Context(), d, token)
	switch {
	case allowed && (err != nil || certificate.Subject.CommonName != known):
		t.Errorf("%s gets %v, want a certificate", what, err)
	case !allowed && !strings.Contains(problem(err), "tokenInvalid"):
		t.Errorf("%s gets %v, want tokenInvalid", what, err)
	}
}
