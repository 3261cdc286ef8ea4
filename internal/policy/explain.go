package policy

import (
	"slices"
	"strconv"
	"time"
	"unicode"

	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/posture"
)

// Explanation is what one rule said, and of what.
type Explanation struct {
	posture.Outcome

	// Reads are the facts that the rule and its condition read, in the order of their texts.
	Reads []Fact
}

// Fact is what an expression has read.
type Fact struct {
	Path  string // "device.os_version", `records.owned.device.attributes["Asset tag"]`
	Known bool
	// Value is one that encoding/json writes: text, true or false, a number, or a list of texts. A version or a time is its text.
	// It is nil where the fact is unknown.
	Value any
	// Text is the fact for the log: "device.os_version is 14.7". Texts are shortened.
	Text string
}

// Explain evaluates all rules, and says what each has read, also where it is met or does not apply.
func (p *Policy) Explain(e *posture.Evidence) []Explanation {
	all := make([]Explanation, len(p.Rules))
	for i, r := range p.Rules {
		reads := r.Require.reads
		if r.When != nil {
			reads = slices.Concat(reads, r.When.reads)
		}
		all[i] = Explanation{Outcome: p.outcome(r, e), Reads: factsRead(reads, e)}
	}
	return all
}

// factsRead are the values of what was read, each once.
func factsRead(reads []Read, e *posture.Evidence) (all []Fact) {
	for _, r := range reads {
		value, known := r.value(e)
		f := r.fact(value, known)
		if !slices.ContainsFunc(all, func(other Fact) bool { return other.Text == f.Text }) {
			all = append(all, f)
		}
	}
	return all
}

// maxShown is how much of a text the log shows, in characters.
const maxShown = 64

// entries is a number of entries in words.
func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.Itoa(n) + " entries"
}

// fact shows a value, or that it is unknown.
func (r Read) fact(value any, known bool) Fact {
	f := Fact{Path: r.Path, Known: known, Value: value}
	if !known {
		f.Value, f.Text = nil, r.Path+" is unknown"
		return f
	}
	text := "known"
	switch v := value.(type) {
	case []string:
		f.Text = r.Path + " has " + entries(len(v))
		if r.searched {
			in := " is not among them"
			if slices.Contains(v, r.member) {
				in = " is among them"
			}
			f.Text += ", " + quote(r.member) + in
		}
		return f
	case string:
		text = quote(v)
	case version:
		text, f.Value = v.String(), v.String()
	case bool:
		text = strconv.FormatBool(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case types.Timestamp:
		text = v.UTC().Format(time.RFC3339)
		f.Value = text
	}
	f.Text = r.Path + " is " + text
	return f
}

// quote shows a text that others chose: its beginning, with everything escaped that cannot be seen.
func quote(text string) string {
	text = posture.HideTokens(text)
	if characters := []rune(text); len(characters) > maxShown {
		return strconv.Quote(string(characters[:maxShown])) + "..."
	}
	return strconv.Quote(text)
}

// clean shows an error of CEL, which may repeat a text that others chose.
func clean(err error) string {
	text := []rune(posture.HideTokens(err.Error()))
	for i, c := range text {
		if !unicode.IsPrint(c) {
			text[i] = '?'
		}
	}
	if len(text) > maxShown {
		return string(text[:maxShown]) + "..."
	}
	return string(text)
}
