package posture_test

import (
	"context"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// An inventory that tells more of a device than a policy was checked for is at fault, whichever fact it is: the cost of
// rules is estimated with limits, and a reason in the log repeats versions as they are.
func TestSize(t *testing.T) {
	t.Parallel()
	const most = 4 << 10
	long := func(n int) string { return strings.Repeat("0", n-1) + "9" }
	version := func(n int) posture.Version {
		v, err := posture.ParseVersion(long(n))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, set := range map[string]func(f *posture.Facts, n int){
		"serial number":         func(f *posture.Facts, n int) { f.SerialNumber = posture.Known(long(n)) },
		"version":               func(f *posture.Facts, n int) { f.OSVersion = posture.Known(version(n)) },
		"department":            func(f *posture.Facts, n int) { f.User.Department = posture.Known(long(n)) },
		"group":                 func(f *posture.Facts, n int) { f.Groups = posture.Known([]string{"a", long(n)}) },
		"attribute":             func(f *posture.Facts, n int) { f.Attributes = posture.Known(map[string]string{"a": long(n)}) },
		"name of an attribute":  func(f *posture.Facts, n int) { f.Attributes = posture.Known(map[string]string{long(n): "a"}) },
		"groups, by the length": func(f *posture.Facts, n int) { f.Groups = posture.Known(make([]string, 10_000+n-most)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, allowed := range map[int]bool{most: true, most + 1: false} {
				record := managed(true)
				set(&record.Facts, n)
				g := posture.Gate{
					Join:   posture.Join{Inventories: []posture.Source{{Name: "a", Provider: &inventory{record: record}}}},
					Policy: posture.Policy{Name: "p"},
				}
				id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
				d, err := g.Decide(context.Background(), posture.Query{Identifier: id}, &posture.Evidence{})
				if d.Allowed() != allowed || (err == nil) != allowed {
					t.Errorf("%d bytes: allowed: %v, error %.200v; want allowed: %v", n, d.Allowed(), err, allowed)
				}
			}
		})
	}
}
