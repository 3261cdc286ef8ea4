package snapshot

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

// TestProviderFile: the provider file answers from the file what the copy answers, and refuses what is in doubt.
func TestProviderFile(t *testing.T) {
	for _, kinds := range [][]posture.DeviceType{{""}, {posture.Computer, posture.MobileDevice}} {
		t.Run(string(kinds[0]), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "copy.json")
			inBubble(t, func(t *testing.T) {
				inventory, at := newInventory(kinds...), time.Now().UTC().Add(-time.Hour)
				for i, kind := range kinds {
					whole := full(i)
					// The bubble's time is that of the year 2000.
					whole.Facts.LastSeen, whole.Facts.EnrolledAt = posture.Known(at), posture.Known(at)
					if whole.Type = kind; kind != "" {
						inventory.records[kind] = append(inventory.records[kind], device(kind, "M-"+string(kind)))
					}
					inventory.records[kind] = append(inventory.records[kind], whole, posture.Device{Identifier: "U-" + string(kind), Type: kind})
				}
				last := kinds[len(kinds)-1]
				inventory.records[last] = append(inventory.records[last], device(last, "D1"), device(last, "D1"), device(last, "B1"))
				inventory.damaged["B1"] = true
				h := start(t, inventory, persisted(path))
				h.Want(Wants{Facts: posture.AllFacts()})
				h.fetched()
				c := file.Config{Path: config.Path(path), Type: "json"}
				c.ReadFacts()
				provider, warnings, err := file.New(c)
				if err != nil || len(warnings) > 0 {
					t.Fatalf("New() = %v, %v", warnings, err)
				}
				for kind, records := range inventory.records {
					for _, record := range records {
						q := ask(record.Identifier, kind)
						q.Facts = posture.AllFacts()
						got, err := provider.Lookup(t.Context(), q)
						recalled, ok := h.Recall(q)
						switch {
						case record.Identifier == "D1":
							if !errors.Is(err, posture.ErrAmbiguous) || ok {
								t.Errorf("a duplicate: %+v, %v; the copy answers %v", got, err, ok)
							}
						case record.Identifier == "B1":
							if err == nil || errors.Is(err, posture.ErrNotFound) || ok {
								t.Errorf("a damaged record: %+v, %v; the copy answers %v", got, err, ok)
							}
						default:
							got.Data = nil // an inventory's own; a file has always some
							if err != nil || !ok || !reflect.DeepEqual(got.Facts, recalled.Device.Facts) || got.Identifier != record.Identifier {
								t.Errorf("the file answers %v\n%+v\nand the copy, %v,\n%+v", err, got, ok, recalled.Device)
							}
						}
					}
				}
			})
		})
	}
}
