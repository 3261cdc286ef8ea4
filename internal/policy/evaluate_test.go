package policy_test

import (
	"errors"
	"testing"
	"time"

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
		Answers: []posture.Answer{{Inventory: "jamf_eu"}, {Inventory: "owned", Record: &posture.Device{Identifier: "c02xk1jklvcg"}}, {Inventory: "down", Err: errors.New("down")}, {Inventory: "empty"}},
	}
}

// What is true is met, what is false is unmet, and what needs an unknown fact is unknown, unless the rest of the expression
// settles it.
func TestTruth(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	for text, want := range map[string]posture.Result{
		`device.managed`:                                                     posture.Met,
		`!device.managed`:                                                    posture.Unmet,
		`device.encrypted`:                                                   posture.Unmet,
		`device.compliant`:                                                   posture.Unknown,
		`!device.compliant`:                                                  posture.Unknown,
		`device.compliant == false`:                                          posture.Unknown,
		`device.compliant != true`:                                           posture.Unknown,
		`device.compliant || device.managed`:                                 posture.Met,
		`device.managed || device.compliant`:                                 posture.Met,
		`device.compliant || device.encrypted`:                               posture.Unknown,
		`device.compliant && device.encrypted`:                               posture.Unmet,
		`device.encrypted && device.compliant`:                               posture.Unmet,
		`device.compliant && device.managed`:                                 posture.Unknown,
		`device.managed ? device.encrypted : device.compliant`:               posture.Unmet,
		`device.compliant ? true : true`:                                     posture.Unknown,
		`has(device.compliant)`:                                              posture.Unmet,
		`has(device.managed)`:                                                posture.Met,
		`!has(device.compliant) || device.compliant`:                         posture.Met,
		`device.os_version.atLeast("15.4")`:                                  posture.Met,
		`device.os_version.atLeast("15.4.1.1")`:                              posture.Unmet,
		`device.os_version.below("16")`:                                      posture.Met,
		`device.os_version == device.os_version`:                             posture.Met,
		`records.owned.device.os_version == device.os_version`:               posture.Unknown,
		`string(device.os_version) == "15.4.1"`:                              posture.Met,
		`device.os_version.atLeast(device.attributes["Asset tag"])`:          posture.Unmet,
		`device.os_version.atLeast(user.department)`:                         posture.Unknown,
		`device.last_seen > now - days(7)`:                                   posture.Met,
		`device.last_seen > now - days(1)`:                                   posture.Unmet,
		`device.enrolled_at < now`:                                           posture.Unknown,
		`"Finance" in device.groups`:                                         posture.Met,
		`"finance" in device.groups`:                                         posture.Unmet,
		`"x" in records.owned.device.groups`:                                 posture.Unknown,
		`device.groups.exists(g, g.startsWith("Fin"))`:                       posture.Met,
		`device.groups.all(g, g == "Finance")`:                               posture.Met,
		`device.groups.exists(g, g == user.position)`:                        posture.Unknown,
		`device.attributes["Asset tag"] == "17"`:                             posture.Met,
		`device.attributes["asset tag"] == "17"`:                             posture.Unknown,
		`has(device.attributes["Asset tag"])`:                                posture.Met,
		`has(device.attributes["asset tag"])`:                                posture.Unmet,
		`has(records.owned.device.attributes["x"])`:                          posture.Unmet,
		`has(records.down.device.attributes["x"])`:                           posture.Unknown,
		`has(records.empty.device.attributes["x"])`:                          posture.Unmet,
		`records.owned.found`:                                                posture.Met,
		`records.empty.found`:                                                posture.Unmet,
		`records.down.found`:                                                 posture.Unknown,
		`has(records.down.found)`:                                            posture.Unknown,
		`has(records.down.device.name)`:                                      posture.Unknown,
		`has(records.empty.device.name)`:                                     posture.Unmet,
		`!has(records.down.device.name) || true`:                             posture.Met,
		`sameIdentifier(records.owned.device.identifier, device.identifier)`: posture.Met,
		`device.identifier == records.owned.device.identifier`:               posture.Unmet,
		`inventory == "jamf_eu"`:                                             posture.Met,
		`inventory in ["owned"]`:                                             posture.Unmet,
		`request.kind == "enriching"`:                                        posture.Met,
		`request.key_bits >= 256`:                                            posture.Met,
		`request.key_type == "EC"`:                                           posture.Unknown,
		`request.names.all(n, n == device.identifier)`:                       posture.Met,
		`device.type == "computer"`:                                          posture.Met,
		`user.department.lowerAscii() == "finance"`:                          posture.Met,
		`1 / 0 == 1`:                          posture.Unknown,
		`now.getHours() == 12`:                posture.Met,
		`now.getHours("Europe/Berlin") == 13`: posture.Met,
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

// The parts of a time are those of the zone, as CEL numbers them; a zone that does not exist is unknown where it is computed.
func TestZones(t *testing.T) {
	t.Parallel()
	s, e := scope(t, "jamf_eu"), question() // 2026-01-10 12:00 UTC, a Saturday
	e.Now = e.Now.Add(11*time.Hour + 7*time.Minute + 8*time.Second + 9*time.Millisecond)
	e.Deciding.Facts.Attributes = posture.Known(map[string]string{"zone": "Asia/Kolkata", "local": "Local", "wrong": "Mars/Olympus"})
	for text, want := range map[string]posture.Result{
		`now.getFullYear("Europe/Berlin") == 2026`:                         posture.Met,
		`now.getMonth("Europe/Berlin") == 0`:                               posture.Met,
		`now.getDate("Europe/Berlin") == 11`:                               posture.Met,
		`now.getDate() == 10`:                                              posture.Met,
		`now.getDayOfMonth("Europe/Berlin") == 10`:                         posture.Met,
		`now.getDayOfYear("Europe/Berlin") == 10`:                          posture.Met,
		`now.getDayOfWeek("Europe/Berlin") == 0`:                           posture.Met,
		`now.getHours("Europe/Berlin") == 0`:                               posture.Met,
		`now.getMinutes("Asia/Kolkata") == 37`:                             posture.Met,
		`now.getSeconds("Asia/Kolkata") == 8`:                              posture.Met,
		`now.getMilliseconds("Asia/Kolkata") == 9`:                         posture.Met,
		`now.getHours("-02:30") == 20 && now.getMinutes("-02:30") == 37`:   posture.Met,
		`now.getHours("+14:00") == 13`:                                     posture.Met,
		`now.getMinutes(device.attributes["zone"]) == 37`:                  posture.Met,
		`now.getHours(device.attributes["local"]) >= 0`:                    posture.Unknown,
		`now.getHours(device.attributes["wrong"]) >= 0`:                    posture.Unknown,
		`now.getHours(device.attributes["absent"]) >= 0`:                   posture.Unknown,
		`(device.last_seen - device.last_seen).getHours() == 0`:            posture.Met,
		`device.enrolled_at.getHours("Europe/Berlin") == 0`:                posture.Unknown,
		`now.getHours(device.managed ? "Europe/Berlin" : "UTC") == 0`:      posture.Met,
		`duration("90m").getMinutes() == 90 && now.getHours("UTC") == 23`:  posture.Met,
		`now.getHours(inventory == "jamf_eu" ? "Asia/Tokyo" : "UTC") == 8`: posture.Met,
	} {
		check(t, s, e, text, want)
	}
}
