package e2e_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/toolchain"
)

// Devices of the inventories below. The department would change a certificate whose
// template does not quote it.
const (
	knownSerial   = "C02E2EKNOWN1"
	unknownSerial = "C02E2ENOBODY"
	department    = `Forschung & "Büro"`
	email         = "ada@example.com"
)

const jsonInventory = `{"devices": [{
	"identifier": "C02E2EKNOWN1",
	"data": {"department": "Forschung & \"Büro\"", "email": "ada@example.com"}
}]}`

const csvInventory = `Identifier,department,email
C02E2EKNOWN1,"Forschung & ""Büro""",ada@example.com
`

// answerTimeout bounds one exchange with the CA, which gives a webhook 10 s.
const answerTimeout = 40 * time.Second

// lab is what all scenarios share: built programs, one running CA with remote
// management, and a manufacturer of devices.
type lab struct {
	programs toolchain.Toolchain
	ca       *stepca.CA
	client   *http.Client // trusts the CA
	maker    *device.Manufacturer
}

// buildPrograms builds everything that runs as a process.
func buildPrograms(t testing.TB) toolchain.Toolchain {
	t.Helper()
	programs, err := toolchain.Locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := programs.BuildTools(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := programs.BuildConnector(t.Context()); err != nil {
		t.Fatal(err)
	}
	return programs
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{programs: buildPrograms(t)}
	l.ca = l.initCA(t, true)
	l.startCA(t)
	return l
}

// initCA makes a CA that is not running yet.
func (l *lab) initCA(t testing.TB, remoteManagement bool) *stepca.CA {
	t.Helper()
	ca, err := stepca.Init(t.Context(), stepca.Config{
		StepCA:           l.programs.StepCA(),
		Step:             l.programs.Step(),
		Dir:              t.TempDir(),
		RemoteManagement: remoteManagement,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// startCA runs the lab's CA until the test ends.
func (l *lab) startCA(t testing.TB) {
	t.Helper()
	if err := l.ca.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.ca.Stop(); err != nil {
			t.Errorf("stop step-ca: %v", err)
		}
		if t.Failed() {
			t.Logf("step-ca printed:\n%s", l.ca.Log())
		}
	})
	var err error
	if l.client, err = l.ca.Client(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.CloseIdleConnections)
	if l.maker, err = device.NewManufacturer(); err != nil {
		t.Fatal(err)
	}
}

// open puts a gate for this test in front of the lab's CA. The default is an enriching
// webhook with a JSON inventory.
func (l *lab) open(t *testing.T, config gate.Config) *gate.Gate {
	t.Helper()
	config.Binary = l.programs.Connector()
	config.Dir = t.TempDir()
	config.Provisioner.Name = provisionerName(t)
	config.Provisioner.AttestationRoots = l.maker.RootPEM()
	if config.Kind == "" {
		config.Kind = stepca.Enriching
	}
	if config.Kind == stepca.Enriching && config.Provisioner.Template == "" {
		config.Provisioner.Template = gate.Template
	}
	if config.ServerKey == "" {
		config.ServerKey = stepca.EC
	}
	if config.Inventory == "" && config.Jamf == nil && config.Trusted == "" {
		config.Inventory, config.InventoryType = jsonInventory, "json"
	}
	g, err := gate.Open(t.Context(), l.ca, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("stop connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", g.Connector().Log())
		}
	})
	return g
}

// provisionerName makes a name from the test's that needs no quoting in a URL.
func provisionerName(t *testing.T) string {
	t.Helper()
	return strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune("/_, '", r) {
			return '-'
		}
		return r
	}, t.Name()))
}

// writeInventory writes jsonInventory into a folder.
func writeInventory(t *testing.T, dir string) connector.File {
	t.Helper()
	inventory := connector.File{Path: filepath.Join(dir, "inventory.json"), Type: "json"}
	writeFile(t, inventory.Path, jsonInventory)
	return inventory
}

// device makes a new device.
func (l *lab) device(t *testing.T, serial string) *device.Device {
	t.Helper()
	d, err := l.maker.Make(serial, "00008030-"+serial)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// order makes a new device with the given serial number, which attests to an ACME order.
func (l *lab) order(t *testing.T, directory, serial string) *device.Order {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	order, err := l.device(t, serial).Order(ctx, l.client, directory)
	if err != nil {
		t.Fatal(err)
	}
	return order
}

// finalize requests the certificate of an order.
func finalize(t *testing.T, order *device.Order) (*x509.Certificate, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	return order.Finalize(ctx)
}
