// Package site puts together what a site has whose devices show their certificates: a step-ca that issues them through our
// webhook, the connector with its doors, and RADIUS servers and web servers that ask it. The tests and the demo use it.
package site

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/radius"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/webproxy"
)

// Names in the certificates of callers, which the policy file lists.
const (
	RADIUSCaller = "radius.example.com"
	WebCaller    = "proxy.example.com"
)

// IssuerFile is the CA of devices in the folder of the policy file.
const IssuerFile = "issuer.pem"

// Config describes a site.
type Config struct {
	CA    *stepca.CA           // runs
	Maker *device.Manufacturer // whose attestations the CA trusts
	Dir   string               // an existing, empty folder
	Files string               // the folder docs/doors
	// Gate is completed: its folder, the roots of attestations, the template, the kind of webhook, the CA of callers.
	Gate gate.Config
}

// Site is what runs.
type Site struct {
	config Config
	client *http.Client
	gate   *gate.Gate

	// PKI is that of step-ca, with which a test can issue what step-ca would not.
	PKI *doors.PKI
	// Callers is another one: its root is DOOR_CLIENT_CA_PATH.
	Callers *doors.PKI

	radius, web doors.Credential // what they present to the connector
	server      doors.Credential // what FreeRADIUS presents to devices
	page        doors.Credential // what web servers present to devices
}

// Open makes the certificates, and opens the gate. It runs until Close.
func Open(ctx context.Context, config Config) (s *Site, err error) {
	s = &Site{config: config}
	if s.client, err = config.CA.Client(); err != nil {
		return nil, err
	}
	if err := s.issue(); err != nil {
		return nil, err
	}
	c := &config.Gate
	c.Dir = filepath.Join(config.Dir, "connector")
	c.Kind, c.ServerKey = stepca.Enriching, stepca.EC
	c.Provisioner.AttestationRoots, c.Provisioner.Template = config.Maker.RootPEM(), gate.DoorTemplate
	c.DoorCA = s.Callers.Root.File
	issuer, err := os.ReadFile(s.PKI.Issuer.File)
	if err != nil {
		return nil, fmt.Errorf("read the CA of devices: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, IssuerFile), issuer, 0o600); err != nil {
		return nil, fmt.Errorf("write the CA of devices: %w", err)
	}
	s.gate, err = gate.Open(ctx, config.CA, *c)
	return s, err
}

func (s *Site) issue() error {
	for _, name := range []string{"connector", "devices", "callers"} {
		if err := os.Mkdir(filepath.Join(s.config.Dir, name), 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	authority := func(root bool) (a doors.Authority, err error) {
		a.Certificate, a.Key, err = s.config.CA.Authority(root)
		return a, err
	}
	root, err := authority(true)
	if err != nil {
		return err
	}
	issuer, err := authority(false)
	if err != nil {
		return err
	}
	if s.PKI, err = doors.Adopt(filepath.Join(s.config.Dir, "devices"), root, issuer); err != nil {
		return err
	}
	if s.Callers, err = doors.NewPKI(filepath.Join(s.config.Dir, "callers")); err != nil {
		return err
	}
	for _, c := range []struct {
		into *doors.Credential
		pki  *doors.PKI
		file string
		name string
	}{
		{&s.radius, s.Callers, "radius", RADIUSCaller},
		{&s.web, s.Callers, "web", WebCaller},
		{&s.server, s.PKI, "server", RADIUSCaller},
		{&s.page, s.PKI, "page", webproxy.Name},
	} {
		if *c.into, err = c.pki.Server(c.pki.Root, c.file, c.name); err != nil {
			return err
		}
	}
	return nil
}

// Gate has the connector.
func (s *Site) Gate() *gate.Gate { return s.gate }

// Propose writes a changed copy of the policy file beside it, which is not in effect.
func (s *Site) Propose(name string, change func(policies string) string) error {
	folder := filepath.Join(s.config.Dir, "connector")
	text, err := os.ReadFile(filepath.Join(folder, "posture.yaml"))
	if err != nil {
		return fmt.Errorf("read the policy file: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte(change(string(text))), 0o600); err != nil {
		return fmt.Errorf("write a changed policy file: %w", err)
	}
	return nil
}

// Close stops the connector. The CA goes on.
func (s *Site) Close() error {
	s.client.CloseIdleConnections()
	if s.gate == nil {
		return errors.New("the site is not open")
	}
	return s.gate.Close()
}

// Order makes a new device with this serial number, which attests to an order.
func (s *Site) Order(ctx context.Context, serial string) (*device.Device, *device.Order, error) {
	made, err := s.config.Maker.Make(serial, "00008030-"+serial)
	if err != nil {
		return nil, nil, err
	}
	order, err := made.Order(ctx, s.client, s.gate.DirectoryURL())
	return made, order, err
}

// Enrol makes a new device with this serial number, and gets its certificate from step-ca.
func (s *Site) Enrol(ctx context.Context, serial string) (doors.Credential, error) {
	made, order, err := s.Order(ctx, serial)
	if err != nil {
		return doors.Credential{}, err
	}
	certificate, err := order.Finalize(ctx)
	if err != nil {
		return doors.Credential{}, err
	}
	return s.PKI.Present(s.PKI.Issuer, "enrolled-"+certificate.SerialNumber.String(), certificate.Raw, made.Key())
}

// RADIUS starts a FreeRADIUS that asks the connector. Edit changes its configuration; it may be nil.
func (s *Site) RADIUS(ctx context.Context, edit func(*radius.Config)) (*radius.Server, error) {
	config := radius.Config{
		Files: filepath.Join(s.config.Files, "freeradius"), VLAN: "required",
		Certificate: s.server, Root: s.PKI.Root.File, DeviceIssuer: s.PKI.Issuer.File,
		URL: "https://" + s.gate.DoorAddress() + "/door/radius", CA: s.config.CA.RootPath(), Caller: s.radius,
	}
	if edit != nil {
		edit(&config)
	}
	return radius.Start(ctx, config)
}

// Web starts a web server that asks the connector, in front of an application.
func (s *Site) Web(
	ctx context.Context, start func(context.Context, webproxy.Config) (*webproxy.Proxy, error), application *webproxy.Application,
) (*webproxy.Proxy, error) {
	return start(ctx, webproxy.Config{
		Files: s.config.Files, Certificate: s.page, Root: s.PKI.Root.File, DeviceIssuer: s.PKI.Issuer.File,
		Connector: s.gate.DoorAddress(), ConnectorName: "localhost", CA: s.config.CA.RootPath(), Caller: s.web,
		Application: application.Address(),
	})
}
