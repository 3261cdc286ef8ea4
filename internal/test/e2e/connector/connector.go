// Package connector runs the program under test as an operator does: as a
// process of its own that is configured by environment variables only.
package connector

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// startTimeout bounds how long the connector may take until it answers.
const startTimeout = 30 * time.Second

// Config becomes the connector's environment.
type Config struct {
	Binary      string
	Dir         string // working directory
	Port        int
	Certificate string // file of the server certificate
	Key         string // file of its key
	// Webhooks are in the environment, unless PolicyPath names a policy file that has them.
	Webhooks   []stepca.Credentials
	PolicyPath string
	Inventory  Inventory
	// ClientRoots is the file of roots that client certificates must chain to;
	// empty switches mutual TLS off.
	ClientRoots  string
	AllowedNames string
	LoggingLevel int
	// HealthPort is the port of the health listener; 0 switches it off. Several
	// connectors run side by side.
	HealthPort int
	// DoorPort is the port of the listener for RADIUS servers and web servers; 0 switches it off. DoorCA is the file of the CA
	// that issued the certificates of those callers.
	DoorPort int
	DoorCA   string
	// More are further variables, NAME=value, which override the others.
	More []string
}

// Connector is a running connector.
type Connector struct {
	process *process.Process
	config  Config
}

// Start runs the connector and returns when it answers. It runs until Stop or the
// end of ctx. The error is process.ErrAddressInUse when the port was not free.
func Start(ctx context.Context, config Config) (*Connector, error) {
	leaf, err := readLeaf(config.Certificate)
	if err != nil {
		return nil, err
	}
	p, err := process.Start(ctx, process.Spec{Path: config.Binary, Dir: config.Dir, Env: config.environment()})
	if err != nil {
		return nil, err
	}
	awaitCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(config.Port))
	err = p.Await(awaitCtx, func(ctx context.Context) error { return presents(ctx, address, leaf) })
	if err != nil {
		stopErr := p.Stop()
		if p.PortTaken() {
			return nil, process.ErrAddressInUse
		}
		return nil, errors.Join(err, stopErr)
	}
	return &Connector{process: p, config: config}, nil
}

// Stop asks the connector to end; the error is nil when it exited with 0.
func (c *Connector) Stop() error { return c.process.Stop() }

// Kill ends the connector at once, as a crash does.
func (c *Connector) Kill() error { return c.process.Kill() }

// Signal sends a signal to the connector.
func (c *Connector) Signal(signal os.Signal) error { return c.process.Signal(signal) }

// Log returns what the connector has printed.
func (c *Connector) Log() string { return c.process.Output() }

// AwaitLog waits until the connector has printed a line that contains all of
// the given texts, and returns that line. The line of a request may come a
// moment after its answer.
func (c *Connector) AwaitLog(ctx context.Context, texts ...string) (string, error) {
	var line string
	err := c.process.Await(ctx, func(context.Context) error {
		var ok bool
		if line, ok = findLine(c.Log(), texts); !ok {
			return fmt.Errorf("no line with %q in the log", texts)
		}
		return nil
	})
	return line, err
}

// AwaitCount waits until the connector has printed a text so often.
func (c *Connector) AwaitCount(ctx context.Context, text string, count int) error {
	return c.process.Await(ctx, func(context.Context) error {
		if got := strings.Count(c.Log(), text); got < count {
			return fmt.Errorf("the log has %q %d times, want %d", text, got, count)
		}
		return nil
	})
}

// Run runs one command of the program, such as lookup, with the configuration of
// a connector, which may be running meanwhile.
func Run(ctx context.Context, config Config, args ...string) (process.Result, error) {
	return process.Finish(ctx, process.Spec{
		Path: config.Binary, Args: args, Dir: config.Dir, Env: config.environment(),
	})
}

func findLine(log string, texts []string) (string, bool) {
lines:
	for line := range strings.Lines(log) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		return strings.TrimSpace(line), true
	}
	return "", false
}

func (c Config) environment() []string {
	var ids, secrets []string
	for _, webhook := range c.Webhooks {
		ids = append(ids, webhook.ID)
		secrets = append(secrets, webhook.Secret)
	}
	webhooks := []string{"WEBHOOK_IDS=" + strings.Join(ids, ","), "WEBHOOK_SECRETS=" + strings.Join(secrets, ",")}
	if c.PolicyPath != "" {
		webhooks = []string{"POLICY_PATH=" + c.PolicyPath}
	}
	env := append(webhooks,
		"BIND_ADDRESS=127.0.0.1",
		"PORT="+strconv.Itoa(c.Port),
		"TLS_CERT_PATH="+c.Certificate,
		"TLS_KEY_PATH="+c.Key,
		"LOGGING_LEVEL="+strconv.Itoa(c.LoggingLevel),
	)
	health := "off"
	if c.HealthPort != 0 {
		health = c.health()
	}
	env = append(env, "HEALTH_ADDRESS="+health)
	env = append(env, c.Inventory.environment()...)
	if c.ClientRoots != "" {
		env = append(env, "ENABLE_MTLS=1", "TLS_CA_PATH="+c.ClientRoots)
	}
	if c.AllowedNames != "" {
		env = append(env, "MTLS_ALLOWED_NAMES="+c.AllowedNames)
	}
	if c.DoorPort != 0 {
		env = append(env, "DOOR_ADDRESS="+net.JoinHostPort("127.0.0.1", strconv.Itoa(c.DoorPort)), "DOOR_CLIENT_CA_PATH="+c.DoorCA)
	}
	return append(env, c.More...)
}

// readLeaf returns the DER of the first certificate of a PEM file.
func readLeaf(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read server certificate: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("read server certificate: no PEM in %s", path)
	}
	return block.Bytes, nil
}

// presents reports whether the server at address presents the given certificate,
// which no other program can have. GET /status would test more, but needs a client
// certificate with mutual TLS; and a mere connection could be to another program
// that has taken the port.
func presents(ctx context.Context, address string, leaf []byte) error {
	certificate, err := x509.ParseCertificate(leaf)
	if err != nil {
		return err
	}
	only := x509.NewCertPool()
	only.AddCert(certificate)
	// In TLS 1.3 the client has verified the server, and has finished its handshake,
	// before the server checks the client's certificate.
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: only, MinVersion: tls.VersionTLS13}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
