package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// tenRules are rules that people ask for.
func tenRules() []string {
	return []string{
		`device.last_seen > now - days(7)`,
		`device.os_version.atLeast("15.4")`,
		`device.os == "macOS" && device.os_version.atLeast("15.4") || device.os == "iOS" && device.os_version.atLeast("18")`,
		`!device.encrypted`,
		`"Finance" in device.groups`,
		`user.department == "Finance"`,
		`device.attributes["Asset tag"] == "17"`,
		`records.owned.found`,
		`device.groups.exists(g, g.startsWith("Fin"))`,
		`has(device.name) || device.last_seen > now - days(30)`,
	}
}

func benchPolicy(b *testing.B, texts []string) *policy.Policy {
	b.Helper()
	s, err := policy.NewScope("jamf_eu", "owned")
	if err != nil {
		b.Fatal(err)
	}
	p := &policy.Policy{Name: "p", Inventories: []string{"jamf_eu"}, AlsoIn: []string{"owned"}}
	for i, text := range texts {
		c, faults := s.CompileCondition(text)
		if faults != nil {
			b.Fatalf("%s: %v", text, faults)
		}
		p.Rules = append(p.Rules, &policy.Rule{Name: fmt.Sprintf("r%d", i), Require: c})
	}
	return p
}

// What rules add to a decision that allows, and to one that refuses and so has reasons.
func BenchmarkEvaluate(b *testing.B) {
	ten := tenRules()
	sixtyFour := strings.Split(strings.TrimSuffix(strings.Repeat(strings.Join(ten, "\n")+"\n", 7), "\n"), "\n")[:64]
	refused := question()
	refused.Deciding = &posture.Device{}
	for _, c := range []struct {
		name  string
		texts []string
		e     *posture.Evidence
	}{
		{"rules=1", ten[:1], question()},
		{"rules=10", ten, question()},
		{"rules=64", sixtyFour, question()},
		{"refused=1", ten[:1], refused},
		{"refused=10", ten, refused},
	} {
		p := benchPolicy(b, c.texts)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Evaluate(c.e)
			}
		})
	}
	e := question()
	for _, text := range ten {
		p := benchPolicy(b, []string{text})
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Evaluate(e)
			}
		})
	}
}

// content is a policy file's section with as many policies; those of the same number mod apart may read the same inventories.
func content(policies, rules, apart int) string {
	var text strings.Builder
	text.WriteString("policies:\n")
	for i := range policies {
		fmt.Fprintf(&text, "  p%d:\n    inventories: [i%d]\n    also_in: [owned]\n    rules:\n", i, i%apart)
		for j := range rules {
			fmt.Fprintf(&text, "      - {name: r%d, require: '%s && request.key_bits >= %d'}\n", j, tenRules()[j%10], i*rules+j)
		}
	}
	return text.String()
}

// How long it takes to read and compile policies: rules are all different here.
func BenchmarkLoad(b *testing.B) {
	inventories := []string{"owned"}
	for i := range 256 {
		inventories = append(inventories, fmt.Sprintf("i%d", i))
	}
	for _, c := range []struct{ policies, rules, apart int }{{1, 1, 1}, {1, 64, 1}, {256, 7, 256}, {256, 7, 1}} {
		text := []byte(content(c.policies, c.rules, c.apart))
		b.Run(fmt.Sprintf("policies=%d/rules=%d/scopes=%d", c.policies, c.rules, c.apart), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, root, err := document.Parse("p.yaml", text, section())
				if err != nil {
					b.Fatal(err)
				}
				r := policy.Reader{Inventories: inventories}
				r.Read(root.Mapping().Get("policies"))
				if len(d.Faults()) > 0 {
					b.Fatal(d.Faults())
				}
			}
		})
	}
}
