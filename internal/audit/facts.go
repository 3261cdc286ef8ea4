package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// The words for what an inventory answered, in the facts of a line.
const (
	answerFound     = "found"
	answerNotFound  = "not_found"
	answerForm      = "identifier_invalid" // no device of the inventory can have such an identifier
	answerAmbiguous = "ambiguous"
	answerFailed    = "failed"
)

// facts are what the decision was made of, as JSON: the request, and what each inventory that was asked answered. A fact
// is a value, or null for unknown; one that the inventory was not asked for is missing.
//
//	{"now":"2026-11-26T10:00:00Z","mode_given":false,"request":{"door":"webhook",…},
//	 "records":{"jamf":{"answer":"found","found":true,"mode":"computer","device":{"os_version":"15.4",…},"user":{…}}}}
func (v *vocabulary) facts(e *Event) []byte {
	if e.Evidence == nil {
		return []byte("null")
	}
	w := &factsWriter{vocabulary: v, hidden: e.hidden}
	w.object(func() {
		w.key("now").moment(e.Evidence.Now)
		w.key("mode_given").bool(e.Evidence.Given != "")
		w.hides = true // of what inventories say nothing comes from the request
		w.key("request").object(func() { w.request(&e.Evidence.Request) })
		w.hides = false
		w.key("records").object(func() {
			for i := range e.Evidence.Answers {
				answer := &e.Evidence.Answers[i]
				name := answer.Inventory
				if name == "" {
					name = e.Provider // as a policy file names the inventory of the environment
				}
				w.key(name).object(func() { w.answer(answer) })
			}
		})
	})
	switch {
	case w.err != nil:
		return leftOut("a text is not UTF-8")
	case len(w.out) > maxFacts:
		return leftOut("more than " + strconv.Itoa(maxFacts) + " bytes")
	}
	return w.out
}

// leftOut stands for facts that a line cannot have.
func leftOut(why string) []byte { return []byte(`{"left_out":` + strconv.Quote(why) + `}`) }

// factsWriter writes JSON. It stops to write values after maxFacts: an inventory may send 40 MB about one device.
type factsWriter struct {
	*vocabulary

	out   []byte
	comma bool // something of the same object or list is in front
	hides bool // what looks like a token is shortened, and so is hidden
	// hidden is the token of the request.
	hidden string
	err    error
}

func (w *factsWriter) begin() {
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.comma = true
}

func (w *factsWriter) object(members func()) {
	w.out, w.comma = append(w.out, '{'), false
	members()
	w.out, w.comma = append(w.out, '}'), true
}

// key writes the key of a member, whose value comes next.
func (w *factsWriter) key(name string) *factsWriter {
	w.begin()
	w.text(name)
	w.out = append(w.out, ':')
	return w
}

func (w *factsWriter) null()       { w.out = append(w.out, "null"...) }
func (w *factsWriter) bool(b bool) { w.out = strconv.AppendBool(w.out, b) }
func (w *factsWriter) int(n int64) { w.out = strconv.AppendInt(w.out, n, 10) }

// moment writes a time with all its digits: a rule may compare it with another one.
func (w *factsWriter) moment(t time.Time) {
	w.out = append(t.UTC().AppendFormat(append(w.out, '"'), time.RFC3339Nano), '"')
}

// text writes a text with its exact value, but for tokens. What is not printable is escaped: the file may be shown on a terminal.
func (w *factsWriter) text(text string) {
	if len(w.out) > maxFacts {
		return
	}
	if w.hides {
		text = posture.HideTokens(without(text, w.hidden))
	}
	if isPlain(text) && !strings.ContainsAny(text, `"\`) {
		w.out = append(append(append(w.out, '"'), text...), '"')
		return
	}
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		w.err = errors.New("a text is not UTF-8")
		return
	}
	for _, r := range string(quoted) {
		if unicode.IsPrint(r) {
			w.out = append(w.out, string(r)...)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			const hex = "0123456789abcdef"
			w.out = append(w.out, '\\', 'u', hex[unit>>12], hex[unit>>8&0xF], hex[unit>>4&0xF], hex[unit&0xF])
		}
	}
}

func (w *factsWriter) texts(texts []string) {
	w.out, w.comma = append(w.out, '['), false
	for _, text := range texts {
		w.begin()
		w.text(text)
	}
	w.out, w.comma = append(w.out, ']'), true
}

// orNull writes a text, whose empty value is unknown.
func (w *factsWriter) orNull(text string) {
	if text == "" {
		w.null()
		return
	}
	w.text(text)
}

// textsOrNull writes a list; nil is unknown.
func (w *factsWriter) textsOrNull(texts []string) {
	if texts == nil {
		w.null()
		return
	}
	w.texts(texts)
}

func (w *factsWriter) answer(a *posture.Answer) {
	word := answerFailed
	switch {
	case a.Record != nil:
		word = answerFound
	case errors.Is(a.Err, posture.ErrNotFound):
		word = answerNotFound
	case errors.Is(a.Err, posture.ErrIdentifier):
		word = answerForm
	case errors.Is(a.Err, posture.ErrAmbiguous):
		word = answerAmbiguous
	}
	w.key("answer").text(word)
	if w.key("found"); a.Failed() {
		w.null()
	} else {
		w.bool(a.Record != nil)
	}
	w.key("mode").orNull(string(a.Type))
	if a.Record == nil {
		return
	}
	asked := a.Asked | w.always
	for _, part := range w.parts {
		w.key(part.of).object(func() {
			for name, d := range part.all() {
				if asked.Has(d.Set()) {
					w.key(name).fact(d.Get(a.Record))
				}
			}
		})
	}
}

func (w *factsWriter) fact(value any, known bool) {
	if !known {
		w.null()
		return
	}
	switch v := value.(type) {
	case string:
		w.text(v)
	case bool:
		w.bool(v)
	case posture.Version:
		w.text(v.String())
	case time.Time:
		w.moment(v)
	case []string:
		w.texts(v)
	case map[string]string:
		w.object(func() {
			for _, name := range slices.Sorted(maps.Keys(v)) {
				w.key(name).text(v[name])
			}
		})
	default:
		w.err = fmt.Errorf("a fact has the type %T", value)
	}
}
