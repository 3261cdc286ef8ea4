// Package people puts a connector in front of provisioners that give certificates to people, as the pages of
// docs/provisioners say. The tests and the demo use it.
package people

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/relay"
	"step-posture-connector/internal/test/e2e/stepca"
)

// Config describes a guard.
type Config struct {
	Binary string // the connector
	Dir    string // an existing, empty folder
	// Files are what the commands and the policies read, by name, such as certificate templates.
	Files map[string]string
	// Commands give the address of the connector, and return the shell commands that set up the CA.
	Commands func(address string) string
	// Policies is a policy file. The IDs of its webhooks and the secrets take the place of those in it.
	Policies     string
	LoggingLevel int
	// AnyClient lets clients connect that have no certificate: those of the API.
	AnyClient bool
	More      []string // further variables of the connector, NAME=value
}

// Guard is a running connector, and the webhooks that call it. The CA calls a relay, whose address is known before the
// connector starts: the connector needs the secrets that the CA makes.
type Guard struct {
	dir      string
	port     atomic.Int64
	relay    *relay.Relay
	webhooks map[string]stepca.Credentials
	config   connector.Config
	*connector.Connector
}

// Address is where the CA calls the connector, host and port.
func (g *Guard) Address() string { return g.relay.Address() }

// Run runs a command of the connector's program, beside the connector, with further variables.
func (g *Guard) Run(ctx context.Context, more []string, args ...string) (process.Result, error) {
	config := g.config
	config.More = slices.Concat(config.More, more)
	return connector.Run(ctx, config, args...)
}

// Open sets up the running CA and starts the connector.
func Open(ctx context.Context, ca *stepca.CA, config Config) (*Guard, error) {
	g := &Guard{dir: config.Dir}
	for name, content := range config.Files {
		if err := g.Write(name, content); err != nil {
			return nil, err
		}
	}
	var err error
	if g.relay, err = relay.Start(ctx, "127.0.0.1:0", g.dial); err != nil {
		return nil, err
	}
	if err := g.start(ctx, ca, config); err != nil {
		return nil, errors.Join(err, g.relay.Close())
	}
	return g, nil
}

func (g *Guard) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.FormatInt(g.port.Load(), 10)))
}

func (g *Guard) start(ctx context.Context, ca *stepca.CA, config Config) error {
	var err error
	if g.webhooks, err = SetUp(ctx, ca, g.dir, config.Commands("https://"+g.relay.Address())); err != nil {
		return err
	}
	certificate, key, err := ca.IssueServer(ctx, g.dir, stepca.EC)
	if err != nil {
		return err
	}
	if err := g.SetPolicies(config.Policies); err != nil {
		return err
	}
	return process.RetryPort(ctx, func(ctx context.Context, port int) error {
		g.port.Store(int64(port))
		g.config = connector.Config{
			Binary: config.Binary, Dir: g.dir, Port: port, Certificate: certificate, Key: key,
			PolicyPath: filepath.Join(g.dir, policyFile), Inventory: connector.Policies{},
			LoggingLevel: config.LoggingLevel, More: config.More,
		}
		if !config.AnyClient {
			g.config.ClientRoots, g.config.AllowedNames = ca.RootPath(), stepca.Name
		}
		g.Connector, err = connector.Start(ctx, g.config)
		return err
	})
}

// Close stops the connector; the CA's requests then fail.
func (g *Guard) Close() error { return errors.Join(g.Stop(), g.relay.Close()) }

// SetUp runs shell commands as the administrator of the running CA, in a folder. It returns the credentials of the webhooks
// that they add, by the webhooks' names.
func SetUp(ctx context.Context, ca *stepca.CA, dir, commands string) (map[string]stepca.Credentials, error) {
	out, err := process.Run(ctx, process.Spec{Path: "/bin/sh", Args: []string{"-ec", commands}, Dir: dir, Env: ca.Operator()})
	if err != nil {
		return nil, fmt.Errorf("set up the CA: %w", err)
	}
	names := regexp.MustCompile(`(?m)^step ca provisioner webhook add \S+ (\S+)`).FindAllStringSubmatch(commands, -1)
	printed := regexp.MustCompile(`(?m)^Webhook ID: (\S+)\nSecret: (\S+)$`).FindAllStringSubmatch(out, -1)
	if len(names) != len(printed) {
		// The error does not quote the output, which has the secrets.
		return nil, fmt.Errorf("%d webhooks were added, and step printed the secrets of %d", len(names), len(printed))
	}
	webhooks := map[string]stepca.Credentials{}
	for i, name := range names {
		webhooks[name[1]] = stepca.Credentials{ID: printed[i][1], Secret: printed[i][2]}
	}
	return webhooks, nil
}

const policyFile = "posture.yaml"

// SetPolicies replaces the policy file; each of its webhooks gets its ID, and a file with its secret.
func (g *Guard) SetPolicies(content string) error {
	for name, webhook := range g.webhooks {
		form := regexp.MustCompile(`(\{name: ` + name + `, id: )[^,]+(, secret: \{file: )[^}]+\}`)
		if len(form.FindAllString(content, -1)) != 1 {
			return fmt.Errorf("the policy file has not exactly one webhook %s with ID and secret", name)
		}
		content = form.ReplaceAllString(content, "${1}"+webhook.ID+"${2}secret_"+name+"}")
		if err := g.Write("secret_"+name, webhook.Secret); err != nil {
			return err
		}
	}
	return g.Write(policyFile, content)
}

// Write replaces a file in the guard's folder, by rename.
func (g *Guard) Write(name, content string) error {
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	return nil
}
