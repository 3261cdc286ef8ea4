package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

func TestMode(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for query, want := range map[string]string{
		"": "", "?mode=": "", "?type=": "", "?mode=computer": "computer", "?mode=mobiledevice": "mobiledevice", "?mode=any": "any",
		"?type=computer": "computer", "?mode=computer&type=computer": "computer", "?mode=&type=any": "any", "?x=1": "",
		"?mode=computer&mode=computer": "computer",

		"?mode=laptop": "refused", "?type=laptop": "refused", "?mode=Computer": "refused", "?mode=computer&type=any": "refused",
		"?mode=computer&mode=any": "refused", "?mode=%20computer": "refused", "?mode=%zz": "refused", "?mode=computer;x=1": "refused",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			asked := posture.DeviceType("not asked")
			c := start(t, inventory(func(_ context.Context, q posture.Query) (posture.Device, error) {
				asked = q.Type
				return posture.Device{Identifier: "C02HARNESS01", Facts: posture.Facts{Managed: posture.Known(true)}}, nil
			}), nil, s.hook(t))
			r := c.send(t, c.request(t, http.MethodPost, "/webhook/device-attest"+query, s.headers(), s.body))
			if want == "refused" {
				wantRefusal(t, r, http.StatusOK, "modeUnsupported")
				if asked != "not asked" {
					t.Errorf("the inventory was asked for %q", asked)
				}
				return
			}
			if r.text != `{"allow":true,"data":{}}` || string(asked) != want {
				t.Errorf("got %s and a lookup for %q, want an allow and %q", r.text, asked, want)
			}
		})
	}
}

// If the other kind of device was not searched, the log says how to search it.
func TestRemedyOfTheOtherKind(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for mode, want := range map[string]string{
		"":               "?mode=computer, or ?mode=any",
		"?mode=computer": "?mode=mobiledevice, or ?mode=any",
		"?mode=any":      "",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			gate := gateOf(answering(posture.Device{}, posture.ErrNotFound))
			gate.Inventories[0].DefaultType = posture.MobileDevice
			c := startWith(t, hooksOf(gate, s.hook(t)), nil)
			r := c.send(t, c.request(t, http.MethodPost, "/webhook/device-attest"+mode, s.headers(), s.body))
			wantRefusal(t, r, http.StatusOK, "deviceNotFound")
			remedy := fmt.Sprint(c.log.event(t)["remedy"])
			if strings.Contains(remedy, "?mode=") != (want != "") || !strings.Contains(remedy, want) {
				t.Errorf("got remedy %q, want %q in it", remedy, want)
			}
			if strings.Contains(r.text, "mode") {
				t.Errorf("the answer to the device is %s", r.text)
			}
		})
	}
}
