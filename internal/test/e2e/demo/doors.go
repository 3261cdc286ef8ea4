package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/radius"
	"step-posture-connector/internal/test/e2e/site"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/webproxy"
)

const (
	// doorFiles is the folder of the servers' configurations that we ship.
	doorFiles = "../../../docs/doors"

	adaSerial = "C02DEMOADA01"
	boSerial  = "C02DEMOBOB01"

	staleVersion = "15.3.2"

	proposedFile = "proposed.yaml"

	// wifiPackages are Debian's.
	wifiPackages = "freeradius freeradius-rest eapoltest"
)

// shown is what the demonstrations of doors add to the setup.
type shown struct {
	site        *site.Site
	radius      *radius.Server
	application *webproxy.Application
	proxy       *webproxy.Proxy
	ada, bo     doors.Credential
}

// doorsInventory is the inventory with the version of Ada's Mac.
func doorsInventory(version string) string {
	return "Identifier,device.name,device.groups,device.os_version,device.encrypted,user.username\n" +
		adaSerial + ",Ada's Mac,Design," + version + ",true,ada\n" +
		boSerial + ",Bo's Mac,Sales,15.5,false,bo\n"
}

const (
	wifiDoor = `    data:
      vlan: '"Design" in device.groups ? "42" : "43"'
doors:
  issuers: issuer.pem
  provisioners: [devices-staff]
  radius:
    - callers: [radius.example.com]
      policy: staff
      vlan: data.vlan
      session_timeout: 30m
`
	webDoor = `doors:
  issuers: issuer.pem
  provisioners: [devices-staff]
  forward_auth:
    - callers: [proxy.example.com]
      policy: staff
`
)

// doorsPolicy is the policy of devices that enrol, and of those that connect at a door.
func doorsPolicy(door string) string {
	return `policies:
  staff:
    inventories: [file]
    rules:
      - name: os
        require: device.os_version.atLeast("15.4")
        code: updateRequired
        message: Install the macOS update in System Settings
      - name: encrypted
        require: device.encrypted
        enforce: false
` + door
}

// openSite opens a site with one door.
func openSite(ctx context.Context, s *setup, door string) error {
	dir, err := s.mkdir("site")
	if err != nil {
		return err
	}
	s.shown.site, err = site.Open(ctx, site.Config{
		CA: s.ca, Maker: s.maker, Dir: dir, Files: doorFiles,
		Gate: gate.Config{
			Binary: s.programs.Connector(), Provisioner: stepca.Provisioner{Name: "devices"}, Modes: []string{policyName},
			Policies: doorsPolicy(door), Inventory: doorsInventory("15.4.1"), InventoryType: "csv",
			More: []string{"AUDIT_LOG_PATH=" + auditLog, "AUDIT_FACTS=1"},
		},
	})
	if s.shown.site != nil {
		s.gate = s.shown.site.Gate()
	}
	return err
}

// enrol gets the certificate of a Mac.
func (s *setup) enrol(ctx context.Context, serial string) (doors.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	credential, err := s.shown.site.Enrol(ctx, serial)
	if err != nil {
		return credential, fmt.Errorf("%s got no certificate: %w\n%s", serial, err, s.gate.Connector().Log())
	}
	return credential, nil
}

// enrolled shows how the Macs get their certificates.
func enrolled(ctx context.Context, s *setup, out io.Writer) (err error) {
	fmt.Fprintf(out, "1. Two Macs enrol. The inventory, inventory.csv, has them:\n")
	indent(out, doorsInventory("15.4.1"))
	fmt.Fprintf(out, "   step-ca asks the connector, and the connector decides by %s:\n", policyFile)
	door := wifiDoor
	if s.shown.radius == nil {
		door = webDoor
	}
	indent(out, doorsPolicy(door))
	if s.shown.ada, err = s.enrol(ctx, adaSerial); err != nil {
		return err
	}
	if s.shown.bo, err = s.enrol(ctx, boSerial); err != nil {
		return err
	}
	fmt.Fprintf(out, "   => ISSUED: certificates of step-ca for %s and %s, good for a day.\n", adaSerial, boSerial)
	return nil
}

// fallBehind changes the version of Ada's Mac in the inventory.
func (s *setup) fallBehind(ctx context.Context, out io.Writer) error {
	if err := s.gate.SetInventory(doorsInventory(staleVersion)); err != nil {
		return err
	}
	line, err := s.awaitLog(ctx, "reloaded: 2 devices")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "     %s\n", line)
	return nil
}

// wouldRefuse shows which other device a rule would refuse that only reports.
func wouldRefuse(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "4. Who else would be refused? The rule encrypted only reports (enforce: false). The log says of Bo's Mac, which has connected:\n")
	line, err := s.awaitLog(ctx, "[ALLOW]", boSerial, "would-deny=encrypted", "path=/door/")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "     %s\n", line)
	fmt.Fprintf(out, "   The audit log has what the inventory said (AUDIT_FACTS=1). With the rule enforced, everybody is decided again:\n")
	err = s.shown.site.Propose(proposedFile, func(policies string) string {
		return strings.Replace(policies, "enforce: false", "enforce: true", 1)
	})
	if err != nil {
		return err
	}
	args := []string{"policy", "replay", auditLog, "--policy-file", proposedFile}
	fmt.Fprintf(out, "     $ sed 's/enforce: false/enforce: true/' %s > %s\n", policyFile, proposedFile)
	fmt.Fprintf(out, "     $ step-posture-connector %s\n", strings.Join(args, " "))
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	result, err := s.gate.Run(ctx, nil, args...)
	if err != nil {
		return err
	}
	indent(out, result.Stdout)
	if result.Status != 2 || !strings.Contains(result.Stdout, boSerial) {
		return fmt.Errorf("the replay does not name Bo's Mac (exit code %d)\n%s%s", result.Status, result.Stdout, result.Stderr)
	}
	fmt.Fprintf(out, "   => FOUND: Bo's Mac would be refused: encrypt it first, then enforce the rule.\n")
	return nil
}

// fileOf shows where a file of docs/doors is.
func fileOf(names ...string) string {
	return filepath.Join(append([]string{"docs", "doors"}, names...)...)
}
