package provider_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

// TestOpen: what a provider's variables ask of a device is in the policy that decides, for each provider.
func TestOpen(t *testing.T) {
	t.Parallel()
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	if err := os.WriteFile(inventory, []byte("Identifier\nC02XK1ABJHD2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := map[string]string{"FILE_PATH": inventory, "FILE_TYPE": "csv"}
	jamf := map[string]string{"JAMF_BASE_URL": "https://mdm.example", "JAMF_CLIENT_ID": "x", "JAMF_CLIENT_SECRET": "x"}
	with := func(environ map[string]string, more ...string) map[string]string {
		environ = maps.Clone(environ)
		for pair := range slices.Chunk(more, 2) {
			environ[pair[0]] = pair[1]
		}
		return environ
	}
	groups := func(pairs ...string) posture.Requirements {
		required := posture.Requirements{Groups: map[posture.DeviceType]string{}}
		for pair := range slices.Chunk(pairs, 2) {
			required.Groups[posture.DeviceType(pair[0])] = pair[1]
		}
		return required
	}
	lenient := groups()
	lenient.AllowUnmanaged = true
	const onlyComputers = "JAMF_COMPUTER_GROUP is set and JAMF_DEVICE_GROUP is not: mobile devices pass without a group"
	const onlyDevices = "JAMF_DEVICE_GROUP is set and JAMF_COMPUTER_GROUP is not: computers pass without a group"
	for name, row := range map[string]struct {
		provider string
		environ  map[string]string
		required posture.Requirements
		of       posture.DeviceType
		warnings []string
	}{
		"file":            {"file", file, posture.Requirements{}, "", nil},
		"jamf":            {"jamf", jamf, groups(), posture.MobileDevice, nil},
		"computers":       {"jamf", with(jamf, "JAMF_COMPUTER_GROUP", "Macs"), groups("computer", "Macs"), posture.MobileDevice, []string{onlyComputers}},
		"mobile devices":  {"jamf", with(jamf, "JAMF_DEVICE_GROUP", "iPads"), groups("mobiledevice", "iPads"), posture.MobileDevice, []string{onlyDevices}},
		"both":            {"jamf", with(jamf, "JAMF_COMPUTER_GROUP", "A", "JAMF_DEVICE_GROUP", "B"), groups("computer", "A", "mobiledevice", "B"), posture.MobileDevice, nil},
		"allow unmanaged": {"jamf", with(jamf, "JAMF_ALLOW_UNMANAGED", "1"), lenient, posture.MobileDevice, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, warnings, err := provider.Open(row.provider, row.environ, false)
			if err != nil || i.Provider == nil || i.Name != row.provider {
				t.Fatalf("Open = %+v, %v, want the provider", i, err)
			}
			if !reflect.DeepEqual(i.Requirements, row.required) || i.DefaultType != row.of {
				t.Errorf("required is %+v, the default type %q, want %+v and %q", i.Requirements, i.DefaultType, row.required, row.of)
			}
			if !slices.Equal(warnings, row.warnings) {
				t.Errorf("the warnings are %q, want %q", warnings, row.warnings)
			}
		})
	}
}
