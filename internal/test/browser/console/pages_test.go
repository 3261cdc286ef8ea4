package console_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/test/browser"
)

// The landmarks of every page.
func landmarks() []string { return []string{"banner", "navigation", "contentinfo", "search"} }

// Every page says what was decided, and everybody can use it: with a screen reader, with the keyboard alone, in light and dark, on a
// narrow screen.
func TestPages(t *testing.T) {
	t.Parallel()
	l := prepare(t, device{"C02STAFF0001", map[string]any{"encrypted": false, "os_version": "13.0"}}).withUsers(t, "ada", "bob", "cyd").start(t)
	reference := l.ask(t, l.laptops, plainMac)
	for range 60 { // more than one page
		l.ask(t, l.laptops, oldMac)
	}
	for range 3 {
		l.ask(t, l.laptops, goodMac)
		l.ask(t, l.laptops, noMac)
	}
	l.ask(t, l.laptops, "C02STAFF0001")
	l.ask(t, l.phones, phone)
	if status := l.login(t, goodMac, "NAS-Identifier", "ap-2nd-floor", "Called-Station-Id", "00-11-22-33-44-55:Office"); status != http.StatusOK {
		t.Errorf("the door of RADIUS answers %d\n%s", status, l.Output())
	}
	l.jamf.Close()
	l.ask(t, l.phones, phone) // cannot be decided
	l.settle(t)
	b := l.browser(t)
	p := l.as(t, b, "ada", "/")
	t.Run("overview", func(t *testing.T) { l.testOverview(t, p) })
	t.Run("time line", func(t *testing.T) { l.testTimeLine(t, p) })
	t.Run("decision", func(t *testing.T) { l.testDecision(t, p, reference) })
	t.Run("impact", func(t *testing.T) { l.testImpact(t, p) })
	t.Run("list", func(t *testing.T) { l.testList(t, p) })
	t.Run("inventories", func(t *testing.T) {
		p.Open(t, l.base+"/inventories")
		wantText(t, p, "owned", "4", "mdm", "Does not answer", "What is wrong with mdm")
		p.Check(t, landmarks()...)
	})
	t.Run("problem", func(t *testing.T) {
		for path, status := range map[string]int{
			"/missing": http.StatusNotFound, "/decisions/x": http.StatusBadRequest, "/decisions/" + strings.Repeat("0", 32): http.StatusNotFound,
			"/decisions?since=yesterday": http.StatusBadRequest, "/rules/laptops/missing": http.StatusNotFound, "/?over=%ff": http.StatusBadRequest,
		} {
			if got := p.Open(t, l.base+path); got != status {
				t.Errorf("%s: status %d, want %d", path, got, status)
			}
			p.Expect(t, "status of "+strconv.Itoa(status))
			p.Check(t, landmarks()...)
		}
	})
	t.Run("decide now", func(t *testing.T) { l.testDecide(t, p) })
	t.Run("keyboard", func(t *testing.T) { l.testKeyboard(t, l.as(t, b, "bob", "/"), reference) })
	t.Run("without JavaScript", func(t *testing.T) {
		p := b.NewPage(t)
		p.SetScript(t, false)
		l.testWithoutScript(t, p)
	})
	t.Run("log-in", func(t *testing.T) {
		l.open(t, b, "/").Check(t, "banner", "contentinfo")
	})
	if left := b.Left(); len(left) > 0 {
		t.Errorf("requests to other hosts: %q", left)
	}
}

// testOverview wants the numbers of what was asked.
func (l *lab) testOverview(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Open(t, l.base)
	wantText(t, p, "5 refused", "1 could not be decided", "65 allowed")
	p.Click(t, "DisclosureTriangle", "The numbers of the charts")
	var refused, failed, allowed int
	for _, row := range p.Table(t, "Decisions over time, in UTC")[1:] {
		for i, sum := range []*int{&refused, &failed, &allowed} {
			n, err := strconv.Atoi(row[i+1])
			if err != nil {
				t.Errorf("%q: %v", row, err)
			}
			*sum += n
		}
	}
	if refused != 5 || failed != 1 || allowed != 65 {
		t.Errorf("the table has %d refused, %d failed, %d allowed", refused, failed, allowed)
	}
	for _, drawing := range []string{"Refused, or not decided, over time", "Allowed, over time"} {
		if !slices.ContainsFunc(p.Elements(t, "image", "img"), func(e browser.Element) bool { return strings.HasPrefix(e.Name, drawing) }) {
			t.Errorf("no drawing %q in %v", drawing, p.Elements(t, "image", "img"))
		}
	}
	wantText(t, p, "diskNotEncrypted", adviceOfRule, "deviceNotFound", "os_current", "staff_only", "15 Jan 2099", "mdm", "Does not answer")
	p.Check(t, landmarks()...)
	for _, over := range []string{"7 days", "30 days"} {
		p.Follow(t, "link", over)
		wantText(t, p, "The last "+over, "65 allowed")
		p.Check(t, landmarks()...)
	}
}

