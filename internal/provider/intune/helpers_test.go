package intune_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/providertest"
)

const (
	serial = "C02XK1ABJHD2"
	// ample is enough time for a lookup to succeed on a busy machine.
	ample = time.Minute
)

// tolerant starts a server whose violations are no failures by themselves.
func tolerant(t *testing.T, o intunetest.Options) *intunetest.Server {
	t.Helper()
	server, err := intunetest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// started starts a server. At the end of the test its violations are failures.
func started(t *testing.T, o intunetest.Options) *intunetest.Server {
	t.Helper()
	server := tolerant(t, o)
	t.Cleanup(func() {
		for _, violation := range server.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return server
}

// configOf is a configuration for a server, with its first application.
func configOf(server *intunetest.Server) intune.Config {
	application := server.Application()
	return intune.Config{
		TenantID: server.TenantID(), ClientID: application.ID, ClientSecret: config.NewSecret([]byte(application.Secret)),
		Cloud: "worldwide", LoginURL: server.URL(), GraphURL: server.URL(), Timeout: 10, RootCAs: server.CertPool(),
	}
}

// opened makes a provider that a policy file may read facts of.
func opened(t *testing.T, c intune.Config) *intune.Provider {
	t.Helper()
	c.ReadFacts()
	return withoutPolicy(t, c)
}

func withoutPolicy(t *testing.T, c intune.Config) *intune.Provider {
	t.Helper()
	p, err := intune.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func query(t *testing.T, text string, facts posture.FactSet) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(text)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: posture.AnyDevice, Facts: facts}
}

func lookup(t *testing.T, p posture.Provider, q posture.Query) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return p.Lookup(ctx, q)
}

// within is a context that ends after some time.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// mac is a whole record.
func mac(serial string, groups ...string) intunetest.Device {
	d := intunetest.Device{
		Serial: serial, UDID: "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", Name: "Ana's Mac", Model: "MacBook Air", OS: "macOS", OSVersion: "15.5 (24F74)",
		Supervised: true, Encrypted: true, Category: "Staff",
		LastSync: time.Date(2026, 7, 29, 8, 20, 11, 0, time.UTC), Enrolled: time.Date(2025, 2, 3, 9, 0, 0, 0, time.UTC),
		User: intunetest.User{Username: "ana@example.com", RealName: "Ana Example", Email: "ana.example@example.com", Position: "Engineer", Department: "R&D"},
	}
	for _, name := range groups {
		d.Groups = append(d.Groups, intunetest.Group{Name: name})
	}
	return d
}

func phone(serial string, groups ...string) intunetest.Device {
	d := mac(serial, groups...)
	d.OS, d.OSVersion, d.Model, d.Name = "iOS", "26.0.1", "iPhone 16", "Ana's iPhone"
	return d
}

// asRecord is a device of the contract.
func asRecord(d providertest.Device, seen time.Time) intunetest.Device {
	record := phone(d.Identifier, d.Groups...)
	if d.Type == posture.Computer {
		record = mac(d.Identifier, d.Groups...)
	}
	if d.Unmanaged {
		record.Agent = "eas"
	}
	record.LastSync = seen.Add(-d.Seen)
	record.EntraID = intunetest.GroupID(rand.Text()) // of each record another one, and also without groups
	return record
}

// byName shows of groups the names only: the contract knows no object IDs.
type byName struct{ *intune.Provider }

// Lookup implements posture.Provider.
func (p byName) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	d, err := p.Provider.Lookup(ctx, q)
	if groups, known := d.Facts.Groups.Get(); known {
		d.Facts.Groups = posture.Known(slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return strings.HasPrefix(g, "id:") }))
	}
	return d, err
}

// service opens a provider on a server with the devices of the contract.
func service(t *testing.T, c func(*intunetest.Server) intune.Config, o intunetest.Options, devices []providertest.Device) providertest.Service {
	t.Helper()
	server := tolerant(t, o) // the suites ask for its violations
	seen := time.Now().Truncate(time.Second)
	replace := func(devices ...providertest.Device) {
		var records []intunetest.Device
		for _, d := range devices {
			records = append(records, asRecord(d, seen))
		}
		server.Replace(records...)
	}
	replace(devices...)
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: byName{opened(t, c(server))}, Replace: replace, Secrets: server.Secrets, Violations: server.Violations,
			Damage: func(identifier string) { server.Edit(identifier, func(d *intunetest.Device) { d.Broken = true }) },
		},
		Server: server.Server,
		Lookup: []string{intunetest.ManagedDevices},
		Token:  []string{intunetest.Token}, Expire: server.Expire, Revoke: server.Revoke,
	}
}

// pair are the files of a certificate and its key.
type pair struct{ cert, key, certPEM string }

// certified makes a certificate that is valid until then.
func certified(t *testing.T, until time.Time) pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "connector"}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return pair{
		written(t, certPEM), written(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), string(certPEM),
	}
}

// written is the path of a file with this content.
func written(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
