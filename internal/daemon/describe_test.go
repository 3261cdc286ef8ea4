package daemon_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// A line for each type of device says what is required of it and what is returned about it: an operator must notice a
// group that is not required by mistake.
func TestDescribePolicy(t *testing.T) {
	t.Parallel()
	jamf := map[string]string{
		"PROVIDER": "jamf", "FILE_PATH": "", "FILE_TYPE": "",
		"JAMF_BASE_URL": "https://example.jamfcloud.com", "JAMF_CLIENT_ID": "id", "JAMF_CLIENT_SECRET": "hidden",
	}
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"nothing": {map[string]string{}, []string{
			"computers: no group is required; no data is returned",
			"mobile devices: no group is required; no data is returned",
		}},
		"one kind": {map[string]string{"JAMF_COMPUTER_GROUP": "Disk encrypted", "JAMF_COMPUTER_ENRICH": "1"}, []string{
			`computers: must be in the group "Disk encrypted"; device, user and group data is returned`,
			"mobile devices: no group is required; no data is returned",
		}},
		"the other": {map[string]string{"JAMF_DEVICE_GROUP": `Up "to" date`, "JAMF_DEVICE_ENRICH": "1", "JAMF_ALLOW_UNMANAGED": "1"}, []string{
			"computers: no group is required; unmanaged ones are allowed too; no data is returned",
			`mobile devices: must be in the group "Up \"to\" date"; unmanaged ones are allowed too; device, user and group data is returned`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := maps.Clone(jamf)
			maps.Copy(changes, test.changes)
			d, err := daemon.Load(config.Environment{Variables: install(t).environ(changes)})
			if err != nil {
				t.Fatal(err)
			}
			got := slices.DeleteFunc(d.Describe(), func(line string) bool {
				return !strings.HasPrefix(line, "computers: ") && !strings.HasPrefix(line, "mobile devices: ")
			})
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
