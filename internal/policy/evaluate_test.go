package policy_test

import (
	"errors"
	"testing"
	"time"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

func question() *posture.Evidence {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	version, _ := posture.ParseVersion("15.4.1")
	return &posture.Evidence{
		Now: now, Inventory: "jamf_eu",
		Request: posture.Request{Door: "webhook", Kind: "enriching", Mode: "computer", Identifier: "C02XK1JKLVCG", KeyBits: 256, Names: []string{"C02XK1JKLVCG"}},
		Deciding: &posture.Device{
			Identifier: "C02XK1JKLVCG", Type: posture.Computer,
			Facts: posture.Facts{
				OS: posture.Known("macOS"), OSVersion: posture.Known(version), Managed: posture.Known(true), Encrypted: posture.Known(false),
				LastSeen: posture.Known(now.Add(-48 * time.Hour)), Groups: posture.Known([]string{"Finance"}),
				Attributes: posture.Known(map[string]string{"Asset tag": "17"}), User: posture.UserFacts{Department: posture.Known("Finance")},
			},
		},
		Answers: map[string]posture.Answer{"jamf_eu": {}, "owned": {Record: &posture.Device{Identifier: "c02xk1jklvcg"}}, "down": {Err: errors.New("down")}, "empty": {}},
	}
}

// What is true is met, what is false is unmet, and what needs an unknown fact is unknown, unless the rest of the expression
// settles it.
func TestTruth(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	for text, want := range map[string]policy.Result{
		`device.managed`:                                                     policy.Met,
		`!device.managed`:                                                    policy.Unmet,
		`device.encrypted`:                                                   policy.Unmet,
		`device.compliant`:                                                   policy.Unknown,
		`!device.compliant`:                                                  policy.Unknown,
		`device.compliant == false`:                                          policy.Unknown,
		`device.compliant != true`:                                           policy.Unknown,
		`device.compliant || device.managed`:                                 policy.Met,
		`device.managed || device.compliant`:                                 policy.Met,
		`device.compliant || device.encrypted`:                               policy.Unknown,
		`device.compliant && device.encrypted`:                               policy.Unmet,
		`device.encrypted && device.compliant`:                               policy.Unmet,
		`device.compliant && device.managed`:                                 policy.Unknown,
		`device.managed ? device.encrypted : device.compliant`:               policy.Unmet,
		`device.compliant ? true : true`:                                     policy.Unknown,
		`has(device.compliant)`:                                              policy.Unmet,
		`has(device.managed)`:                                                policy.Met,
		`!has(device.compliant) || device.compliant`:                         policy.Met,
		`device.os_version.atLeast("15.4")`:                                  policy.Met,
		`device.os_version.atLeast("15.4.1.1")`:                              policy.Unmet,
		`device.os_version.below("16")`:                                      policy.Met,
		`device.os_version == device.os_version`:                             policy.Met,
		`records.owned.device.os_version == device.os_version`:               policy.Unknown,
		`string(device.os_version) == "15.4.1"`:                              policy.Met,
		`device.os_version.atLeast(device.attributes["Asset tag"])`:          policy.Unmet,
		`device.os_version.atLeast(user.department)`:                         policy.Unknown,
		`device.last_seen > now - days(7)`:                                   policy.Met,
		`device.last_seen > now - days(1)`:                                   policy.Unmet,
		`device.enrolled_at < now`:                                           policy.Unknown,
		`"Finance" in device.groups`:                                         policy.Met,
		`"finance" in device.groups`:                                         policy.Unmet,
		`"x" in records.owned.device.groups`:                                 policy.Unknown,
		`device.groups.exists(g, g.startsWith("Fin"))`:                       policy.Met,
		`device.groups.all(g, g == "Finance")`:                               policy.Met,
		`device.groups.exists(g, g == user.position)`:                        policy.Unknown,
		`device.attributes["Asset tag"] == "17"`:                             policy.Met,
		`device.attributes["asset tag"] == "17"`:                             policy.Unknown,
		`has(device.attributes["Asset tag"])`:                                policy.Met,
		`has(device.attributes["asset tag"])`:                                policy.Unmet,
		`has(records.owned.device.attributes["x"])`:                          policy.Unknown,
		`records.owned.found`:                                                policy.Met,
		`records.empty.found`:                                                policy.Unmet,
		`records.down.found`:                                                 policy.Unknown,
		`has(records.down.found)`:                                            policy.Unknown,
		`has(records.down.device.name)`:                                      policy.Unknown,
		`has(records.empty.device.name)`:                                     policy.Unmet,
		`!has(records.down.device.name) || true`:                             policy.Met,
		`sameIdentifier(records.owned.device.identifier, device.identifier)`: policy.Met,
		`device.identifier == records.owned.device.identifier`:               policy.Unmet,
		`inventory == "jamf_eu"`:                                             policy.Met,
		`inventory in ["owned"]`:                                             policy.Unmet,
		`request.kind == "enriching"`:                                        policy.Met,
		`request.key_bits >= 256`:                                            policy.Met,
		`request.key_type == "EC"`:                                           policy.Unknown,
		`request.names.all(n, n == device.identifier)`:                       policy.Met,
		`device.type == "computer"`:                                          policy.Met,
		`user.department.lowerAscii() == "finance"`:                          policy.Met,
		`1 / 0 == 1`:                          policy.Unknown,
		`now.getHours() == 12`:                policy.Met,
		`now.getHours("Europe/Berlin") == 13`: policy.Met,
	} {
		c, faults := s.CompileCondition(text)
		if faults != nil {
			t.Errorf("%s: %v", text, faults)
			continue
		}
		if got, err := c.Evaluate(question()); got != want {
			t.Errorf("%s: %v (%v), want %v", text, got, err, want)
		}
	}
}
