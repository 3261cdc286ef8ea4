package daemon

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/authority"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/server"
)

// deviceCAs are what the policy file says about the certificates of devices, read from its files.
type deviceCAs struct {
	trust   *devicecert.Trust
	issuers *authority.Authorities
	revoked *authority.Revocations // nil without a list
}

// Roles of the files that the section doors names.
const (
	issuersRole authority.Role = "CA bundle of devices"
	deviceCRL   authority.Role = "revocation list of devices"
)

// openDoors reads the files of the section doors into the generation, and makes the doors.
func (s sources) openDoors(file *policyfile.File, previous, g *generation, now time.Time) config.Problems {
	problems := s.doorProblems(file)
	if file.Doors == nil || !s.webhooks {
		return problems
	}
	d := file.Doors
	issuers, err := authority.LoadAuthorities(authority.File{
		Role: issuersRole, Setting: "doors.issuers", Path: d.Issuers, Wanted: "the CA that signs the certificates of devices itself, step-ca's intermediate,",
	}, now)
	if err != nil {
		return append(problems, problemsOf(err)...)
	}
	g.warnings = append(g.warnings, issuers.Warnings(now)...)
	for _, ca := range issuers.All() {
		if bytes.Equal(ca.RawSubject, ca.RawIssuer) {
			g.warnings = append(g.warnings, "doors.issuers: "+authority.NameOf(ca)+" is a root, and step-ca signs the certificates of devices with its intermediate; those of a CA below this root are refused unless that CA is in the file too")
		}
	}
	cas := &deviceCAs{issuers: issuers, trust: &devicecert.Trust{Issuers: issuers.All(), Provisioners: d.Provisioners, AnyProvisioner: d.AnyProvisioner}}
	if d.CRL != "" {
		problems = append(problems, cas.readLists(d.CRL, previous, g, now)...)
	}
	if slices.ContainsFunc(d.Doors, func(d policyfile.Door) bool { return d.Door == posture.RADIUSDoor }) {
		for _, ca := range cas.trust.Issuers {
			if len(ca.SubjectKeyId) == 0 {
				g.warnings = append(g.warnings, "doors.issuers: "+authority.NameOf(ca)+" has no subject key identifier, by which a RADIUS server names the issuer: its certificates are refused there")
			}
		}
	}
	g.devices = cas
	return problems
}

// readLists reads the revocation lists of the issuers. An issuer that is itself on one issues no device's certificate.
func (c *deviceCAs) readLists(path string, previous, g *generation, now time.Time) config.Problems {
	var before *authority.Revocations
	if previous != nil && previous.devices != nil {
		before = previous.devices.revoked
	}
	lists, err := authority.LoadRevocations(authority.File{Role: deviceCRL, Setting: "doors.crl", Path: path}, c.issuers, before, now)
	if err != nil {
		return problemsOf(err)
	}
	c.revoked = lists
	g.warnings = append(g.warnings, lists.Warnings(now)...)
	for _, ca := range lists.Without(c.issuers) {
		g.warnings = append(g.warnings, "doors.crl: it has no list of the issuer "+authority.NameOf(ca)+", so that none of its certificates is ever revoked")
	}
	c.trust.Issuers = slices.DeleteFunc(slices.Clone(c.trust.Issuers), func(ca *x509.Certificate) bool {
		revoked := lists.FindSerial(ca.RawIssuer, ca.SerialNumber)
		if revoked != nil {
			g.warnings = append(g.warnings, "doors.issuers: "+authority.NameOf(ca)+" is revoked, and so is every certificate of it: "+revoked.String())
		}
		return revoked != nil
	})
	c.trust.Revoked = func(issuer []byte, serial *big.Int) string {
		if revoked := lists.FindSerial(issuer, serial); revoked != nil {
			return revoked.String()
		}
		return ""
	}
	return nil
}

// doorProblems compares the section doors with the environment.
func (s sources) doorProblems(file *policyfile.File) (problems config.Problems) {
	if !s.webhooks {
		return nil
	}
	const door = "DOOR_ADDRESS"
	entries := 0
	if file.Doors != nil {
		entries = len(file.Doors.Doors)
	}
	takesRADIUS := slices.ContainsFunc(file.Webhooks, func(w policyfile.Webhook) bool { return w.Takes(posture.RADIUS) })
	switch {
	case entries > 0 && !s.doors:
		problems = append(problems, config.Problem{Variable: door, Text: "not set, but the policy file has doors: nobody could ask", Accepted: "host:port of a listener for RADIUS servers and web servers"})
	case entries == 0 && s.doors:
		problems = append(problems, config.Problem{Variable: door, Text: "set, but the policy file has neither doors.radius nor doors.forward_auth: nobody may ask", Accepted: "doors in the policy file, or no DOOR_ADDRESS"})
	}
	switch {
	case takesRADIUS && file.Doors == nil:
		problems = append(problems, config.Problem{Text: "a webhook accepts radius, and the policy file has no doors.issuers: no certificate of a device could be verified; accepted: doors with issuers and provisioners"})
	case takesRADIUS && s.mutual:
		problems = append(problems, config.Problem{Variable: "ENABLE_MTLS", Text: "1, but a webhook accepts radius, and Smallstep's RADIUS server presents no client certificate", Accepted: "0, or no such webhook"})
	}
	return problems
}

