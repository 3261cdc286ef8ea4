// Package gate puts a connector in front of an ACME provisioner of a CA: everything
// that an operator sets up. The tests and the demo use it.
package gate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/relay"
	"step-posture-connector/internal/test/e2e/stepca"
)

// Config describes a gate.
type Config struct {
	Binary string // the connector
	Dir    string // an existing, empty folder
	// Provisioner is to be added to the CA, or one for each of Modes.
	Provisioner stepca.Provisioner
	// Modes are the modes of the webhooks' URLs. Each has its own provisioner, with the
	// name of Provisioner, a hyphen and the mode.
	Modes []string
	// Policies is the content of a policy file without its webhooks: each mode is the name of its webhook's policy
	// there, and no part of the URL.
	Policies      string
	Kind          stepca.Kind
	ServerKey     stepca.KeyType
	Inventory     string // content of the inventory file
	InventoryType string // csv or json
	// Jamf is the server that the connector asks in place of an inventory file.
	Jamf *connector.Jamf
	// Trusted is the CA of the servers that inventories of Policies ask, in place of an inventory file.
	Trusted      string
	MutualTLS    bool
	AllowedNames string // MTLS_ALLOWED_NAMES
	LoggingLevel int
	Health       bool // whether the connector has a health listener
	Relayed      bool // whether CutConnections is wanted
	// DoorCA is the file of the CA of those who may ask at doors, which Policies has; empty without doors.
	DoorCA string
	More   []string // further variables of the connector, NAME=value
	// DisableTLSClientAuth is a setting of the webhook in the CA.
	DisableTLSClientAuth bool
}

// Gate is one provisioner or several, and the connector that guards them.
type Gate struct {
	ca            *stepca.CA
	entrances     []*entrance
	inventoryPath string
	config        connector.Config
	policies      string
	health        bool
	relayed       bool
	relay         *relay.Relay // nil unless relayed
	connector     *connector.Connector
}

// entrance is a provisioner and the webhook that guards it.
type entrance struct {
	mode        string
	provisioner string
	webhook     stepca.Webhook
	credentials *stepca.Credentials // nil until the CA has the webhook
}

