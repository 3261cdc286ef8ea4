package daemon

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"step-posture-connector/internal/posture"
)

// returner is a provider that describes which data about a type of device it returns for the certificate.
type returner interface {
	Returns(t posture.DeviceType) string
}

// describeRest names the webhooks, what is required and returned, and where the daemon listens and writes.
func (d *Daemon) describeRest() []string {
	lines := []string{"webhooks: " + strings.Join(d.config.WebhookIDs, ", ")}
	lines = append(lines, d.describePolicy()...)
	return append(lines, d.describePaths()...)
}

// describePolicy says for each type of device that the inventory distinguishes what is required of it and what is
// returned about it. It shows the operator a group that is not required by mistake.
func (i *Inventory) describePolicy() []string {
	types := []struct {
		name string
		is   posture.DeviceType
	}{{"computers", posture.Computer}, {"mobile devices", posture.MobileDevice}}
	if i.decider.DefaultType == "" {
		types = types[:1]
		types[0].name, types[0].is = "devices", ""
	}
	var lines []string
	for _, t := range types {
		line := t.name + ": no group is required"
		if group := i.decider.Policy.RequiredGroups[t.is]; group != "" {
			line = fmt.Sprintf("%s: must be in the group %s", t.name, strconv.Quote(group))
		}
		if i.decider.Policy.AllowUnmanaged {
			line += "; unmanaged ones are allowed too"
		}
		if r, ok := i.decider.Provider.(returner); ok {
			line += "; " + r.Returns(t.is)
		}
		lines = append(lines, line)
	}
	return lines
}

// describePaths says where the daemon listens and writes.
func (d *Daemon) describePaths() []string {
	audit, bind, health := "none", "all interfaces", "none"
	if d.config.AuditLogPath != "" {
		audit = string(d.config.AuditLogPath)
	}
	if address := string(d.config.BindAddress); address != "" && !unspecified(address) {
		bind = address
	}
	if !d.config.HealthAddress.Off() {
		health = string(d.config.HealthAddress)
	}
	return []string{
		"audit log: " + audit,
		fmt.Sprintf("webhook listener: %s, port %d", bind, d.config.Port),
		"health listener: " + health,
	}
}

// unspecified reports whether an address means all addresses of the machine.
func unspecified(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsUnspecified()
}