// testTimeLine reads all that was decided about a device, page by page.
func (l *lab) testTimeLine(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Open(t, l.base+"/devices/"+oldMac)
	wantText(t, p, "Device "+oldMac, "This Mac may have a certificate", "os_current")
	lines := func() int { return p.Count(t, "ol.timeline > li")[0] }
	if lines() != 50 {
		t.Errorf("the first page has %d decisions, want 50", lines())
	}
	p.Check(t, landmarks()...)
	p.Follow(t, "link", "Older")
	if lines() != 10 {
		t.Errorf("the second page has %d decisions, want 10", lines())
	}
	p.Check(t, landmarks()...)
	p.Follow(t, "link", "Newest")
	if lines() != 50 {
		t.Errorf("the first page has %d decisions then, want 50", lines())
	}
	p.Open(t, l.base+"/devices/"+strings.ToLower(goodMac))
	wantText(t, p, "VLAN 20", "radius")
}

// testDecision reads why a device was refused, and what to do.
func (l *lab) testDecision(t *testing.T, p *browser.Page, reference string) {
	t.Helper()
	p.Open(t, l.base+"/search?q="+reference)
	wantText(t, p, "This Mac gets no certificate because it does not meet the rule encrypted", adviceOfRule, "(ref "+reference+")",
		"device.encrypted is false", "device.os_version", "15.6", "mac "+plainMac, "What the rules say", "What the inventories say", "What was asked")
	if !p.Has(t, "heading", plainMac) || !strings.Contains(p.Title(t), "Step Posture Connector") {
		t.Errorf("title %q", p.Title(t))
	}
	p.Check(t, landmarks()...)
	p.Click(t, "DisclosureTriangle", "All details, for the administrator")
	wantText(t, p, "diskNotEncrypted", "laptops", `"decision"`)
	p.Check(t, landmarks()...)
	for serial, text := range map[string]string{noMac: "because it is not in the inventory", phone: "Nothing could be decided"} {
		p.Open(t, l.base+"/devices/"+serial)
		wantText(t, p, text, "What to do")
		p.Follow(t, "link", "Everything about this decision")
		wantText(t, p, text, "What to do")
		p.Check(t, landmarks()...)
	}
	p.Open(t, l.base+"/devices/"+goodMac)
	p.Follow(t, "link", "Everything about this decision")
	wantText(t, p, "Allowed", "ap-2nd-floor", "Office")
	p.Check(t, landmarks()...)
}

// testImpact wants the devices that a rule would refuse, and no other.
func (l *lab) testImpact(t *testing.T, p *browser.Page) {
	t.Helper()
	for rule, reads := range map[string]string{"os_current": "device.os_version", "staff_only": "device.groups"} {
		want := []string{oldMac, "C02STAFF0001"}
		p.Open(t, l.base)
		p.Follow(t, "link", fmt.Sprintf("%d devices of the rule %s", len(want), rule))
		l.wantPath(t, p, "/rules/laptops/"+rule)
		wantText(t, p, append(want, "2 devices would be refused", "This rule only reports", reads)...)
		for _, other := range []string{goodMac, plainMac, noMac, phone} {
			if strings.Contains(p.Text(t), other) {
				t.Errorf("the rule %s would refuse %s", rule, other)
			}
		}
		p.Check(t, landmarks()...)
	}
	p.Open(t, l.base)
	p.Follow(t, "link", "encrypted")
	wantText(t, p, "This rule is enforced", "device.encrypted", adviceOfRule)
	p.Check(t, landmarks()...)
}

// testList narrows the list of decisions.
func (l *lab) testList(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Follow(t, "link", "Decisions")
	rows := func() int { return p.Count(t, "main tbody tr")[0] }
	if rows() != 50 {
		t.Errorf("the list has %d rows, want 50", rows())
	}
	p.Check(t, landmarks()...)
	p.Click(t, "checkbox", "Refused only")
	p.Choose(t, "Policy", "laptops")
	p.Follow(t, "button", "Show")
	if rows() != 5 {
		t.Errorf("%s: %d rows, want 5", p.URL(t), rows())
	}
	p.Type(t, "Code", "diskNotEncrypted")
	p.PressTo(t, browser.Enter)
	if rows() != 2 {
		t.Errorf("%s: %d rows, want 2", p.URL(t), rows())
	}
	p.Check(t, landmarks()...)
	p.Type(t, "Code", "none")
	p.PressTo(t, browser.Enter)
	wantText(t, p, "No decision is like this")
	p.Check(t, landmarks()...)
}

