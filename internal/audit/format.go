package audit

import (
	"bytes"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Log is where events are written, one line each in one write. logrus, which writes everything else,
// copies and sorts the fields of a line in maps; for events that was the most expensive step of a request.
type Log struct {
	out     io.Writer
	begin   func(*bytes.Buffer) fieldWriter
	buffers sync.Pool
}

// NewLog makes a Log of text or JSON lines. What is written to out must not mix when several do it at
// once, as it is with files.
func NewLog(out io.Writer, asJSON bool) *Log {
	l := &Log{out: out, begin: beginText, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	if asJSON {
		l.begin = beginJSON
	}
	return l
}

// Write writes an event. A log that cannot be written to has nobody who could be told.
func (l *Log) Write(e *Event) {
	buffer, _ := l.buffers.Get().(*bytes.Buffer)
	defer l.buffers.Put(buffer)
	buffer.Reset()
	line := l.begin(buffer)
	e.fields(time.Now(), line)
	line.end()
	_, _ = l.out.Write(buffer.Bytes())
}

// fieldWriter takes the fields of an event in their order.
type fieldWriter interface {
	time(key string, value time.Time)
	text(key, value string)
	number(key string, value int)
	// duration shows every duration in milliseconds, so that lines can be compared and sorted.
	duration(key string, value time.Duration)
	end()
}

// textLine writes fields as logrus writes them in text.
type textLine struct{ *bytes.Buffer }

func beginText(b *bytes.Buffer) fieldWriter { return textLine{b} }

func (l textLine) key(key string) {
	if l.Len() > 0 {
		l.WriteByte(' ')
	}
	l.WriteString(key)
	l.WriteByte('=')
}

func (l textLine) time(key string, value time.Time) {
	l.key(key)
	l.WriteByte('"')
	l.Write(value.AppendFormat(l.AvailableBuffer(), time.RFC3339))
	l.WriteByte('"')
}

func (l textLine) text(key, value string) {
	l.key(key)
	if isWord(value) {
		l.WriteString(value)
		return
	}
	l.Write(strconv.AppendQuote(l.AvailableBuffer(), value))
}

func (l textLine) number(key string, value int) {
	l.key(key)
	l.Write(strconv.AppendInt(l.AvailableBuffer(), int64(value), 10))
}

func (l textLine) duration(key string, value time.Duration) {
	l.key(key)
	l.Write(appendMilliseconds(l.AvailableBuffer(), value))
}

func (l textLine) end() { l.WriteByte('\n') }

// isWord reports whether logrus would write a value without quotation marks.
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
type jsonLine struct{ *bytes.Buffer }

func beginJSON(b *bytes.Buffer) fieldWriter { return jsonLine{b} }

func (l jsonLine) key(key string) {
	if l.Len() > 0 {
		l.WriteByte(',')
	} else {
		l.WriteByte('{')
	}
	l.quote(key)
	l.WriteByte(':')
}

// quote writes a JSON string. What is not UTF-8 becomes U+FFFD, which the error would only say.
func (l jsonLine) quote(text string) {
	quoted, _ := jsontext.AppendQuote(l.AvailableBuffer(), text)
	l.Write(quoted)
}

func (l jsonLine) time(key string, value time.Time) { l.text(key, value.Format(time.RFC3339Nano)) }

func (l jsonLine) text(key, value string) {
	l.key(key)
	l.quote(value)
}

func (l jsonLine) number(key string, value int) {
	l.key(key)
	l.Write(strconv.AppendInt(l.AvailableBuffer(), int64(value), 10))
}

func (l jsonLine) duration(key string, value time.Duration) {
	l.text(key, string(appendMilliseconds(nil, value)))
}

func (l jsonLine) end() { l.WriteString("}\n") }

func appendMilliseconds(to []byte, d time.Duration) []byte {
	const decimals, bits = 3, 64
	return append(strconv.AppendFloat(to, float64(d)/float64(time.Millisecond), 'f', decimals, bits), "ms"...)
}
