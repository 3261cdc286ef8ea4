package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
)

// What an expression needs of the time at which a device was last seen, however it says that.
func TestWindows(t *testing.T) {
	t.Parallel()
	s, err := policy.NewScope("jamf", "owned")
	if err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		"device.last_seen > now - days(7)":                                                     "device.last_seen 168h0m0s",
		"device.last_seen >= now - days(7)":                                                    "device.last_seen 168h0m0s",
		"now - days(7) < device.last_seen":                                                     "device.last_seen 168h0m0s",
		"now - days(7) <= device.last_seen":                                                    "device.last_seen 168h0m0s",
		"now - device.last_seen < days(7)":                                                     "device.last_seen 168h0m0s",
		"days(7) > now - device.last_seen":                                                     "device.last_seen 168h0m0s",
		"device.last_seen + days(7) > now":                                                     "device.last_seen 168h0m0s",
		"days(7) + device.last_seen > now":                                                     "device.last_seen 168h0m0s",
		`device.last_seen > now - duration("90m")`:                                             "device.last_seen 1h30m0s",
		`device.last_seen > now - duration("90m") - days(1)`:                                   "device.last_seen 25h30m0s",
		"!(now - device.last_seen > days(7))":                                                  "device.last_seen 168h0m0s",
		"!(device.last_seen < now - days(7))":                                                  "device.last_seen 168h0m0s",
		"!!(device.last_seen > now - days(7))":                                                 "device.last_seen 168h0m0s",
		"records.owned.device.last_seen > now - days(1)":                                       "records.owned.device.last_seen 24h0m0s",
		"device.managed && (device.supervised || device.last_seen > now - days(1))":            "device.last_seen 24h0m0s",
		"device.managed ? device.last_seen > now - days(1) : device.last_seen > now - days(2)": "device.last_seen 24h0m0s, device.last_seen 48h0m0s",
		"device.last_seen > now":                                                               "device.last_seen 0s",

		"device.last_seen < now - days(7)":                              "",
		"!(device.last_seen > now - days(7))":                           "",
		"now - device.last_seen > days(7)":                              "",
		"device.last_seen < now + days(1)":                              "",
		"device.last_seen > now + days(1)":                              "",
		"device.enrolled_at > now - days(7)":                            "",
		"device.last_seen > device.enrolled_at":                         "",
		"device.last_seen > records.owned.device.last_seen":             "",
		"has(device.last_seen)":                                         "",
		`device.last_seen > timestamp("2026-01-01T00:00:00Z")`:          "",
		"device.managed":                                                "",
		"device.groups.exists(g, g == 'x' && device.last_seen > now)":   "",
		"device.last_seen.getFullYear() > 2020":                         "",
		"now - records.owned.device.last_seen < now - device.last_seen": "",
	} {
		condition, faults := s.CompileCondition(expression)
		if faults != nil {
			t.Errorf("%s: %v", expression, faults)
			continue
		}
		var got []string
		for _, window := range condition.Windows() {
			got = append(got, fmt.Sprint(window.Read.Path, " ", window.Within))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %v, want %s", expression, got, want)
		}
	}
}

// A rule that needs a device which was seen later than a snapshot may be old is warned of, unless it only reports.
func TestWarningOfWindows(t *testing.T) {
	t.Parallel()
	const text = "p.yaml:5:%d: policies.default.rules[0].require: it needs a device that was seen within %s, and a snapshot of the inventory %s may be %s old: in an outage of the inventory, its devices are allowed for %s at most"
	for _, c := range []struct{ name, rule, policy, want string }{
		{"shorter", "{name: r, require: device.last_seen > now - days(1)}", "", fmt.Sprintf(text, 28, "1d", "jamf", "1d12h", "1d")},
		{"in minutes", "{name: r, require: 'device.last_seen > now - duration(\"90m\")'}", "", fmt.Sprintf(text, 28, "1h30m", "jamf", "1d12h", "1h30m")},
		{"longer", "{name: r, require: device.last_seen > now - days(2)}", "", ""},
		{"as long", "{name: r, require: 'device.last_seen > now - duration(\"36h\")'}", "", ""},
		{"of another one", "{name: r, require: records.owned.device.last_seen > now - days(6)}", "", fmt.Sprintf(text, 28, "6d", "owned", "7d", "6d")},
		{"that reports", "{name: r, enforce: false, require: device.last_seen > now - days(1)}", "", ""},
		{"from a day on", "{name: r, enforce: 2099-01-01, require: device.last_seen > now - days(1)}", "", fmt.Sprintf(text, 49, "1d", "jamf", "1d12h", "1d")},
		{"of a policy that reports", "{name: r, require: device.last_seen > now - days(1)}", "    report_only: true\n", ""},
		{"a condition", "{name: r, when: device.last_seen > now - days(1), require: device.managed}", "", ""},
	} {
		content := "policies:\n  default:\n    also_in: [owned]\n    rules:\n      - " + c.rule + "\n" + c.policy
		d, root, err := document.Parse("p.yaml", []byte(content), section())
		if err != nil {
			t.Fatal(err)
		}
		ages := map[string]time.Duration{"jamf": 36 * time.Hour, "owned": 7 * 24 * time.Hour}
		r := policy.Reader{Inventories: []string{"jamf", "owned", "other"}, DefaultInventory: "jamf", MaxAge: func(name string) time.Duration { return ages[name] }}
		r.Read(root.Mapping().Get("policies"))
		if got := d.Warnings().Error(); got != c.want || len(d.Faults()) > 0 {
			t.Errorf("%s:\n got  %s\n want %s\n faults %v", c.name, got, c.want, d.Faults())
		}
	}
}
