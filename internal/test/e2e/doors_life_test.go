package e2e_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/radius"
)

// testLife is the life of one device: it enrols with step-ca through our webhook, and shows its certificate at both doors. Its
// record in the inventory falls behind, and it is refused everywhere; it is repaired, and the device is back. The answers
// before each change are remembered for longer than the test runs.
func testLife(t *testing.T, s *siteLab) {
	s.wantIn(t)
	for what, behind := range map[string]struct {
		row
		code, message string
	}{
		"old version":   {row{"Ada's Mac", "Staff;Finance", "15.3.2", "true"}, "updateRequired", updateMessage},
		"not compliant": {row{"Ada's Mac", "Staff;Finance", "15.4.1", "false"}, "deviceNotCompliant", ""},
	} {
		s.setRow(t, behind.inventory())
		result := connect(t, s.radius, radius.Login{Device: s.device, TLS13: true})
		wantRejected(t, result)
		text := strings.Join(result.Attributes[radius.ReplyMessage], "|")
		match := regexp.MustCompile(`\(ref ([0-9A-Z]{8})\)$`).FindStringSubmatch(text)
		if match == nil || !strings.HasPrefix(text, behind.message) {
			t.Fatalf("%s: Reply-Message is %q, want %q with a reference", what, text, behind.message)
		}
		expectLog(t, s.site.Gate().Connector(), "[DENY]", behind.code, knownSerial, match[1], "path=/door/radius")
		for name, w := range s.web {
			got, err := w.wantNothing(t, &s.device, what)
			if err != nil || got.status != http.StatusForbidden {
				t.Errorf("%s, %s: status %d, %v, want 403", what, name, got.status, err)
			}
		}
		expectLog(t, s.site.Gate().Connector(), "[DENY]", behind.code, knownSerial, "path=/door/http")
		_, order, err := s.site.Order(t.Context(), knownSerial)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := finalize(t, order)
		expectRefused(t, s.site.Gate().Connector(), behind.code, knownSerial, certificate, err)
		expectReady(t, order)

		s.setRow(t, goodRow().inventory())
		s.wantIn(t)
	}
	// A new group is a new VLAN.
	moved := goodRow()
	moved.groups = "Staff;Design"
	s.setRow(t, moved.inventory())
	wantAccepted(t, connect(t, s.radius, radius.Login{Device: s.device}), "43")
	s.setRow(t, goodRow().inventory())
}

// wantIn: the device gets in at every door, and the answers have what the inventory says of it.
func (s *siteLab) wantIn(t *testing.T) {
	t.Helper()
	result := connect(t, s.radius, radius.Login{Device: s.device, MAC: "02:00:00:00:00:42", SSID: "corp"})
	wantAccepted(t, result, siteVLAN)
	want(t, result, radius.SessionTimeout, "1800")
	want(t, result, radius.Termination, "1")
	headers := map[string]string{
		"X-Device-Id": knownSerial, "X-Device-Name": "Ada's Mac", "X-Device-User": "ada", "X-Device-Groups": "Staff,Finance",
	}
	for server, w := range s.web {
		request := w.wantPage(t, http.MethodGet, "/", http.Header{"X-Device-User": {"mallory"}}, "")
		for name, value := range headers {
			if got := request.Header.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s: the application got %s %q, want %q", server, name, got, value)
			}
		}
	}
}
