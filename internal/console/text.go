package console

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// visible makes every character of a page that cannot be seen visible, such as \u{202E}, which turns the direction of a text. All
// that leaves the console passes here, so that no template can forget it; our own text has no such character. Spaces of other
// kinds, which devices have in their names, become plain ones. Marks that are put onto letters are shown so too where there are so
// many that they would cover other lines, or make a page wider than the window.
func visible(page []byte) []byte {
	shown := make([]byte, 0, len(page)+len(page)/8)
	marks := 0
	for _, r := range string(bytes.ToValidUTF8(page, []byte(string(unicode.ReplacementChar)))) {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case marks <= maxMarks && (unicode.IsPrint(r) || r == '\n'):
			shown = utf8.AppendRune(shown, r)
		case r == '\t' || unicode.Is(unicode.Zs, r):
			shown = append(shown, ' ')
		default:
			shown = fmt.Appendf(shown, `\u{%04X}`, r)
		}
	}
	return shown
}

// cut is the beginning of a long text, for lists. The page of the decision has all of it.
func cut(text string) string {
	text = string(visible([]byte(text))) // which can make it longer
	characters := 0
	for at := range text {
		if characters++; characters > maxCell {
			return text[:at] + "…"
		}
	}
	return text
}

// count is a number with thousands apart.
func count(n int64) string {
	digits := strconv.FormatInt(max(n, 0), 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// plural is a number with its noun, which gets an s unless it is one.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// part is a part of a text; what stands between backticks is code.
type part struct {
	Text string
	Code bool
}

func parts(text string) (all []part) {
	for i, piece := range strings.Split(text, "`") {
		if piece != "" {
			all = append(all, part{piece, i%2 == 1})
		}
	}
	return all
}

// moment is a time as pages show it: in UTC, and how long ago it is.
type moment struct{ Machine, Text, Ago string }

// moment shows a time; the zero time is the zero moment.
func (q *request) moment(at time.Time) moment {
	if at.IsZero() {
		return moment{}
	}
	at = at.UTC()
	return moment{at.Format(time.RFC3339), at.Format("2 Jan 2006, 15:04:05") + " UTC", relative(q.now.Sub(at))}
}

// relative is a duration in words: how long ago something was, or with a negative one when it will be.
func relative(d time.Duration) string {
	format := "%s ago"
	if d < 0 {
		d, format = -d, "in %s"
	}
	var n int64
	var unit string
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		n, unit = int64(d/time.Minute), "minute"
	case d < 2*24*time.Hour:
		n, unit = int64(d/time.Hour), "hour"
	default:
		n, unit = int64(d/(24*time.Hour)), "day"
	}
	return fmt.Sprintf(format, plural(n, unit))
}
