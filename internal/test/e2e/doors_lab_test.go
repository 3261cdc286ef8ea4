package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/radius"
)

// doorFiles is the folder of the configurations that we ship.
const doorFiles = "../../../docs/doors"

// accept is the connector's answer to FreeRADIUS for a device that may connect.
const accept = `{"control:Auth-Type":{"op":":=","do_xlat":false,"value":["Accept"]},` +
	`"reply:Tunnel-Type":{"op":":=","do_xlat":false,"value":["VLAN"]},` +
	`"reply:Tunnel-Medium-Type":{"op":":=","do_xlat":false,"value":["IEEE-802"]},` +
	`"reply:Tunnel-Private-Group-Id":{"op":":=","do_xlat":false,"value":["42"]},` +
	`"reply:Session-Timeout":{"op":":=","do_xlat":false,"value":["3600"]},` +
	`"reply:Termination-Action":{"op":":=","do_xlat":false,"value":["RADIUS-Request"]}}`

// doorLab is what the tests of RADIUS and web servers share: certificates, and a stub in place of the connector.
type doorLab struct {
	pki       *doors.PKI
	connector doors.Credential // what the stub presents
	caller    doors.Credential // what the server presents to the stub
	server    doors.Credential // what the server presents to devices
	device    doors.Credential
	stub      *doors.Stub
}

// newDoorLab starts a stub that answers allow to every question, in the form that each kind of server expects.
func newDoorLab(t *testing.T) *doorLab {
	t.Helper()
	pki, err := doors.NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := &doorLab{pki: pki}
	l.connector = l.issueServer(t, pki.Root, "connector", "localhost")
	l.caller = l.issueServer(t, pki.Root, "caller", "caller.example.com")
	l.server = l.issueServer(t, pki.Root, "server", "server.example.com")
	l.device = l.issueDevice(t, pki.Issuer, knownSerial)
	if l.stub, err = doors.StartStub(t.Context(), l.connector, pki.Root); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.stub.Down(); err != nil {
			t.Errorf("stop the stub: %v", err)
		}
	})
	l.stub.Answer(doors.JSON(http.StatusOK, accept))
	return l
}

func (l *doorLab) issueServer(t *testing.T, ca doors.CA, file, name string) doors.Credential {
	t.Helper()
	c, err := l.pki.Server(ca, file, name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (l *doorLab) issueDevice(t *testing.T, ca doors.CA, identifier string) doors.Credential {
	t.Helper()
	c, err := l.pki.Device(ca, identifier, "acme-da")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// radiusConfig is the configuration of FreeRADIUS with the files that we ship, in front of the stub.
func (l *doorLab) radiusConfig() radius.Config {
	return radius.Config{
		Files: doorFiles + "/freeradius", VLAN: "required",
		Certificate: l.server, Root: l.pki.Root.File, DeviceIssuer: l.pki.Issuer.File,
		URL: fmt.Sprintf("https://localhost:%d/door/radius", l.stub.Port()), CA: l.pki.Root.File, Caller: l.caller,
	}
}

// radius starts FreeRADIUS with the files that we ship. Edit changes the configuration.
func (l *doorLab) radius(t *testing.T, edit func(*radius.Config)) *radius.Server {
	t.Helper()
	config := l.radiusConfig()
	if edit != nil {
		edit(&config)
	}
	server, err := radius.Start(context.WithoutCancel(t.Context()), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("FreeRADIUS printed:\n%s", server.Log())
		}
		if err := server.Stop(); err != nil {
			t.Errorf("stop FreeRADIUS: %v", err)
		}
	})
	return server
}

// connect connects a device to the Wi-Fi.
func connect(t *testing.T, server *radius.Server, attempt radius.Login) radius.Result {
	t.Helper()
	result, err := server.Login(t.Context(), attempt)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
