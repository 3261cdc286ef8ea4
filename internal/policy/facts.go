package policy

import (
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// readFacts reads the facts about of ("device" or "user") into a record. Times may be relative to now.
func readFacts(v document.Value, of string, now time.Time, to *posture.Device) {
	m := v.Mapping()
	for _, d := range posture.Vocabulary() {
		name, ok := strings.CutPrefix(d.Name, of+".")
		if !ok {
			continue
		}
		if value, ok := readFact(m.Get(name), d, now); ok {
			d.Put(to, value)
		}
	}
}

func readFact(v document.Value, d *posture.Definition, now time.Time) (any, bool) {
	if !v.IsSet() {
		return nil, false
	}
	switch d.Type {
	case posture.BoolFact:
		return anyOf(v.Bool())
	case posture.ListFact:
		return anyOf(textsOf(v))
	case posture.AttributesFact:
		attributes := map[string]string{}
		for name, value := range v.Names() {
			if text, ok := value.Text(); ok {
				attributes[name] = text
			}
		}
		return attributes, v.IsMapping()
	case posture.TextFact:
		return anyOf(v.Text())
	case posture.VersionFact:
		text, ok := v.Text()
		if !ok {
			return nil, false
		}
		version, err := posture.ParseVersion(text)
		if err != nil {
			v.Fault(`one to four numbers, such as "15.4.1"`, "it is not a version")
			return nil, false
		}
		return version, true
	case posture.TimeFact:
		t, ok := readTime(v, now)
		if !ok {
			return nil, false
		}
		return anyOf(posture.Moment(t, now).Get()) // as inventories have it
	}
	return nil, false
}

func anyOf[T any](value T, ok bool) (any, bool) { return value, ok }

func textsOf(v document.Value) ([]string, bool) {
	items, ok := v.List()
	all := make([]string, 0, len(items))
	for _, item := range items {
		text, isText := item.Text()
		ok = ok && isText
		all = append(all, text)
	}
	return all, ok
}

const acceptedTime = "a time such as 2026-01-01T00:00:00Z, 3d ago or in 2h (s, m, h, d)"

// readTime reads a time of RFC 3339, or one relative to now.
func readTime(v document.Value, now time.Time) (time.Time, bool) {
	text, ok := v.TimeText()
	if !ok {
		return time.Time{}, false
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	before, isPast := strings.CutSuffix(text, " ago")
	after, isFuture := strings.CutPrefix(text, "in ")
	switch {
	case isPast:
		if d, ok := span(before); ok {
			return now.Add(-d), true
		}
	case isFuture:
		if d, ok := span(after); ok {
			return now.Add(d), true
		}
	}
	v.Fault(acceptedTime, "it is not a time")
	return time.Time{}, false
}

// span reads a number with a unit, such as 3d.
func span(text string) (time.Duration, bool) {
	const digits, hoursOfDay = 5, 24
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': hoursOfDay * time.Hour}
	if len(text) < len("1d") || len(text) > digits+1 {
		return 0, false
	}
	unit, known := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	return time.Duration(n) * unit, known && err == nil
}
