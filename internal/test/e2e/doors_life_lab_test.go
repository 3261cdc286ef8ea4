package e2e_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/radius"
	"step-posture-connector/internal/test/e2e/site"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/webproxy"
)

// What a policy says of devices that show their certificate, and of those that enrol. The VLAN comes from the device's groups;
// without one, its name takes the place of the VLAN, so that a test can say what that is.
const (
	updateMessage = "Install the macOS update in System Settings, and connect again"

	sitePolicy = `policies:
  da:
    inventories: [file]
    rules:
      - name: os
        require: device.os_version.atLeast("15.4")
        code: updateRequired
        message: ` + updateMessage + `
      - name: compliant
        require: device.compliant
    data:
      vlan: '"Finance" in device.groups ? "42" : "Design" in device.groups ? "43" : device.name'
doors:
  issuers: issuer.pem
  provisioners: [acme-da]
  crl: devices.crl
  radius:
    - {callers: [radius.example.com], policy: da, vlan: data.vlan, session_timeout: 30m, cache: 10m}
  forward_auth:
    - {callers: [proxy.example.com], policy: da, cache: 10m}
`
	siteVLAN = "42"
)

// row is the known device in the inventory.
type row struct{ name, groups, version, compliant string }

func goodRow() row { return row{"Ada's Mac", "Staff;Finance", "15.4.1", "true"} }

// inventory has another device too, so that it is never empty.
func (r row) inventory() string {
	const header = "Identifier,device.name,device.groups,device.os_version,device.compliant,user.username\n"
	return header + strings.Join([]string{knownSerial, r.name, r.groups, r.version, r.compliant, "ada"}, ",") + "\n" + nobodyRow
}

const nobodyRow = "C02E2EOTHER1,Bo's Mac,Staff;Design,15.5,true,bo\n"

// siteLab is a site with the real connector, and servers that ask it.
type siteLab struct {
	*lab
	site   *site.Site
	device doors.Credential
	radius *radius.Server
	web    map[string]*webLab // by the name of the server
	lists  string             // file of the CRL
}

// newSiteLab starts FreeRADIUS and these web servers, with an application behind each.
func newSiteLab(t testing.TB, servers ...string) *siteLab {
	t.Helper()
	s := openSiteLab(t, nil)
	s.radius = s.startRADIUS(t, nil)
	for _, name := range servers {
		s.web[name] = s.startWeb(t, webServers()[name])
	}
	return s
}

// openSiteLab starts a CA and the connector, and enrols a device. Edit changes the configuration of the connector; it may be nil.
func openSiteLab(t testing.TB, edit func(*gate.Config)) *siteLab {
	t.Helper()
	s := &siteLab{lab: &lab{programs: buildPrograms(t)}, web: map[string]*webLab{}}
	s.ca = s.initCA(t, true)
	err := s.ca.EditConfig(func(config map[string]any) error {
		config["crl"] = map[string]any{"enabled": true, "generateOnRevoke": true}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.startCA(t)
	s.open(t, edit)
	if s.device, err = s.site.Enrol(t.Context(), knownSerial); err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens the site.
func (s *siteLab) open(t testing.TB, edit func(*gate.Config)) {
	t.Helper()
	config := site.Config{
		CA: s.ca, Maker: s.maker, Dir: t.TempDir(), Files: doorFiles,
		Gate: gate.Config{
			Binary: s.programs.Connector(), Provisioner: stepca.Provisioner{Name: "acme"}, Modes: []string{"da"},
			Policies: sitePolicy, Inventory: goodRow().inventory(), InventoryType: "csv", LoggingLevel: 1,
		},
	}
	s.lists = filepath.Join(config.Dir, "devices.crl")
	s.fetchLists(t, s.lists)
	config.Gate.Policies = strings.Replace(sitePolicy, "devices.crl", s.lists, 1)
	if edit != nil {
		edit(&config.Gate)
	}
	var err error
	s.site, err = site.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.site.Close(); err != nil {
			t.Errorf("stop the connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", s.site.Gate().Connector().Log())
		}
	})
}

func (s *siteLab) startRADIUS(t testing.TB, edit func(*radius.Config)) *radius.Server {
	t.Helper()
	server, err := s.site.RADIUS(context.WithoutCancel(t.Context()), edit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop FreeRADIUS: %v", err)
		}
	})
	return server
}

// startWeb starts a web server of a kind, with an application behind it.
func (s *siteLab) startWeb(t testing.TB, kind webServer) *webLab {
	t.Helper()
	w := &webLab{doorLab: &doorLab{device: s.device}, webServer: kind}
	var err error
	if w.application, err = webproxy.StartApplication(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.application.Stop(); err != nil {
			t.Errorf("stop the application: %v", err)
		}
	})
	if w.proxy, err = s.site.Web(context.WithoutCancel(t.Context()), w.start, w.application); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.proxy.Stop(); err != nil {
			t.Errorf("stop the web server: %v", err)
		}
	})
	return w
}

// enrol replaces the device's certificate, at every door.
func (s *siteLab) enrol(t *testing.T) {
	t.Helper()
	var err error
	if s.device, err = s.site.Enrol(t.Context(), knownSerial); err != nil {
		t.Fatal(err)
	}
	for _, w := range s.web {
		w.device = s.device
	}
}

// setRow changes what the inventory says of the known device, and returns when that is in effect.
func (s *siteLab) setRow(t *testing.T, inventory string) {
	t.Helper()
	g := s.site.Gate()
	before := strings.Count(g.Connector().Log(), "reloaded: ")
	if err := g.SetInventory(inventory); err != nil {
		t.Fatal(err)
	}
	s.awaitReload(t, before)
}

// awaitReload waits until the connector has reloaded a file once more.
func (s *siteLab) awaitReload(t *testing.T, before int) {
	t.Helper()
	if err := s.site.Gate().Connector().AwaitCount(t.Context(), "reloaded: ", before+1); err != nil {
		t.Fatal(err)
	}
}
