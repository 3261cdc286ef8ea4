package console_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/store"
)

// Today is when the tests take place.
func today() time.Time { return time.Date(2026, 11, 27, 15, 20, 40, 0, time.UTC) }

// inDatabase is a journal in a database of SQLite, with these events.
func inDatabase(tb testing.TB, events ...*audit.Event) journal.Store {
	tb.Helper()
	u, err := store.ParseURL("sqlite:" + filepath.Join(tb.TempDir(), "state.db"))
	if err != nil {
		tb.Fatal(err)
	}
	db, err := store.OpenDaemon(context.Background(), u)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	for batch := range slices.Chunk(entriesOf(tb, events), 32) {
		// The time limit of the store is for a machine that is not busy with tests; a batch may be added again.
		for tries := 1; ; tries++ {
			if err = db.Journal().Append(context.Background(), batch); err == nil {
				break
			}
			if tries == 20 {
				tb.Fatal(err)
			}
		}
	}
	return db.Journal()
}

func entriesOf(tb testing.TB, events []*audit.Event) []journal.Entry {
	tb.Helper()
	encoder, entries := journal.NewEncoder(), make([]journal.Entry, len(events))
	for i, e := range events {
		var err error
		if entries[i], err = encoder.Entry(e); err != nil {
			tb.Fatal(err)
		}
	}
	return entries
}

