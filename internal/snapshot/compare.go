package snapshot

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// differs reports whether the inventory's own answer contradicts a row: in a fact that both were asked for. Known is
// different from unknown there, because a rule takes it so. A fact that is only recorded may be unknown because it could not
// be asked for; that contradicts nothing.
func (f *fields) differs(c *copied, row []byte, q posture.Query, live *posture.Device) bool {
	if marksOf(row) != 0 {
		return false // the copy does not answer about it anyway
	}
	asked := (q.Facts | q.Recorded | f.always) & c.facts
	required := (q.Facts&^q.Recorded | f.always) & c.facts
	var copied posture.Device
	if !f.readRow(row, c.texts, asked, &copied) {
		return true
	}
	in := comparison{asked, required}
	if copied.Identifier != live.Identifier || in.of(f.kind) && copied.Type != live.Type {
		return true
	}
	for _, flag := range f.flags {
		if differ(in, flag.set, *flag.of(&copied), *flag.of(live), func(a, b bool) bool { return a == b }) {
			return true
		}
	}
	for _, text := range f.texts {
		if differ(in, text.set, *text.of(&copied), *text.of(live), func(a, b string) bool { return a == b }) {
			return true
		}
	}
	for _, moment := range f.times {
		same := func(a, b time.Time) bool { return a.Unix() == b.Unix() }
		if moment.name == lastSeen {
			// It moves on with every contact. That alone makes no device another, and each would be hidden soon.
			same = func(a, b time.Time) bool { return a.Unix() <= b.Unix() }
			if _, known := moment.of(&copied).Get(); !known {
				continue
			}
		}
		if differ(in, moment.set, *moment.of(&copied), *moment.of(live), same) {
			return true
		}
	}
	return differ(in, f.version, copied.Facts.OSVersion, live.Facts.OSVersion, func(a, b posture.Version) bool { return a.String() == b.String() }) ||
		differ(in, f.groups, copied.Facts.Groups, live.Facts.Groups, sameGroups) ||
		differ(in, f.attributes, copied.Facts.Attributes, live.Facts.Attributes, maps.Equal[map[string]string]) ||
		in.of(posture.Document) && !sameData(copied.Data, live.Data)
}

const lastSeen = "device.last_seen"

// comparison says which facts are compared: asked are those that both may have, and required those of them that both must
// have, if they are known.
type comparison struct{ asked, required posture.FactSet }

func (c comparison) of(fact posture.FactSet) bool { return c.required.Has(fact) }

func differ[T any](c comparison, set posture.FactSet, copied, live posture.Fact[T], same func(copied, live T) bool) bool {
	if !c.asked.Has(set) {
		return false
	}
	a, hasA := copied.Get()
	b, hasB := live.Get()
	if hasA && hasB {
		return !same(a, b)
	}
	return hasA != hasB && c.required.Has(set)
}

// sameGroups compares names in any order: a list may have another one than a lookup.
func sameGroups(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	if slices.Equal(a, b) {
		return true
	}
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// sameData compares by value: the order of members and white space are no difference.
func sameData(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	x, y := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	return x.Canonicalize() == nil && y.Canonicalize() == nil && bytes.Equal(x, y)
}