// Open adds a provisioner with a webhook to the running CA and starts the
// connector that the webhook points to. It runs until Close or the end of ctx.
func Open(ctx context.Context, ca *stepca.CA, config Config) (*Gate, error) {
	g := &Gate{
		ca: ca,
		config: connector.Config{
			Binary:       config.Binary,
			Dir:          config.Dir,
			AllowedNames: config.AllowedNames,
			LoggingLevel: config.LoggingLevel,
			More:         config.More,
			DoorCA:       config.DoorCA,
		},
		policies: config.Policies,
		health:   config.Health,
		relayed:  config.Relayed,
	}
	if config.MutualTLS {
		g.config.ClientRoots = ca.RootPath()
	}
	switch {
	case config.Jamf != nil:
		g.config.Inventory = *config.Jamf
	case config.Trusted != "":
		g.config.Inventory = connector.Policies{CA: config.Trusted}
	default:
		g.inventoryPath = filepath.Join(config.Dir, "inventory."+config.InventoryType)
		g.config.Inventory = connector.File{Path: g.inventoryPath, Type: config.InventoryType}
		if err := g.SetInventory(config.Inventory); err != nil {
			return nil, err
		}
	}
	if err := g.addProvisioners(ctx, config); err != nil {
		return nil, err
	}
	var err error
	g.config.Certificate, g.config.Key, err = ca.IssueServer(ctx, config.Dir, config.ServerKey)
	if err != nil {
		return nil, err
	}
	if err := g.Start(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gate) addProvisioners(ctx context.Context, config Config) error {
	modes := config.Modes
	if len(modes) == 0 {
		modes = []string{""}
	}
	for _, mode := range modes {
		provisioner := config.Provisioner
		if mode != "" {
			provisioner.Name += "-" + mode
		}
		if err := g.ca.AddProvisioner(ctx, provisioner); err != nil {
			return err
		}
		g.entrances = append(g.entrances, &entrance{
			mode:        mode,
			provisioner: provisioner.Name,
			webhook: stepca.Webhook{
				Name:                 WebhookName,
				Kind:                 config.Kind,
				DisableTLSClientAuth: config.DisableTLSClientAuth,
			},
		})
	}
	return nil
}

// Start runs the connector again, after Close.
func (g *Gate) Start(ctx context.Context) error {
	// Servers at doors, and step-ca, find the connector at the same ports again.
	again := g.config.DoorCA != "" && g.connector != nil
	return process.RetryPort(ctx, func(ctx context.Context, port int) error {
		if !again {
			g.config.Port = port
		}
		g.config.Webhooks = nil
		if g.relayed {
			if err := g.relayTo(ctx, g.config.Port); err != nil {
				return err
			}
		}
		for _, e := range g.entrances {
			if err := g.pointWebhook(ctx, e); err != nil {
				return err
			}
			g.config.Webhooks = append(g.config.Webhooks, *e.credentials)
		}
		var err error
		if g.policies != "" {
			if err = g.SetPolicies(g.policies); err != nil {
				return err
			}
		}
		if g.health {
			if g.config.HealthPort, err = process.FreePort(ctx); err != nil {
				return err
			}
		}
		if g.config.DoorCA != "" && !again {
			if g.config.DoorPort, err = process.FreePort(ctx); err != nil {
				return err
			}
		}
		started, err := connector.Start(ctx, g.config)
		if err == nil {
			g.connector = started
		}
		return err
	})
}

// pointWebhook makes the CA call the port that the connector is about to open. The
// connector cannot start first: it needs the credentials that the CA makes here.
func (g *Gate) pointWebhook(ctx context.Context, e *entrance) error {
	before := e.webhook.URL
	e.webhook.URL = g.URL()
	if e.mode != "" && g.policies == "" {
		e.webhook.URL += "?mode=" + e.mode
	}
	if e.credentials != nil && e.webhook.URL == before {
		return nil
	}
	if e.credentials != nil {
		return g.ca.MoveWebhook(ctx, e.provisioner, e.webhook)
	}
	credentials, err := g.ca.AddWebhook(ctx, e.provisioner, e.webhook)
	if err != nil {
		return err
	}
	e.credentials = &credentials
	return nil
}

// Close stops the connector; the CA's requests then fail. The error is nil when the
// connector exited with 0.
func (g *Gate) Close() error {
	if g.connector == nil {
		return errors.New("the gate is not open")
	}
	err := g.connector.Stop()
	if g.relayed {
		err = errors.Join(err, g.relay.Close())
	}
	return err
}

// SetInventory replaces the inventory file by rename, as the documentation says.
func (g *Gate) SetInventory(content string) error {
	next := g.inventoryPath + ".new"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	if err := os.Rename(next, g.inventoryPath); err != nil {
		return fmt.Errorf("replace inventory: %w", err)
	}
	return nil
}

// RemoveWebhook removes the webhook of the first provisioner, which it does not guard any more.
func (g *Gate) RemoveWebhook(ctx context.Context) error {
	return g.ca.RemoveWebhook(ctx, g.entrances[0].provisioner, g.entrances[0].webhook.Name)
}

// Renew renews the connector's certificate in place, as an operator's timer does; rekey
// makes a new key too.
func (g *Gate) Renew(ctx context.Context, rekey bool) error {
	return g.ca.RenewServer(ctx, g.config.Certificate, g.config.Key, rekey)
}

// Certificate is the file of the connector's own certificate.
func (g *Gate) Certificate() string { return g.config.Certificate }

// Run runs a command of the connector's program with further variables.
func (g *Gate) Run(ctx context.Context, more []string, args ...string) (process.Result, error) {
	config := g.config
	config.More = append(slices.Clone(config.More), more...)
	return connector.Run(ctx, config, args...)
}

// Connector is the running connector.
func (g *Gate) Connector() *connector.Connector { return g.connector }

// URL is the webhook's address.
func (g *Gate) URL() string {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(g.config.Port))
	if g.relayed {
		address = g.relay.Address()
	}
	return "https://" + address + "/webhook/device-attest"
}

// DirectoryURL is the ACME directory of the first provisioner.
func (g *Gate) DirectoryURL() string { return g.ca.DirectoryURL(g.entrances[0].provisioner) }

// DirectoryURLOf is the ACME directory of the provisioner with the given mode. When
// no provisioner has it, the CA knows no such directory.
func (g *Gate) DirectoryURLOf(mode string) string {
	for _, e := range g.entrances {
		if e.mode == mode {
			return g.ca.DirectoryURL(e.provisioner)
		}
	}
	return g.ca.DirectoryURL("no-provisioner-for-" + mode)
}

// Lookup prints the decision about one device with the connector's program. The exit
// code is 0 for allow, 2 for deny and 1 for no decision.
func (g *Gate) Lookup(ctx context.Context, serial, mode string) (process.Result, error) {
	return connector.Run(ctx, g.config, "lookup", serial, "--mode", mode)
}
