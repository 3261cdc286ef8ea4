package snapshot

import (
	"path/filepath"
	"time"

	"step-posture-connector/internal/document"
)

// Settings say how a copy is kept.
type Settings struct {
	// Every is the time between the beginnings of two fetches.
	Every time.Duration
	// MaxAge is how old a copy may be that still answers, since its fetch began.
	MaxAge time.Duration
	// Path is the file in which the copy outlives the process; empty for none.
	Path string
}

// Same reports whether both say the same; nil is no copy.
func (s *Settings) Same(other *Settings) bool {
	return s == other || s != nil && other != nil && *s == *other
}

// Shape declares the key of an inventory in a policy file.
func Shape() *document.Shape {
	shape := document.MapOf(
		document.Required("every", document.DurationShape("How often all devices are fetched, from 1s to 24h.")),
		document.Required("max_age", document.DurationShape("How old a copy may be that still answers, since its fetch began; at least twice every, at most 24h, or 7d with a warning.")),
		document.Optional("path", &document.Shape{Type: document.Text, Least: 1, Accepted: "the path of a file", About: "The file in which the copy outlives the process; a relative path begins in the folder of the policy file."}),
	)
	shape.Name = "snapshot"
	shape.About = "A copy of the inventory, which answers where it allows: it may be as old as max_age, and never refuses a device."
	return shape
}

// ReadSettings reads the key of an inventory. What is wrong is reported to the document, and nil returned, as where it is not
// set. A relative path begins in folder.
func ReadSettings(v document.Value, folder string) *Settings {
	if !v.IsSet() {
		return nil
	}
	m := v.As(Shape()).Mapping()
	every, hasEvery := m.Get("every").Duration()
	age, hasAge := m.Get("max_age").Duration()
	path, _ := m.Get("path").Text()
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	if hasEvery && (every < leastEvery || every > mostEvery) {
		m.Get("every").Fault("from 1s to 24h", "it is out of bounds")
		hasEvery = false
	}
	switch {
	case !hasEvery || !hasAge:
		return nil
	case age < everiesInAge*every:
		m.Get("max_age").Fault("at least 2 × every", "it is too short: one fetch that fails would end the copy")
		return nil
	case age > mostAge:
		m.Get("max_age").Fault("at most 24h, or 7d with a warning", "it is too long: a device that was removed would be allowed for so long in an outage")
		return nil
	case age > usualAge:
		m.Get("max_age").Warn("it is more than 24h: in an outage, a device that was removed is allowed for so long")
	}
	return &Settings{every, age, path}
}
