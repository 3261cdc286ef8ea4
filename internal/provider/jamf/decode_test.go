package jamf_test

import (
	"bytes"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestUnreadableRecord: a record with a text that is no valid JSON is no answer about its device, and it is
// not the URL that is to blame. Other devices are answered.
func TestUnreadableRecord(t *testing.T) {
	t.Parallel()
	const urlIsWrong = "JAMF_BASE_URL"
	for name, row := range map[string]struct {
		change func(body []byte) []byte
		want   string
		blamed bool // JAMF_BASE_URL is
	}{
		"control character": {func(b []byte) []byte { return bytes.Replace(b, []byte("mac-ana-01"), []byte("ana\x01s mac"), 1) }, "JSON that cannot be read at byte ", false},
		"line end":          {func(b []byte) []byte { return bytes.Replace(b, []byte("mac-ana-01"), []byte("ana\ns mac"), 1) }, "a control character in a text; correct that text in Jamf", false},
		"not UTF-8":         {func(b []byte) []byte { return bytes.Replace(b, []byte("mac-ana-01"), []byte("ana\xe9s mac"), 1) }, "a text that is not UTF-8; correct that text in Jamf", false},
		"twice":             {func(b []byte) []byte { return bytes.Replace(b, []byte(`"udid":`), []byte(`"udid":"U","udid":`), 1) }, "a duplicate member", false},
		"cut off":           {func(b []byte) []byte { return b[:len(b)-1] }, "breaks off", false},
		"a bare word":       {func(b []byte) []byte { return bytes.Replace(b, []byte(`"mac-ana-01"`), []byte(vendortest.Marker), 1) }, "JSON that cannot be read", false},
		"HTML":              {func([]byte) []byte { return []byte("<html>" + vendortest.Marker) }, urlIsWrong, true},
		"another document":  {func([]byte) []byte { return []byte(`{"message":"` + vendortest.Marker + `"}`) }, urlIsWrong, true},
		"a number":          {func([]byte) []byte { return []byte("7") }, urlIsWrong, true},
	} {
		for _, api := range []string{"pro", "classic"} {
			t.Run(name+", "+api, func(t *testing.T) {
				t.Parallel()
				server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), mac(otherSerial)}})
				provider := opened(t, configOf(server, api))
				finds(t, provider, otherSerial, posture.Computer)
				server.Fail(vendortest.Fault{Kind: vendortest.Edit, Times: 1, Change: row.change}, lookupEndpoints()...)
				_, err := lookup(t, provider, macSerial, posture.Computer)
				if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), urlIsWrong) != row.blamed {
					t.Errorf("Lookup = %v, want an error that says %q and blames the URL: %v", err, row.want, row.blamed)
				}
				if err != nil && strings.Contains(err.Error(), vendortest.Marker) {
					t.Errorf("%q repeats what the server sent", err)
				}
				if name == "control character" && err != nil && !strings.Contains(err.Error(), "name): ") {
					t.Errorf("Lookup = %v, want it to say in which member", err)
				}
				finds(t, provider, otherSerial, posture.Computer)
			})
		}
	}
}
