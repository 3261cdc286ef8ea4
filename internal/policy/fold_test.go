package policy_test

import (
	"fmt"
	"testing"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// What is evaluated beforehand for a literal is what is evaluated each time for the same text as a fact.
func TestLiteralIsAsAFact(t *testing.T) {
	t.Parallel()
	s, err := policy.NewScope("owned")
	if err != nil {
		t.Fatal(err)
	}
	versions := []string{"", "0", "15", "15.4", "15.4.0", "15.04", "15.4.0.1", "15.3.9", "16", "2147483647"}
	compared := 0
	for _, of := range versions {
		for _, with := range versions {
			e := question()
			facts := &e.Deciding.Facts
			facts.OSVersion, facts.Name = posture.Fact[posture.Version]{}, posture.Known(with)
			if v, err := posture.ParseVersion(of); err == nil {
				facts.OSVersion = posture.Known(v)
			}
			for _, form := range []string{`device.os_version.atLeast(%s)`, `device.os_version.below(%s)`, `!device.os_version.below(%s) || device.encrypted`} {
				literal, faults := s.CompileCondition(fmt.Sprintf(form, fmt.Sprintf("%q", with)))
				if faults != nil {
					continue // no version
				}
				fact, faults := s.CompileCondition(fmt.Sprintf(form, "device.name"))
				if faults != nil {
					t.Fatal(faults)
				}
				got, gotErr := literal.Evaluate(e)
				want, wantErr := fact.Evaluate(e)
				if got != want || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
					t.Errorf("%q in %s %q is %v, %v, but with a fact %v, %v", of, form, with, got, gotErr, want, wantErr)
				}
				compared++
			}
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
}
