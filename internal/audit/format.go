package audit

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Log writes events, one line each in one write. The form is written here for speed and for one order of the keys in
// text and JSON. An event takes 0.7 µs (BenchmarkLog); slog's handlers take 2.5 times as long, and logrus, which writes
// everything else, 10 times, more than any other step of a request. zerolog is as fast as this, but its only fast form is
// JSON, with msg as the last key.
type Log struct {
	out   io.Writer
	lines sync.Pool // of fieldWriter
}

// NewLog makes a Log of text or JSON lines. Concurrent writes to out must not mix, as is the case with files.
func NewLog(out io.Writer, asJSON bool) *Log {
	l := &Log{out: out, lines: sync.Pool{New: func() any { return new(textLine) }}}
	if asJSON {
		l.lines.New = func() any { return new(jsonLine) }
	}
	return l
}

// Write writes an event. Errors are dropped: they have no place left where they could be reported.
func (l *Log) Write(e *Event) {
	line, _ := l.lines.Get().(fieldWriter)
	defer l.lines.Put(line)
	line.begin()
	e.fields(time.Now(), line)
	_, _ = l.out.Write(line.end())
}

// fieldWriter takes the fields of an event in their order.
type fieldWriter interface {
	begin()
	time(key string, value time.Time)
	text(key, value string)
	// list writes names.
	list(key string, values []string)
	number(key string, value int)
	// yes writes true.
	yes(key string)
	// milliseconds writes a duration as a number. It has one unit always, so that lines can be compared and sorted.
	milliseconds(key string, value time.Duration)
	// end returns the whole line, which is valid until the next one begins.
	end() []byte
}

// textLine writes fields as logrus writes them in text.
type textLine []byte

func (l *textLine) begin() { *l = (*l)[:0] }

func (l *textLine) key(key string) {
	if len(*l) > 0 {
		*l = append(*l, ' ')
	}
	*l = append(append(*l, key...), '=')
}

func (l *textLine) time(key string, value time.Time) {
	l.key(key)
	*l = append(value.AppendFormat(append(*l, '"'), time.RFC3339), '"')
}

func (l *textLine) text(key, value string) {
	l.key(key)
	switch {
	case isWord(value):
		*l = append(*l, value...)
	case isPlain(value) && strings.IndexByte(value, '"') < 0 && strings.IndexByte(value, '\\') < 0:
		*l = append(append(append(*l, '"'), value...), '"')
	default:
		*l = strconv.AppendQuote(*l, value)
	}
}

// list writes names with commas between them. In quotes where one of them is more than a word.
func (l *textLine) list(key string, values []string) {
	all := strings.Join(values, ",")
	if slices.IndexFunc(values, func(value string) bool { return !isWord(value) }) >= 0 {
		l.text(key, all)
		return
	}
	l.key(key)
	*l = append(*l, all...)
}

func (l *textLine) number(key string, value int) {
	l.key(key)
	*l = strconv.AppendInt(*l, int64(value), 10)
}

func (l *textLine) yes(key string) {
	l.key(key)
	*l = append(*l, "true"...)
}

func (l *textLine) milliseconds(key string, value time.Duration) {
	l.key(key)
	*l = appendMilliseconds(*l, value)
}

func (l *textLine) end() []byte {
	*l = append(*l, '\n')
	return *l
}

// isWord reports whether logrus would write a value without quotes.
func isWord(value string) bool {
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '/', c == '@', c == '^', c == '+':
		default:
			return false
		}
	}
	return true
}

// jsonLine writes fields as the members of one JSON object.
type jsonLine []byte

func (l *jsonLine) begin() { *l = append((*l)[:0], '{') }

func (l *jsonLine) key(key string) {
	if len(*l) > len("{") {
		*l = append(*l, ',')
	}
	l.quote(key)
	*l = append(*l, ':')
}

// quote writes a JSON string. The only error is invalid UTF-8, which is written as U+FFFD.
func (l *jsonLine) quote(text string) { *l, _ = jsontext.AppendQuote(*l, text) }

func (l *jsonLine) time(key string, value time.Time) {
	l.key(key)
	*l = append(value.AppendFormat(append(*l, '"'), time.RFC3339Nano), '"')
}

func (l *jsonLine) text(key, value string) {
	l.key(key)
	l.quote(value)
}

func (l *jsonLine) list(key string, values []string) {
	l.key(key)
	*l = append(*l, '[')
	for i, value := range values {
		if i > 0 {
			*l = append(*l, ',')
		}
		l.quote(value)
	}
	*l = append(*l, ']')
}

func (l *jsonLine) number(key string, value int) {
	l.key(key)
	*l = strconv.AppendInt(*l, int64(value), 10)
}

func (l *jsonLine) yes(key string) {
	l.key(key)
	*l = append(*l, "true"...)
}

func (l *jsonLine) milliseconds(key string, value time.Duration) {
	l.key(key)
	*l = appendMilliseconds(*l, value)
}

func (l *jsonLine) end() []byte {
	*l = append(*l, "}\n"...)
	return *l
}

// appendMilliseconds writes a duration, rounded to microseconds, as 1.234.
func appendMilliseconds(to []byte, d time.Duration) []byte {
	if d < 0 { // the clock was set back
		to, d = append(to, '-'), -d
	}
	micros := d.Round(time.Microsecond).Microseconds()
	const thousand, hundred, ten = 1000, 100, 10
	to = append(strconv.AppendInt(to, micros/thousand, ten), '.')
	for _, digit := range [...]int64{hundred, ten, 1} {
		to = append(to, '0'+byte(micros/digit%ten)) //nolint:gosec // G115: one digit
	}
	return to
}
