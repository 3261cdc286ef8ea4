package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/snapshot"
)

// A line of a keeper is logged once, and again after an hour or after what it says was over.
func TestCopyReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged []string
		report, kept, follow := daemon.Reports(func(r snapshot.Report) { logged = append(logged, fmt.Sprint(r.Text, " ", r.Warning)) })
		report(snapshot.Report{Text: "the file is\nof another account", Warning: true})
		report(snapshot.Report{Text: "loaded: 5 devices"})
		if got := kept(); !slices.Equal(got, []string{"the file is; of another account"}) || logged != nil {
			t.Errorf("before there is a log: warnings %q, logged %q", got, logged)
		}
		for range 1000 {
			report(snapshot.Report{Text: "again and again", Warning: true})
		}
		if got := kept(); len(got) > 100 {
			t.Errorf("%d lines were kept", len(got))
		}
		follow()
		want := func(lines ...string) {
			t.Helper()
			if !slices.Equal(logged, lines) {
				t.Errorf("logged %q, want %q", logged, lines)
			}
			logged = nil
		}
		want("loaded: 5 devices false")
		failed, fetched := snapshot.Report{Text: "the 1st fetch failed", Warning: true}, snapshot.Report{Text: "fetched: 5 devices"}
		report(failed)
		report(snapshot.Report{Text: "the 2st fetch failed", Warning: true}) // the same, with another number
		want("the 1st fetch failed true")
		report(fetched)
		report(snapshot.Report{Text: "fetched: 6 devices"})
		want("fetched: 5 devices false")
		report(failed)
		want("the 1st fetch failed true")
		report(failed)
		want()
		time.Sleep(time.Hour)
		report(failed)
		want("the 1st fetch failed true")
		for n := range 1000 { // what is compared with is bounded
			report(snapshot.Report{Text: strings.Repeat("x", n), Warning: true})
		}
	})
}

// /readyz says what is wrong with a list, and until when it answers; a first fetch that has not ended is nothing wrong.
func TestWrongWith(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	failed := errors.New("it is\ndown")
	const none = "; there is no snapshot that answers: the inventory is asked about every device"
	for name, c := range map[string]struct {
		list snapshot.Status
		want string
	}{
		"usable":          {snapshot.Status{Begun: begun, Usable: true}, ""},
		"the first fetch": {snapshot.Status{}, ""},
		"failing": {
			snapshot.Status{List: posture.Computer, Begun: begun, Until: begun.Add(2 * time.Hour), Usable: true, Err: failed},
			"computers: the last fetch was not adopted: it is; down; the snapshot of 2026-01-01T09:00:00Z answers until 2026-01-01T11:00:00Z",
		},
		"failing from the first on": {snapshot.Status{List: posture.MobileDevice, Err: failed}, "mobile devices: the last fetch was not adopted: it is; down" + none},
		"too old":                   {snapshot.Status{Begun: begun}, "no fetch has replaced the snapshot" + none},
	} {
		if got := daemon.WrongWith(c.list); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// listed is an inventory whose list gives some facts.
type listed struct {
	lists []posture.DeviceType
	gives posture.FactSet
}

func (listed) Lookup(context.Context, posture.Query) (posture.Device, error) {
	return posture.Device{}, posture.ErrNotFound
}
func (l listed) Lists() []posture.DeviceType { return l.lists }
func (l listed) ListGives() posture.FactSet  { return l.gives }
func (listed) List(context.Context, posture.List, func(posture.Listing) error) (posture.Listed, error) {
	return posture.Listed{}, nil
}

// A policy that reads what the list of an inventory lacks can never use its snapshot; what is only recorded does not count.
func TestUselessCopies(t *testing.T) {
	t.Parallel()
	one := []posture.DeviceType{""}
	facts := posture.MustFacts
	for name, c := range map[string]struct {
		of              listed
		reads, required posture.FactSet
		want            string
	}{
		"covered":          {listed{one, facts("device.os", "device.groups")}, facts("device.os"), facts("device.groups"), ""},
		"a rule":           {listed{one, facts("device.os")}, facts("device.os", "device.encrypted", "user.username"), 0, "policy staff can never use the snapshot of the inventory mdm: it reads device.encrypted, user.username, which the inventory's list does not give"},
		"a required group": {listed{one, facts("device.os")}, facts("device.os"), facts("device.groups"), "policy staff can never use the snapshot of the inventory mdm: it reads device.groups, which the inventory's list does not give"},
		"data":             {listed{one, facts("device.os")}, posture.Document, 0, "policy staff can never use the snapshot of the inventory mdm: it reads the inventory's own data for the certificate, which the inventory's list does not give"},
		"it has no list":   {listed{nil, facts("device.os")}, facts("device.os"), 0, "inventory mdm: snapshot: its devices cannot be listed; accepted: an inventory that can be listed as it is configured, or no key snapshot"},
	} {
		if got := strings.Join(daemon.UselessCopies(c.of, c.reads, c.required), "\n"); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
