package daemon

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

// returner is a provider that describes which data about a type of device it returns for the certificate.
type returner interface {
	Returns(t posture.DeviceType) string
}

// describeRest names the webhooks, what is required and returned, and where the daemon listens and writes.
func (d *Daemon) describeRest() []string {
	var hooks []string
	for _, hook := range d.current.hooks {
		if hook.Name != "" && hook.Name != hook.ID {
			hooks = append(hooks, hook.Name+" "+hook.ID)
		} else {
			hooks = append(hooks, hook.ID)
		}
	}
	if d.current.bearer != nil {
		hooks = append(hooks, "at /webhook the one that has WEBHOOK_KEY")
	}
	lines := []string{"webhooks: " + orNone(hooks)}
	lines = append(lines, d.current.describePolicy()...)
	return append(lines, d.describePaths()...)
}

// describePolicy says what is required of devices and what is returned about them.
func (g *generation) describePolicy() []string {
	if g.file == nil {
		return g.inventories[0].describe()
	}
	lines := []string{"policy file: hash " + g.file.Hash}
	for _, i := range g.inventories {
		for _, line := range i.describe() {
			lines = append(lines, i.title()+": "+line)
		}
	}
	return slices.Concat(lines, g.describeCopies(), g.describePolicies())
}

// describePolicies says which policies are in effect, and for which webhooks and callers of doors: a line for each.
func (g *generation) describePolicies() (lines []string) {
	if g.file == nil {
		return nil
	}
	for _, name := range g.policyNames() {
		lines = append(lines, g.describeGate(name))
	}
	return lines
}

// callersOf are the names of the webhooks that have a policy, and those of the callers of doors that have it.
func (g *generation) callersOf(policy string) (webhooks, doors []string) {
	for _, hook := range g.hooks {
		if hook.Gate == g.gates[policy] {
			webhooks = append(webhooks, hook.Name)
		}
	}
	if g.file == nil || g.file.Doors == nil {
		return webhooks, nil
	}
	for _, d := range g.file.Doors.Doors {
		if d.Policy == policy {
			doors = append(doors, d.Callers...)
		}
	}
	return webhooks, doors
}

// describe says for each type of device that the inventory distinguishes what is required of it and what is
// returned about it. It shows the operator a group that is not required by mistake.
func (i *inventory) describe() []string {
	types := []struct {
		name string
		is   posture.DeviceType
	}{{"computers", posture.Computer}, {"mobile devices", posture.MobileDevice}}
	if i.DefaultType == "" {
		types = types[:1]
		types[0].name, types[0].is = "devices", ""
		if i.Requirements.Groups[posture.Computer] == i.Requirements.Groups[posture.MobileDevice] {
			types[0].is = posture.Computer // one group for all types
		}
	}
	var lines []string
	for _, t := range types {
		line := t.name + ": no group is required"
		if group := i.Requirements.Groups[t.is]; group != "" {
			line = fmt.Sprintf("%s: must be in the group %s", t.name, strconv.Quote(group))
		}
		if i.Requirements.Compliant {
			line += "; must be compliant"
		}
		if i.Requirements.AllowUnmanaged {
			line += "; unmanaged ones are allowed too"
		}
		if r, ok := i.Provider.(returner); ok {
			line += "; " + r.Returns(t.is)
		}
		lines = append(lines, line)
	}
	return lines
}

// describeGate says which inventories a policy of the file asks, which rules it has, and for which webhooks and callers of doors.
func (g *generation) describeGate(name string) string {
	p := g.file.Policies[name]
	parts := []string{"inventories " + strings.Join(p.Inventories, ", ")}
	if len(p.AlsoIn) > 0 {
		parts = append(parts, "also in "+strings.Join(p.AlsoIn, ", "))
	}
	var enforced, reported []string
	for _, r := range p.Rules {
		switch {
		case r.ReportOnly || p.ReportOnly:
			reported = append(reported, r.Name)
		case time.Now().Before(r.EnforcedFrom):
			reported = append(reported, r.Name+" (refuses from "+r.EnforcedFrom.Format(time.DateOnly)+" on)")
		default:
			enforced = append(enforced, r.Name)
		}
	}
	parts = append(parts, "rules: "+orNone(enforced))
	if len(reported) > 0 {
		parts = append(parts, "rules that only report: "+strings.Join(reported, ", "))
	}
	if p.ReportOnly {
		parts = append(parts, "required groups only report too")
	}
	if p.AllowUnmanaged {
		parts = append(parts, "unmanaged devices are allowed")
	} else if lenient := g.lenient(slices.Concat(p.Inventories, p.AlsoIn)); len(lenient) > 0 {
		parts = append(parts, "unmanaged devices of "+strings.Join(lenient, ", ")+" are allowed")
	}
	if p.Token != nil {
		parts = append(parts, "an enrolment token is required")
	}
	if p.Data != nil {
		var names []string
		for _, d := range p.Data {
			names = append(names, d.Name)
		}
		parts = append(parts, "data: "+orNone(names))
	}
	webhooks, doors := g.callersOf(name)
	if len(webhooks) > 0 || len(doors) == 0 {
		parts = append(parts, "webhooks: "+orNone(webhooks))
	}
	if len(doors) > 0 {
		parts = append(parts, "callers at doors: "+strings.Join(doors, ", "))
	}
	return "policy " + name + ": " + strings.Join(parts, "; ")
}

// lenient are those of the named inventories that allow unmanaged devices by their own settings.
func (g *generation) lenient(names []string) (lenient []string) {
	for _, i := range g.inventories {
		if i.Requirements.AllowUnmanaged && slices.Contains(names, i.Name) {
			lenient = append(lenient, i.Name)
		}
	}
	return lenient
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// describePaths says where the daemon listens and writes.
func (d *Daemon) describePaths() []string {
	audit, bind, health := "none", "all interfaces", "none"
	if d.config.AuditLogPath != "" {
		audit = string(d.config.AuditLogPath)
		if d.config.AuditChain {
			audit += ", chained"
		}
	}
	if address := string(d.config.BindAddress); address != "" && !unspecified(address) {
		bind = address
	}
	if !d.config.HealthAddress.Off() {
		health = string(d.config.HealthAddress)
	}
	lines := []string{
		"audit log: " + audit,
		fmt.Sprintf("webhook listener: %s, port %d", bind, d.config.Port),
	}
	if clients := d.current.clientNames(); len(clients) > 0 {
		lines = append(lines, "clients that may have enrolment tokens issued: "+strings.Join(clients, ", "))
	}
	if !d.config.APIAddress.Off() {
		lines = append(lines, "API listener without TLS: "+string(d.config.APIAddress))
	}
	if d.doorTLS != nil {
		lines = append(lines, "door listener: "+string(d.config.DoorAddress)+"; callers need a certificate of the CA in "+
			string(d.config.DoorClientCAPath)+" ("+d.doorTLS.DescribeCAs()+")")
	}
	return append(lines, "health listener: "+health)
}

// unspecified reports whether an address means all addresses of the machine.
func unspecified(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsUnspecified()
}
