package posture

import (
	"slices"
	"time"
)

// Fact is one thing that an inventory may know about a device or its user. The zero Fact is unknown, which is
// neither false, zero nor empty: a reader must ask whether the value is known before it gets it.
type Fact[T any] struct {
	value T
	known bool
}

// Known is a fact whose value the inventory gave.
func Known[T any](value T) Fact[T] { return Fact[T]{value, true} }

// Get returns the value, and whether it is known. The value of an unknown fact is the zero value.
func (f Fact[T]) Get() (value T, known bool) { return f.value, f.known }

// Text is a fact of an inventory's text. An inventory that sends empty text does not know.
func Text(text string) Fact[string] {
	if text == "" {
		return Fact[string]{}
	}
	return Known(text)
}

// Word is a fact that is one of a fixed set of words. Any other word is unknown: to guess what a vendor means
// by it could let a device in.
func Word(text string, words []string) Fact[string] {
	if !slices.Contains(words, text) {
		return Fact[string]{}
	}
	return Known(text)
}

// earliestMoment and futureTolerance bound the times that can be true: an inventory that sends a time outside of
// them sends a placeholder, such as the year 1 or 1970, or its clock is wrong.
func earliestMoment() time.Time { return time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Moment is a fact about when something happened, in whole seconds: a fraction is dropped, so that a time that was written to
// a file and read back is the same. A time before 1990, or more than a day after now, is unknown.
func Moment(t, now time.Time) Fact[time.Time] {
	if t.Before(earliestMoment()) || t.After(now.Add(futureTolerance)) {
		return Fact[time.Time]{}
	}
	return Known(t.Truncate(time.Second))
}
