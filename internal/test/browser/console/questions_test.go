package console_test

import (
	"fmt"
	"testing"

	"step-posture-connector/internal/test/browser"
)

// walk is what a person does on the console: each click is one, whatever it costs to find where.
type walk struct {
	*browser.Page

	clicks []string
}

func (w *walk) follow(t *testing.T, role, name string) {
	t.Helper()
	w.Follow(t, role, name)
	w.clicks = append(w.clicks, name)
}

// A person of the helpdesk has the reference that a Mac shows, and has never seen the console. From the page alone the person finds
// out why it gets no certificate, what to do, whether that was enough, and whom the rule hits that will be enforced.
func TestThreeQuestions(t *testing.T) {
	t.Parallel()
	var devices []device
	for n := range 7 {
		devices = append(devices, mac(fmt.Sprintf("C02OTHER%04d", n), "14.2", true, "Staff"))
	}
	l := prepare(t, devices...).start(t)
	for _, d := range devices {
		l.ask(t, l.laptops, d.serial)
	}
	reference := l.ask(t, l.laptops, plainMac)
	l.settle(t)
	w := &walk{Page: l.open(t, l.browser(t), "/")}

	// Why?
	w.Type(t, "Reference that the device shows, or its serial number", reference)
	w.follow(t, "button", "Find out")
	wantText(t, w.Page, "Refused", "This Mac gets no certificate because it does not meet the rule encrypted", "device.encrypted is false")
	// What to do?
	wantText(t, w.Page, "What to do", adviceOfRule, "Then check the device now")
	why := len(w.clicks)

	// Was it enough?
	l.stock(t, append(devices, mac(plainMac, "15.6", true, "Staff"))...)
	l.WantLog(t, "reloaded: 8 devices")
	w.follow(t, "link", "check the device now")
	w.follow(t, "button", "Check now")
	wantText(t, w.Page, "Allowed", "This Mac may have a certificate")
	enough := len(w.clicks)

	// Who else would be hit?
	w.follow(t, "link", "Overview")
	w.follow(t, "link", "7 devices of the rule os_current")
	wantText(t, w.Page, "7 devices would be refused", "Install the latest macOS.", devices[0].serial, devices[6].serial)
	t.Logf("why, and what to do: %d click; whether it was enough: %d more; who else: %d more: %q", why, enough-why, len(w.clicks)-enough, w.clicks)
	if why > 1 || enough-why > 2 || len(w.clicks)-enough > 2 {
		t.Errorf("too many clicks: %q", w.clicks)
	}
}
