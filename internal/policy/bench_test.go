package policy_test

import (
	"testing"

	"step-posture-connector/internal/policy"
)

func policyScope() (*policy.Scope, error) { return policy.NewScope("jamf_eu", "owned") }

func BenchmarkEvaluate(b *testing.B) {
	s, err := policyScope()
	if err != nil {
		b.Fatal(err)
	}
	c, faults := s.CompileCondition(`device.os_version.atLeast("15.4") && device.managed && "Finance" in device.groups`)
	if faults != nil {
		b.Fatal(faults)
	}
	q := question()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Evaluate(q)
	}
}

func BenchmarkCompile(b *testing.B) {
	s, err := policyScope()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, faults := s.CompileCondition(`device.os_version.atLeast("15.4") && device.managed && "Finance" in device.groups`); faults != nil {
			b.Fatal(faults)
		}
	}
}

func BenchmarkScope(b *testing.B) {
	for b.Loop() {
		_, _ = policyScope()
	}
}