// makeDoors makes the doors of a generation, after its gates; nil without any.
func (g *generation) makeDoors() *doors.Doors {
	if g.file == nil || g.file.Doors == nil || g.devices == nil {
		return nil
	}
	var entries []*doors.Entry
	for _, d := range g.file.Doors.Doors {
		e := &doors.Entry{
			Door: d.Door, Callers: d.Callers, Gate: g.gates[d.Policy], Cache: d.Cache,
			ReadsRADIUS: g.file.Policies[d.Policy].ReadsRADIUS(d.Outputs()...),
			RADIUS:      doors.RADIUS{SessionTimeout: d.SessionTimeout, Quarantine: d.Quarantine, QuarantineCodes: d.QuarantineCodes},
			ForwardAuth: doors.ForwardAuth{Header: d.Header, Identity: d.Identity},
		}
		if d.VLAN != nil {
			e.RADIUS.VLAN = d.VLAN.Text
		}
		for _, h := range d.Headers {
			e.ForwardAuth.Headers = append(e.ForwardAuth.Headers, doors.Header{Name: h.Name, Text: h.Text.Text})
		}
		entries = append(entries, e)
	}
	return doors.New(g.devices.trust, entries)
}

// doorWarnings warns where the CA of the callers is also one of devices: every device could then connect.
func (d *Daemon) doorWarnings(g *generation) (warnings []string) {
	if d.doorTLS == nil || g.devices == nil {
		return nil
	}
	for _, ca := range d.doorTLS.ClientCAs() {
		if slices.ContainsFunc(g.devices.issuers.All(), func(issuer *x509.Certificate) bool { return bytes.Equal(issuer.Raw, ca.Raw) }) {
			warnings = append(warnings, "DOOR_CLIENT_CA_PATH: "+authority.NameOf(ca)+" is in doors.issuers too: whoever has a certificate of it with a name in callers may ask about every device; let another CA issue the certificates of callers")
		}
	}
	return warnings
}

// useDoors puts the doors of a generation into effect. Fail closed: without any, those before are not kept.
func (s *service) useDoors(g *generation) { s.doors.Use(g.makeDoors()) }

func (s *service) newDoors() {
	s.doors = &doors.Handler{Now: s.now, Audit: s.audit, Record: s.record, Trust: server.Trust}
	s.useDoors(s.current)
}

// doorServer makes the server of DOOR_ADDRESS, with its metrics; nil without one.
func (s *service) doorServer(errorLog io.Writer) *server.Server {
	if s.doorTLS == nil {
		return nil
	}
	made := server.New(s.doors, s.doorTLS, doorConnections, errorLog)
	made.Notify(func(line string) { s.log.Warn("DOOR_ADDRESS: " + line) })
	s.metrics.Doors(made, server.HandshakeCauses())
	s.metrics.DeviceRevocations(func() time.Time { return s.live.Load().deviceLists().NextUpdate() })
	return made
}

// deviceLists are the revocation lists of devices' certificates; nil without any.
func (g *generation) deviceLists() *authority.Revocations {
	if g.devices == nil {
		return nil
	}
	return g.devices.revoked
}

// describeDoors says who may ask about which devices: a line for each entry.
func (d *Daemon) describeDoors() []string { return d.current.describeDoors() }

func (g *generation) describeDoors() (lines []string) {
	if g.devices == nil {
		return nil
	}
	provisioners := "every provisioner"
	if !g.file.Doors.AnyProvisioner {
		provisioners = "provisioners " + strings.Join(g.file.Doors.Provisioners, ", ")
	}
	lines = append(lines, "devices' certificates: of "+g.devices.issuers.String()+"; "+provisioners)
	if g.devices.revoked != nil {
		lines = append(lines, "devices' revocation lists: "+g.devices.revoked.String())
	}
	for _, e := range g.file.Doors.Doors {
		line := fmt.Sprintf("door %s: callers %s, policy %s", e.Door, strings.Join(e.Callers, ", "), e.Policy)
		if e.Cache > 0 {
			line += fmt.Sprintf(", answers are remembered for %s", e.Cache)
		}
		lines = append(lines, line)
	}
	return lines
}
