package audit

import (
	"bytes"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
)

// eventKey is under what an Event travels through logrus. It never shows.
const eventKey = "event"

// Formatter writes log entries as text or as JSON. Events it writes itself, field by field: with the maps
// that logrus copies and sorts for each entry, the log line was the most expensive step of a request.
type Formatter struct {
	JSON bool
}

// Format implements logrus.Formatter.
func (f Formatter) Format(entry *logrus.Entry) ([]byte, error) {
	e, is := entry.Data[eventKey].(*Event)
	switch {
	case f.JSON && is:
		fields := fieldMap{}
		e.fields(fields)
		withFields := *entry
		withFields.Data = logrus.Fields(fields)
		return f.others().Format(&withFields) //nolint:wrapcheck // logrus prints it as it is
	case is:
		line := textLine{bytes.NewBuffer(nil)}
		if entry.Buffer != nil {
			line.Buffer = entry.Buffer
		}
		line.begin(entry)
		e.fields(line)
		line.WriteByte('\n')
		return line.Bytes(), nil
	default:
		return f.others().Format(entry) //nolint:wrapcheck // logrus prints it as it is
	}
}

// others formats what is no text event. Its lines look the same: there are no colors on a terminal either.
func (f Formatter) others() logrus.Formatter {
	if f.JSON {
		return &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano}
	}
	return &logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: time.RFC3339}
}

// fieldWriter takes the fields of an event in their order.
type fieldWriter interface {
	text(key, value string)
	number(key string, value int)
	// duration shows every duration in milliseconds, so that lines can be compared and sorted.
	duration(key string, value time.Duration)
}

// fieldMap gathers fields for the JSON formatter.
type fieldMap logrus.Fields

func (m fieldMap) text(key, value string) { m[key] = value }

func (m fieldMap) number(key string, value int) { m[key] = value }

func (m fieldMap) duration(key string, value time.Duration) {
	m[key] = string(appendMilliseconds(nil, value))
}

// textLine writes fields as logrus writes them in text.
type textLine struct{ *bytes.Buffer }

func (l textLine) begin(entry *logrus.Entry) {
	l.WriteString("time=\"")
	l.Write(entry.Time.AppendFormat(l.AvailableBuffer(), time.RFC3339))
	l.WriteString("\" level=")
	l.WriteString(entry.Level.String())
	l.text("msg", entry.Message)
}

func (l textLine) key(key string) {
	l.WriteByte(' ')
	l.WriteString(key)
	l.WriteByte('=')
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

func appendMilliseconds(to []byte, d time.Duration) []byte {
	const decimals, bits = 3, 64
	return append(strconv.AppendFloat(to, float64(d)/float64(time.Millisecond), 'f', decimals, bits), "ms"...)
}

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