// testDecide looks devices up, which is no decision, and so often as one person may.
func (l *lab) testDecide(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Follow(t, "link", "Check a device now")
	p.Check(t, landmarks()...)
	for _, one := range []struct{ serial, policy, text string }{
		{goodMac, "laptops", "This Mac may have a certificate"},
		{plainMac, "laptops", adviceOfRule},
		{noMac, "laptops", "because it is not in the inventory"},
		{goodMac, "wifi", "Allowed"},
		{phone, "phones", "Could not be decided"},
	} {
		p.Type(t, "Serial number, or another identifier", one.serial)
		p.Choose(t, "Policy", one.policy)
		if status := p.Follow(t, "button", "Check now"); status != http.StatusOK {
			t.Errorf("%s: status %d", one.serial, status)
		}
		wantText(t, p, one.text, "It is not recorded as a decision")
	}
	lookups := 5
	for p.Follow(t, "button", "Check now") == http.StatusOK { // on a slow machine the first one is a minute ago
		if lookups++; lookups == 30 {
			t.Fatal("one person may look up as often as the person likes")
		}
	}
	wantText(t, p, "five a minute")
	p.Expect(t, "status of 429")
	p.Check(t, landmarks()...)
	if got, want := l.Metric(t, `step_posture_journal_lines_total{result="written"}`), strconv.Itoa(l.asked); got != want {
		t.Errorf("the journal has %s decisions, want %s: those now are none", got, want)
	}
	want := "ada refused " + plainMac
	if got := l.notices(t, "decide_now"); len(got) != lookups || got[1] != want {
		t.Errorf("the audit log has %q, want %d, the second %q", got, lookups, want)
	}
}

// testKeyboard finds out why a device was refused, and whether it would be now, without a mouse.
func (l *lab) testKeyboard(t *testing.T, p *browser.Page, reference string) {
	t.Helper()
	p.Open(t, l.base)
	p.Press(t, browser.Tab)
	if f := p.Focused(t); f.Role != "link" || f.Name != "Skip to the content" || !f.InView || !f.Ring {
		t.Errorf("the first key leads to %+v", f)
	}
	p.Press(t, browser.Enter, browser.Tab)
	if f := p.Focused(t); f.Name != "Reference that the device shows, or its serial number" {
		t.Errorf("after the skip link the focus is at %+v", f)
	}
	p.TypeHere(t, reference)
	p.PressTo(t, browser.Enter)
	wantText(t, p, adviceOfRule)
	reach(t, p, "check the device now")
	p.PressTo(t, browser.Enter)
	l.wantPath(t, p, "/decide")
	reach(t, p, "Check now")
	p.PressTo(t, browser.Space)
	wantText(t, p, adviceOfRule, "It is not recorded as a decision")
}

// reach presses Tab until an element has the focus.
func reach(t *testing.T, p *browser.Page, name string) {
	t.Helper()
	for range 60 {
		p.Press(t, browser.Tab)
		if f := p.Focused(t); f.Name == name {
			if !f.InView || !f.Ring {
				t.Errorf("the focus is not seen: %+v", f)
			}
			return
		}
	}
	t.Fatalf("%s: the focus does not reach %q", p.URL(t), name)
}

// testWithoutScript does everything once in a browser that runs no script.
func (l *lab) testWithoutScript(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Open(t, l.base+"/decisions?denied=1")
	fillLogIn(t, p, "cyd", passwordOf("cyd"))
	p.Follow(t, "button", "Log in")
	l.wantPath(t, p, "/decisions?denied=1")
	p.Type(t, field, plainMac)
	p.Follow(t, "button", "Search")
	wantText(t, p, adviceOfRule)
	p.Type(t, "Serial number, or another identifier", goodMac)
	p.Follow(t, "button", "Check now")
	wantText(t, p, "may have a certificate")
	p.Follow(t, "link", "Overview")
	p.Follow(t, "link", "7 days")
	wantText(t, p, "The last 7 days")
	p.Follow(t, "button", "Log out")
	l.wantPath(t, p, "/login")
}
