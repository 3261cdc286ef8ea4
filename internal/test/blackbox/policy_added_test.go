//go:build linux

package blackbox_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

// TestInventoryIsAdded: one that a reload adds is contacted as at start, and what it says is in the log and in /readyz; the
// others go on.
func TestInventoryIsAdded(t *testing.T) {
	t.Parallel()
	s := newTwoServers(t, []jamftest.Device{program.Mac("C0000EU1")}, []jamftest.Device{program.Mac("C0000US1")})
	rest := func(inventories string) string {
		return "policies:\n  staff: {inventories: [" + inventories + "], mode: computer, data: {}}\n" + s.hooks(t, "staff")
	}
	onlyEU := strings.SplitAfter(s.servers(), "\n")
	text := onlyEU[0]
	for _, line := range onlyEU[1:] {
		if strings.HasPrefix(line, "  eu:") {
			text += line
		}
	}
	s.Write(t, text+rest("eu"))
	d := program.StartDaemon(t, s.env)
	s.WriteFile(t, "us.secret", "not-the-secret")
	s.Write(t, s.servers()+rest("eu, us"))
	d.Eventually(t, "/readyz says that us refuses the credentials", func() bool {
		_, status, wrong := d.Ready(t)
		return status == "degraded" && strings.Contains(wrong["provider"], "after a reload, inventory us (jamf): ")
	})
	d.AwaitLog(t, `level=warning msg="inventory us (jamf): `, 1)
	s.caller(t, d, 1).WantAllow(t, "C0000EU1", `{}`)
	s.WriteFile(t, "us.secret", s.us.Client().Secret)
	d.AwaitLog(t, "inventory us (jamf): Jamf Pro", 1)
	if _, status, wrong := d.Ready(t); status != "ok" {
		t.Errorf("/readyz = %s %q", status, wrong)
	}
	if n := s.eu.TokensIssued(); n != 1 {
		t.Errorf("%d tokens of eu, want 1", n)
	}
	if strings.Contains(d.Output(), "not-the-secret") {
		t.Error("the log shows a secret")
	}
}
