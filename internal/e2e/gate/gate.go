// Package gate puts a connector in front of an ACME provisioner of a CA: the
// whole of what an operator sets up, and what the tests and the demo then use.
package gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"step-posture-connector/internal/e2e/connector"
	"step-posture-connector/internal/e2e/process"
	"step-posture-connector/internal/e2e/stepca"
)

// WebhookName is the name of every gate's webhook, and therefore where a
// certificate template finds the inventory's data: .Webhooks.posture.
const WebhookName = "posture"

// Template is a certificate template that puts the department and the e-mail
// address of the inventory into the certificate. The common name is taken from
// the attested identifier, because a request need not have one. toJson is what
// keeps a value with a quotation mark in it a value; without it, whoever may
// edit the inventory could write certificates.
const Template = `{
  "subject": {
    "commonName": {{ toJson (index .SANs 0).Value }},
    "organizationalUnit": {{ toJson .Webhooks.posture.department }}
  },
  "sans": [
    {"type": "permanentIdentifier", "value": {{ toJson (index .SANs 0).Value }}},
    {"type": "email", "value": {{ toJson .Webhooks.posture.email }}}
  ],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"]
}
`

// Config describes a gate.
type Config struct {
	Binary        string             // the connector
	Dir           string             // an existing, empty folder
	Provisioner   stepca.Provisioner // to be added to the CA
	Kind          stepca.Kind
	ServerKey     stepca.KeyType
	Inventory     string // content of the inventory file
	InventoryType string // csv or json
	MutualTLS     bool
	AllowedNames  string // MTLS_ALLOWED_NAMES
	// DisableTLSClientAuth is a setting of the webhook in the CA.
	DisableTLSClientAuth bool
}

// Gate is a provisioner and the connector that guards it.
type Gate struct {
	ca          *stepca.CA
	provisioner string
	added       bool // whether the CA has the webhook already
	webhook     stepca.Webhook
	config      connector.Config
	connector   *connector.Connector
}

// Open adds a provisioner with a webhook to the running CA and starts the
// connector that the webhook points to. It ends with Close or with ctx.
func Open(ctx context.Context, ca *stepca.CA, config Config) (*Gate, error) {
	g := &Gate{
		ca:          ca,
		provisioner: config.Provisioner.Name,
		webhook: stepca.Webhook{
			Name:                 WebhookName,
			Kind:                 config.Kind,
			DisableTLSClientAuth: config.DisableTLSClientAuth,
		},
		config: connector.Config{
			Binary: config.Binary,
			Dir:    config.Dir,
			Inventory: connector.Inventory{
				Path: filepath.Join(config.Dir, "inventory."+config.InventoryType),
				Type: config.InventoryType,
			},
			AllowedNames: config.AllowedNames,
		},
	}
	if config.MutualTLS {
		g.config.ClientRoots = ca.RootPath()
	}
	if err := g.SetInventory(config.Inventory); err != nil {
		return nil, err
	}
	if err := ca.AddProvisioner(ctx, config.Provisioner); err != nil {
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

// Start runs the connector of a gate whose connector was stopped.
func (g *Gate) Start(ctx context.Context) error {
	return process.RetryPort(ctx, func(ctx context.Context, port int) error {
		g.config.Port = port
		if err := g.pointWebhook(ctx); err != nil {
			return err
		}
		var err error
		g.connector, err = connector.Start(ctx, g.config)
		return err
	})
}

// pointWebhook has the CA call the port that the connector is about to open. The
// connector cannot come first: it needs the credentials that the CA makes here.
func (g *Gate) pointWebhook(ctx context.Context) error {
	g.webhook.URL = g.URL()
	if g.added {
		return g.ca.MoveWebhook(ctx, g.provisioner, g.webhook)
	}
	var err error
	g.config.Webhook, err = g.ca.AddWebhook(ctx, g.provisioner, g.webhook)
	g.added = err == nil
	return err
}

// Close stops the connector; what then asks for a certificate finds nobody
// there. The error is nil when the connector exited with 0.
func (g *Gate) Close() error {
	if g.connector == nil {
		return errors.New("the gate is not open")
	}
	return g.connector.Stop()
}

// SetInventory writes the inventory file, which a connector reads when it starts.
func (g *Gate) SetInventory(content string) error {
	if err := os.WriteFile(g.config.Inventory.Path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	return nil
}

// Connector is the running connector.
func (g *Gate) Connector() *connector.Connector { return g.connector }

// URL is the webhook's address.
func (g *Gate) URL() string {
	return "https://127.0.0.1:" + strconv.Itoa(g.config.Port) + "/webhook/device-attest"
}

// DirectoryURL is where a device begins that asks for a certificate.
func (g *Gate) DirectoryURL() string { return g.ca.DirectoryURL(g.provisioner) }
