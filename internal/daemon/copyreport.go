package daemon

import (
	"strings"
	"sync"
	"time"
	"unicode"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/snapshot"
)

// copyReports takes what the keeper of a copy reports to the log: each line once, and not again while nothing has changed.
// Before there is a log, lines are kept.
type copyReports struct {
	mu   sync.Mutex
	log  func(snapshot.Report)
	kept []snapshot.Report
	// logged has the time of each line, by its text without numbers, which differ from fetch to fetch.
	logged map[string]time.Time
	wrong  bool // a warning was logged after the last line that was none
}

// report logs a line, or keeps it.
func (c *copyReports) report(r snapshot.Report) {
	r.Text = audit.Clean(strings.ReplaceAll(r.Text, "\n", "; "), maxMessage)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log == nil {
		if len(c.kept) < maxReports {
			c.kept = append(c.kept, r)
		}
		return
	}
	key := strings.Map(func(char rune) rune {
		if unicode.IsDigit(char) {
			return -1
		}
		return char
	}, r.Text)
	last, known := c.logged[key]
	// A success after a failure is news, and so is the next failure.
	news := !known || time.Since(last) >= reportAgain || !r.Warning && c.wrong
	if !news {
		return
	}
	if !r.Warning && c.wrong || len(c.logged) >= maxReports {
		clear(c.logged)
	}
	if c.logged == nil {
		c.logged = map[string]time.Time{}
	}
	c.logged[key], c.wrong = time.Now(), r.Warning
	c.log(r)
}

// take returns the warnings that were kept.
func (c *copyReports) take() (warnings []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rest []snapshot.Report
	for _, r := range c.kept {
		if r.Warning {
			warnings = append(warnings, r.Text)
		} else {
			rest = append(rest, r)
		}
	}
	c.kept = rest
	return warnings
}

// follow logs the lines that were kept, and those to come.
func (c *copyReports) follow(log func(snapshot.Report)) {
	c.mu.Lock()
	kept := c.kept
	c.log, c.kept = log, nil
	c.mu.Unlock()
	for _, r := range kept {
		c.report(r)
	}
}
