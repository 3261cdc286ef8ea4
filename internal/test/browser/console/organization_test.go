package console_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/store"
)

// ada is the Mac that the pictures are about.
const ada = "C02XK1JKLVCG"

// pictured is when the pictures are taken: always the same time, so that they change with the pages alone.
func pictured() time.Time { return time.Date(2026, time.March, 12, 14, 20, 40, 0, time.UTC) }

// organization is what some hundred devices have asked in a week, in the order of time. Equal calls return the same.
func organization() (events []*audit.Event) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 260 {
		for day := range 7 {
			if random.IntN(3) == 0 {
				continue
			}
			at := pictured().Truncate(24*time.Hour).AddDate(0, 0, -day).Add(7*time.Hour + time.Duration(random.IntN(10*60*60))*time.Second)
			if weekend := at.Weekday() == time.Saturday || at.Weekday() == time.Sunday; weekend && n%9 != 0 || at.After(pictured().Add(-10*time.Minute)) {
				continue
			}
			events = append(events, employee(n).asks(at, random))
		}
	}
	for _, before := range []time.Duration{9 * time.Minute, 33 * time.Minute} {
		events = append(events, theMac(false).asks(pictured().Add(-before), random))
	}
	for day := 1; day <= 4; day++ { // a decision of each morning before: then the disk was encrypted
		events = append(events, theMac(true).asks(pictured().AddDate(0, 0, -7*day).Add(-6*time.Hour), random))
	}
	slices.SortFunc(events, func(a, b *audit.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// asker is a device of the organization.
type asker struct {
	serial, name, user, version string
	encrypted, known            bool
}

func employee(n int) asker {
	return asker{
		serial: fmt.Sprintf("C02%04XJ%02dQ6", 40961+n*53, n%89), name: fmt.Sprintf("mac-%03d", n), user: fmt.Sprintf("person%d", n),
		version: []string{"15.6.1", "15.7", "15.5", "15.6.1", "14.7.4"}[n%5], encrypted: n%23 != 4, known: n%61 != 7,
	}
}

func theMac(encrypted bool) asker {
	return asker{ada, "Ada's MacBook Air", "ada", "14.7.4", encrypted, true}
}

// asks is one question about the device.
func (d asker) asks(at time.Time, random *rand.Rand) *audit.Event {
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var reference strings.Builder
	for range 8 {
		reference.WriteByte(letters[random.IntN(len(letters))])
	}
	e := &audit.Event{
		Time: at, Reference: reference.String(), Authenticated: true, Identifier: d.serial, Mode: "computer", Provider: "jamf", Policy: "laptops", Door: posture.WebhookDoor,
		Caller: "laptops", WebhookID: "3f0c6c1e-1f6e-4a52-9d33-0c6b5a1f7e42", Duration: 38 * time.Millisecond, Status: http.StatusOK,
		Evidence: &posture.Evidence{Now: at, Request: posture.Request{
			Door: posture.WebhookDoor, Caller: "laptops", Kind: posture.Authorizing, Provisioner: "acme-da", Mode: "computer", Identifier: d.serial,
			KeyType: "EC", KeyBits: 384, Names: []string{d.serial},
		}},
	}
	facts := posture.MustFacts("device.name", "device.model", "device.os", "device.os_version", "device.encrypted", "device.managed", "device.last_seen", "device.groups", "user.username", "user.email_address")
	switch {
	case at.Day() == 10 && at.Hour() == 9: // the server was down for an hour
		e.Code, e.Reason, e.Status = string(outcome.Unavailable), "look up device: the inventory jamf: Jamf Pro answers with status 503", http.StatusServiceUnavailable
		e.Evidence.Put(posture.Answer{Inventory: "jamf", Err: context.DeadlineExceeded})
		return e
	case !d.known:
		e.Code, e.Reason = string(posture.DeviceNotFound), "inventory jamf: no such device in the inventory"
		e.Evidence.Put(posture.Answer{Inventory: "jamf", Err: posture.ErrNotFound, Asked: facts})
		return e
	}
	record := d.record(at)
	e.Evidence.Put(posture.Answer{Inventory: "jamf", Record: record, Asked: facts, Type: posture.Computer})
	e.Evidence.Inventory, e.Evidence.Deciding, e.Inventory = "jamf", record, "jamf"
	e.Allowed, e.Reason = true, "in the inventory jamf"
	for _, r := range rulesOfLaptops() {
		d.judge(e, r)
	}
	return e
}

func (d asker) record(at time.Time) *posture.Device {
	version, _ := posture.ParseVersion(d.version)
	return &posture.Device{Identifier: d.serial, Type: posture.Computer, Facts: posture.Facts{
		Name: posture.Known(d.name), Model: posture.Known("MacBook Air (13-inch, M3, 2024)"), OS: posture.Known("macOS"), OSVersion: posture.Known(version),
		Managed: posture.Known(true), Encrypted: posture.Known(d.encrypted), LastSeen: posture.Known(at.Add(-26 * time.Minute)), Groups: posture.Known([]string{"All Macs", "Design"}),
		User: posture.UserFacts{Username: posture.Known(d.user), EmailAddress: posture.Known(d.user + "@example.com")},
	}}
}

// judge adds what a rule says.
func (d asker) judge(e *audit.Event, r console.Rule) {
	reason, met := "device.encrypted is false", d.encrypted
	if r.Name == "os_current" {
		reason, met = "device.os_version is "+d.version, !strings.HasPrefix(d.version, "14")
	}
	o := posture.Outcome{Rule: r.Name, Result: posture.Met, Applies: true, Enforced: r.From.IsZero(), Code: posture.Code(r.Code), Message: r.Message}
	if !met {
		o.Result, o.Reason = posture.Unmet, "rule "+r.Name+" is unmet: "+reason
	}
	switch {
	case met:
	case o.Enforced:
		e.Verdict.Unmet = append(e.Verdict.Unmet, r.Name)
		e.Allowed, e.Code, e.Reason = false, r.Code, o.Reason
	default:
		e.Verdict.WouldDeny = append(e.Verdict.WouldDeny, r.Name)
	}
	e.Verdict.Outcomes = append(e.Verdict.Outcomes, o)
}

func rulesOfLaptops() []console.Rule {
	return []console.Rule{
		{Name: "encrypted", Code: "diskNotEncrypted", Message: "Turn on FileVault in System Settings, restart, and try again.", Expression: "device.encrypted"},
		{Name: "os_current", Code: "osOutdated", Message: "Install the latest macOS, and try again.", Expression: `device.os_version.atLeast("15.4")`, From: time.Date(2026, time.April, 1, 0, 0, 0, 0, time.UTC)},
	}
}

// live is the connector of the organization.
type live struct{}

func (live) Inventories() []console.Inventory {
	return []console.Inventory{
		{Name: "jamf", Kind: "jamf", Copied: true, Fetched: pictured().Add(-11 * time.Minute), Devices: 262},
		{Name: "owned", Kind: "file", InMemory: true, Fetched: pictured().Add(-50 * time.Hour), Devices: 313},
	}
}

func (live) Policies() []console.Policy {
	return []console.Policy{{Name: "laptops", Rules: rulesOfLaptops()}}
}

func (live) Decide(context.Context, string, string, posture.DeviceType) (console.Decided, error) {
	return console.Decided{}, context.DeadlineExceeded // no picture is of it
}

// journalOf is a journal with these events, in a database of its own.
func journalOf(t *testing.T, events []*audit.Event) journal.Store {
	t.Helper()
	u, err := store.ParseURL("sqlite:" + filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	database, err := store.OpenDaemon(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	encoder := journal.NewEncoder()
	for batch := range slices.Chunk(events, 256) {
		entries := make([]journal.Entry, len(batch))
		for i, e := range batch {
			if entries[i], err = encoder.Entry(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := database.Journal().Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
	}
	return database.Journal()
}
