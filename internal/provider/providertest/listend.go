package providertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"step-posture-connector/internal/posture"
)

func listsAreFresh(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial))
	for _, devices := range [][]Device{{mac(serial), phone(secondSerial)}, {phone(secondSerial), mac(thirdSerial)}, nil, {mac(serial)}} {
		inventory.Replace(devices...)
		var want []string
		for _, d := range devices {
			want = append(want, d.Identifier)
		}
		slices.Sort(want)
		all, _ := inventory.lists(t, posture.WithoutPolicy())
		if got := identifiers(all); !slices.Equal(got, want) {
			t.Errorf("the lists have %q, want %q", got, want)
		}
	}
}

func noOtherList(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial))
	for _, of := range []posture.DeviceType{"", posture.Computer, posture.MobileDevice, posture.AnyDevice, "fridge"} {
		if slices.Contains(inventory.lister().Lists(), of) {
			continue
		}
		if _, err := inventory.list(t.Context(), t, posture.List{Type: of}, func(posture.Listing) error { return nil }); err == nil {
			t.Errorf("List(%q), which is none of Lists, is no error", of)
		}
	}
}

// listsEnd: a list that is given up is an error, and not a short list.
func listsEnd(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial), mac(thirdSerial), phone(unmanagedPhone))
	of := inventory.lister().Lists()[0]
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inventory.list(ended, t, posture.List{Type: of}, func(posture.Listing) error { return nil }); err == nil {
		t.Error("a list whose context had ended is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := inventory.list(ctx, t, posture.List{Type: of}, func(posture.Listing) error {
		cancel()
		return nil
	})
	if err == nil {
		t.Error("a list whose context ended is no error")
	}
	inventory.finds(t, serial, posture.Computer)
}

func callersEndLists(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial), mac(thirdSerial), phone(unmanagedPhone))
	stop := errors.New("the caller has enough")
	for _, of := range inventory.lister().Lists() {
		calls := 0
		_, err := inventory.list(t.Context(), t, posture.List{Type: of, Facts: posture.AllFacts()}, func(posture.Listing) error {
			calls++
			return stop
		})
		if !errors.Is(err, stop) || calls != 1 {
			t.Errorf("List(%q) = %v after %d records, want the caller's error after one", of, err, calls)
		}
	}
}

func concurrentLists(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial, "one"), phone(secondSerial, "two"))
	var together sync.WaitGroup
	defer together.Wait()
	for range 3 {
		together.Go(func() {
			all, given := inventory.lists(t, posture.AllFacts())
			if got := identifiers(all); !slices.Equal(got, []string{serial, secondSerial}) {
				t.Errorf("the lists have %q", got)
			}
			for _, l := range all {
				inventory.likeLookup(t, l, posture.AllFacts(), given)
			}
		})
		together.Go(func() { inventory.finds(t, serial, posture.Computer) })
	}
}
