package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
)

// check looks some devices of a new copy up in the inventory itself: a list that has devices which no lookup finds would
// allow them in an outage. An error says that one was not found, or several were, twice in a row.
//
// A lookup that fails contradicts nothing: the inventory has just given the whole list. After several faults the rest of
// the devices is not looked up, so that an inventory that fails is left alone; the copy is adopted, because it is what an outage
// needs.
func (k *Keeper) check(ctx context.Context, c *copied) error {
	pause := min(checkPause, k.Settings.Every/checkedEvery)
	faults := 0
	for _, id := range c.sample(checkedRows) {
		err := k.lookup(ctx, c, id)
		if contradicts(err) {
			// It may have been removed, or changed, since the list was read.
			if wait(ctx, pause) != nil {
				return ctx.Err()
			}
			err = k.lookup(ctx, c, id)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, posture.ErrAmbiguous):
			return errors.New("the list has a device once, and a lookup finds several; the list was not adopted")
		case contradicts(err):
			return errors.New("the list has a device that no lookup finds; the list was not adopted")
		case err != nil:
			if faults++; faults == checkFaults {
				return nil
			}
		default:
			faults = 0
		}
		if wait(ctx, pause) != nil {
			return ctx.Err()
		}
	}
	return nil
}

// contradicts reports whether the answer of a lookup is not the one device that the list has.
func contradicts(err error) bool {
	return errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) || errors.Is(err, posture.ErrIdentifier)
}

func (k *Keeper) lookup(ctx context.Context, c *copied, id posture.Identifier) (err error) {
	ctx, cancel := context.WithTimeout(ctx, checkLookup)
	defer cancel()
	defer func() {
		if p := panics.Recovered(recover()); p != nil {
			err = p
		}
	}()
	d, err := k.Provider.Lookup(ctx, posture.Query{Identifier: id, Type: c.list, Facts: k.fields.always})
	if err == nil && !id.Matches(d) {
		return errors.New("the inventory returned a record with another identifier")
	}
	if err != nil {
		return fmt.Errorf("look up device: %w", err)
	}
	return nil
}

// wait waits for a pause.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// sample returns the identifiers of random rows that the copy answers about.
func (c *copied) sample(size int) (sample []posture.Identifier) {
	seen := uint64(0)
	for row := range c.table.All() {
		if marksOf(row) != 0 {
			continue
		}
		seen++
		place := len(sample)
		if place == size {
			// Each row ends up in the sample with the same probability (algorithm R).
			drawn := random() % seen
			if drawn >= uint64(size) { //nolint:gosec // G115: a small constant
				continue
			}
			place = int(drawn) //nolint:gosec // G115: below size
		}
		text, _ := compact.CutField(row)
		id, err := posture.ParseIdentifier(string(text))
		if err != nil {
			continue // never stored
		}
		if place == len(sample) {
			sample = append(sample, id)
		} else {
			sample[place] = id
		}
	}
	return sample
}