// organization is devices that have asked for 14 days, under three policies.
func organization(now time.Time, devices int) (events []*audit.Event) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range devices {
		d := device(n)
		for asked := range 5 + random.IntN(6) {
			day := float64(asked)/11*14 + random.Float64()
			at := now.Add(-time.Duration(day * 24 * float64(time.Hour)))
			// People work by day; one Monday a policy was changed, and many were refused.
			hour := 7 + math.Abs(random.NormFloat64())*4
			at = time.Date(at.Year(), at.Month(), at.Day(), int(hour)%24, random.IntN(60), random.IntN(60), random.IntN(1e9), time.UTC)
			if at.After(now) {
				at = at.AddDate(0, 0, -1)
			}
			events = append(events, d.asks(at, random))
		}
	}
	slices.SortFunc(events, func(a, b *audit.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// asking is a device of the organization.
type asking struct {
	n          int
	serial     string
	policy     string
	door       string
	os, system string
	encrypted  bool
	known      bool
}

func device(n int) asking {
	d := asking{n: n, serial: fmt.Sprintf("C02X%dK%03dJL", n%7, n), policy: "laptops", door: posture.WebhookDoor, os: "macOS", system: []string{"15.6.1", "15.5", "15.7", "14.7"}[n%4*n%3%4], encrypted: n%17 != 0, known: n%41 != 3}
	switch n % 5 {
	case 3:
		d.policy, d.os, d.system = "phones", "iOS", []string{"18.6", "18.2", "17.7"}[n%3]
	case 4:
		d.policy, d.door = "wifi", posture.RADIUSDoor
	}
	return d
}

func (d asking) record(at time.Time) *posture.Device {
	version, _ := posture.ParseVersion(d.system)
	return &posture.Device{Identifier: d.serial, Type: posture.Computer, Facts: posture.Facts{
		SerialNumber: posture.Known(d.serial), Name: posture.Known(fmt.Sprintf("Mac of person %d", d.n)), Model: posture.Known("MacBook Air (M3)"),
		OS: posture.Known(d.os), OSVersion: posture.Known(version), Managed: posture.Known(true), Supervised: posture.Known(true),
		Encrypted: posture.Known(d.encrypted), LastSeen: posture.Known(at.Add(-3 * time.Hour)), Groups: posture.Known([]string{"All Macs", "Sales"}),
		Attributes: posture.Known(map[string]string{"Asset tag": fmt.Sprintf("A-%05d", d.n), "Site": "Vienna"}),
		User:       posture.UserFacts{Username: posture.Known(fmt.Sprintf("person%d", d.n)), EmailAddress: posture.Known(fmt.Sprintf("person%d@example.com", d.n))},
	}}
}

// asks is one question of the device.
func (d asking) asks(at time.Time, random *rand.Rand) *audit.Event {
	e := &audit.Event{
		Time: at, Reference: reference(random), Authenticated: true, Identifier: d.serial, Mode: "computer", Provider: "jamf", Policy: d.policy, Door: d.door,
		Caller: "acme-" + d.policy, WebhookID: "8e2c7a4e-6d2f-4b7e-9c3a-0f2f5d1f7a11", RequestID: "req-1", Duration: 41 * time.Millisecond, Status: http.StatusOK,
		Evidence: &posture.Evidence{Now: at, Request: posture.Request{Door: d.door, Caller: "acme-" + d.policy, Kind: posture.Authorizing, Provisioner: "acme-da", Mode: "computer", Identifier: d.serial, KeyType: "EC", KeyBits: 384, Names: []string{d.serial}}},
	}
	outage := at.Day() == 20 && at.Hour() == 9
	record := d.record(at)
	all := posture.AllFacts()
	switch {
	case outage:
		e.Code, e.Reason, e.Status = string(outcome.Unavailable), "look up device: the inventory jamf_eu: Jamf Pro answers with status 503", http.StatusServiceUnavailable
		e.Evidence.Put(posture.Answer{Inventory: "jamf_eu", Err: context.DeadlineExceeded})
		return e
	case !d.known:
		e.Code, e.Reason = string(posture.DeviceNotFound), "the inventory jamf_eu: no such device in the inventory; the inventory owned: no such device in the inventory"
		e.Evidence.Put(posture.Answer{Inventory: "jamf_eu", Err: posture.ErrNotFound, Asked: all})
		e.Evidence.Put(posture.Answer{Inventory: "owned", Err: posture.ErrNotFound, Asked: all})
		return e
	}
	e.Evidence.Put(posture.Answer{Inventory: "jamf_eu", Record: record, Asked: all, Type: posture.Computer})
	e.Evidence.Put(posture.Answer{Inventory: "owned", Record: &posture.Device{Identifier: d.serial, Facts: posture.Facts{SerialNumber: posture.Known(d.serial), Ownership: posture.Known("organization")}}, Asked: posture.MustFacts("device.serial_number", "device.ownership", "device.name")})
	e.Evidence.Inventory, e.Evidence.Deciding, e.Inventory = "jamf_eu", record, "jamf_eu"
	e.Verdict = d.verdict(at)
	e.Allowed, e.Reason = true, "in the inventory jamf_eu"
	for _, o := range e.Verdict.Outcomes {
		if o.Refuses() && e.Allowed {
			e.Allowed, e.Code, e.Reason = false, string(o.Code), o.Reason
		}
	}
	if d.door == posture.RADIUSDoor && e.Allowed {
		e.VLAN, e.NAS = "20", "ap-2nd-floor"
	}
	return e
}

// verdict is what rules say of the device.
func (d asking) verdict(at time.Time) (v posture.Verdict) {
	add := func(name string, met, enforced bool, code posture.Code, message, reason string) {
		o := posture.Outcome{Rule: name, Result: posture.Met, Applies: true, Enforced: enforced, Code: code, Message: message}
		if !met {
			o.Result, o.Reason = posture.Unmet, "rule "+name+" is unmet: "+reason
			if enforced {
				v.Unmet = append(v.Unmet, name)
			} else {
				v.WouldDeny = append(v.WouldDeny, name)
			}
		}
		v.Outcomes = append(v.Outcomes, o)
	}
	changed := today().AddDate(0, 0, -4) // since when the version is enforced
	for _, r := range rulesOf(d.policy) {
		switch r.Name {
		case "os_current":
			add(r.Name, !at.After(changed) || d.system[:2] != "14" && d.system[:2] != "17" && at.Day()%3 != 0 || d.n%3 != 0, true, posture.Code(r.Code), r.Message, fmt.Sprintf("device.os_version is %q", d.system))
		case "encrypted":
			add(r.Name, d.encrypted, true, posture.Code(r.Code), r.Message, "device.encrypted is false")
		case "seen_lately":
			add(r.Name, d.n%6 != 1, false, posture.Code(r.Code), r.Message, "device.last_seen is "+at.Add(-20*24*time.Hour).Format(time.RFC3339)+", now is "+at.Format(time.RFC3339))
		default:
			add(r.Name, true, true, posture.Code(r.Code), r.Message, "")
		}
	}
	return v
}

func reference(random *rand.Rand) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var text [8]byte
	for i := range text {
		text[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(text[:])
}

func rulesOf(policy string) []console.Rule {
	rules := []console.Rule{
		{Name: "os_current", Code: "osOutdated", Message: "The system of this device is too old; install the latest update and try again", Expression: `device.os_version.atLeast("15.5")`},
		{Name: "seen_lately", Code: "deviceNotCompliant", Message: "This device was not seen for two weeks; open Self Service once, and try again", Expression: "device.last_seen > now - days(14)", ReportOnly: policy != "wifi", From: today().AddDate(0, 0, 4)},
	}
	if policy != "phones" {
		rules = append(rules, console.Rule{Name: "encrypted", Code: "diskNotEncrypted", Message: "The disk of this Mac is not encrypted; turn FileVault on and try again", Expression: "device.encrypted"})
	}
	return rules
}

// live is a daemon that has the rules of the organization.
type live struct {
	decide func(policy, identifier string) (console.Decided, error)
}

func (live) Inventories() []console.Inventory {
	return []console.Inventory{
		{Name: "jamf_eu", Kind: "jamf", Copied: true, Fetched: today().Add(-11 * time.Minute), Devices: 12840},
		{Name: "intune", Kind: "intune", Wrong: "the last lookup was not answered: Microsoft Graph answers with status 503"},
		{Name: "owned", Kind: "file", InMemory: true, Fetched: today().Add(-50 * time.Hour), Devices: 313},
	}
}

func (live) Policies() []console.Policy {
	return []console.Policy{{Name: "laptops", Rules: rulesOf("laptops")}, {Name: "phones", Rules: rulesOf("phones")}, {Name: "wifi", Rules: rulesOf("wifi")}}
}

func (l live) Decide(_ context.Context, policy, identifier string, _ posture.DeviceType) (console.Decided, error) {
	return l.decide(policy, identifier)
}

// decides is a lookup of a device that the rules refuse.
func decides(policy, identifier string) (console.Decided, error) {
	d := device(51)
	d.serial, d.policy = identifier, policy
	e := d.asks(today(), rand.New(rand.NewPCG(3, 4)))
	e.Reference = ""
	entry, err := journal.NewEncoder().Entry(e)
	return console.Decided{Found: journal.Found{Line: entry.Line, Rules: entry.Rules}, Took: 312 * time.Millisecond}, err
}
