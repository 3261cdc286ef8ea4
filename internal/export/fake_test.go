package export_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"step-posture-connector/internal/export"
	"step-posture-connector/internal/posture"
)

// lister is an inventory in memory.
type lister struct {
	kinds []posture.DeviceType
	gives posture.FactSet
	// of returns the records of a list.
	of map[posture.DeviceType][]posture.Listing
	// total is said of each list, unless it is zero.
	total int
	// lacking is what the list does not give although it was asked.
	lacking posture.FactSet
	// fail ends a list after its records.
	fail  error
	asked posture.FactSet
}

func (l *lister) Lists() []posture.DeviceType { return l.kinds }

func (l *lister) ListGives() posture.FactSet { return l.gives }

func (l *lister) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	l.asked |= list.Facts
	records := l.of[list.Type]
	for _, record := range records {
		if err := each(record); err != nil {
			return posture.Listed{}, errors.Join(errors.New("of the list"), err)
		}
	}
	listed := posture.Listed{Facts: list.Facts &^ l.lacking, Total: -1}
	if l.total > 0 {
		listed.Total = l.total
	}
	return listed, errors.Join(l.fail, ctx.Err())
}

const everything = posture.Document

func all() posture.FactSet { return everything | posture.AllFacts() }

// devices is an inventory with one list.
func devices(records ...posture.Device) *lister {
	listing := make([]posture.Listing, 0, len(records))
	for _, d := range records {
		listing = append(listing, posture.Listing{Device: d})
	}
	return &lister{kinds: []posture.DeviceType{""}, gives: all(), of: map[posture.DeviceType][]posture.Listing{"": listing}}
}

func device(identifier string) posture.Device {
	return posture.Device{Identifier: identifier, Facts: posture.Facts{Managed: posture.Known(true)}}
}

// full is a device with every fact.
func full() posture.Device {
	version, _ := posture.ParseVersion("15.4.1")
	seen := time.Date(2026, time.March, 1, 9, 30, 0, 999, time.FixedZone("", 3600))
	return posture.Device{
		Identifier: "C02ADA", Type: posture.Computer, Data: []byte(`{"asset": "A-1", "n": [1, 2]}`),
		Facts: posture.Facts{
			SerialNumber: posture.Known("C02ADA"), UDID: posture.Known("00008110-001C"), Name: posture.Known("mac, \"ada\""),
			Model: posture.Known("MacBook Air"), OS: posture.Known("macOS"), OSVersion: posture.Known(version),
			Managed: posture.Known(true), Supervised: posture.Known(false), Compliant: posture.Known(true), Encrypted: posture.Known(true),
			Ownership: posture.Known("personal"), LastSeen: posture.Known(seen), EnrolledAt: posture.Known(seen.AddDate(-1, 0, 0)),
			Groups: posture.Known([]string{"Staff", "Design"}), Attributes: posture.Known(map[string]string{"asset": "A-1", "b;": "=x", "empty": ""}),
			User: posture.UserFacts{
				Username: posture.Known("ada"), RealName: posture.Known("Ada Lovelace"), EmailAddress: posture.Known("ada@example.com"),
				Position: posture.Known("Mathematician"), Department: posture.Known("Engineering"),
			},
		},
	}
}

// exported exports an inventory to a file and returns its content.
func exported(t *testing.T, from posture.Lister, format export.Format) (content string, s export.Summary) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices")
	s, err := export.Write(t.Context(), from, export.Options{Format: format, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), s
}

// left returns the names in a folder.
func left(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
