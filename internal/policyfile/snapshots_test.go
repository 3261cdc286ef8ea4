package policyfile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/policyfile"
)

// A snapshot is read, its relative path begins at the policy file, and what is accepted but probably not meant is a warning.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	const text = `inventories:
  eu: {provider: jamf, base_url: https://eu.example.com, client_id: id, client_secret: {file: secret}, snapshot: {every: 15m, max_age: 1d12h, path: eu.json}}
  us: {provider: jamf, base_url: https://us.example.com, client_id: id, client_secret: {file: secret}}
policies:
  default:
    inventories: [eu, us]
    rules: [{name: seen, require: device.last_seen > now - days(1)}]
`
	path, s := surrounded(t, text)
	s.References = &policyfile.References{}
	f, err := policyfile.Load(path, s)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimSuffix(path, "posture.yaml") + "eu.json"
	if got := f.Inventories[0].Snapshot(); got == nil || got.Every != 15*time.Minute || got.MaxAge != 36*time.Hour || got.Path != file || f.Inventories[1].Snapshot() != nil {
		t.Errorf("got %+v and %+v", got, f.Inventories[1].Snapshot())
	}
	if got := s.References.Snapshots; !slices.Equal(got, []string{file}) {
		t.Errorf("its files are %q", got)
	}
	want := []string{
		path + ":2:136: inventories.eu.snapshot.max_age: it is more than 24h: in an outage, a device that was removed is allowed for so long",
		path + ":7:35: policies.default.rules[0].require: it needs a device that was seen within 1d, and a snapshot of the inventory eu may be 1d12h old: in an outage of the inventory, its devices are allowed for 1d at most",
		path + ": no policy asks the inventory file, which PROVIDER in the environment names",
	}
	if !slices.Equal(f.Warnings, want) {
		t.Errorf("warnings\n%s\nwant\n%s", strings.Join(f.Warnings, "\n"), strings.Join(want, "\n"))
	}
}
