package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// Logger makes the logger for all lines but the events, in the configured form and level.
func (d *Daemon) Logger(out io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(out)
	if d.json() {
		log.SetFormatter(jsonLines{})
	} else {
		// Without colors on a terminal too, as the events are.
		log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: time.RFC3339})
	}
	levels := []logrus.Level{logrus.InfoLevel, logrus.DebugLevel, logrus.TraceLevel}
	log.SetLevel(levels[d.config.LoggingLevel])
	return log
}

// json reports whether the log is JSON.
func (d *Daemon) json() bool { return d.config.LogFormat == "json" }

// jsonLines begins each line with time, level and msg, as audit.Log begins its events. logrus' own JSON formatter
// sorts them in between the other keys.
type jsonLines struct{}

// Format implements logrus.Formatter.
func (jsonLines) Format(e *logrus.Entry) ([]byte, error) {
	line, err := json.Marshal(struct {
		Time  time.Time `json:"time"`
		Level string    `json:"level"`
		Msg   string    `json:"msg"`
	}{e.Time, e.Level.String(), e.Message})
	if err != nil {
		return nil, fmt.Errorf("format a log line: %w", err)
	}
	if len(e.Data) > 0 {
		fields, err := json.Marshal(e.Data)
		if err != nil {
			return nil, fmt.Errorf("format a log line: %w", err)
		}
		line = append(append(line[:len(line)-len("}")], ','), fields[len("{"):]...)
	}
	return append(line, '\n'), nil
}

// lostLines is the line that reports how many lines of the log were lost.
func lostLines(log *logrus.Logger, lost uint64) []byte {
	entry := logrus.NewEntry(log)
	entry.Time, entry.Level = time.Now(), logrus.WarnLevel
	entry.Message = fmt.Sprintf("%d lines of the log were lost here, because they could not be written", lost)
	line, err := log.Formatter.Format(entry)
	if err != nil {
		return []byte(entry.Message + "\n")
	}
	return line
}

// oneLine joins the lines of an error, because the log has one line for each.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
