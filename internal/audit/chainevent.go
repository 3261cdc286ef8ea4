package audit

import (
	"bytes"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
)

// The words of lines about the chain itself.
const (
	// EventChainStart begins a chain: the first line of it.
	EventChainStart = "chain_start"
	// EventChainContinued is the first line of a file that a rotation has begun.
	EventChainContinued = "chain_continued"
	// EventTorn follows a line that was not written to its end.
	EventTorn = "torn"
	// EventLost precedes the first line that could be written after others could not.
	EventLost = "lost"
	// EventTruncated says that another program has made the file shorter.
	EventTruncated = "truncated"
)

// ChainEvent is a line about the chain itself.
type ChainEvent struct {
	Time   string `json:"time"`
	Event  string `json:"event"`
	Reason string `json:"reason,omitempty"` // of a chain_start
	Lost   uint64 `json:"lost,omitempty"`   // how many lines could not be written
	// TornBytes is the length of what stands between the line before and this one, with its line ends, and TornSHA256 its hash, in hex.
	TornBytes  int64  `json:"torn_bytes,omitempty"`
	TornSHA256 string `json:"torn_sha256,omitempty"`
}

func newChainEvent(word string) ChainEvent {
	return ChainEvent{Time: time.Now().UTC().Format(timeForm), Event: word}
}

// afterTime is where in a line the member after the time begins.
const afterTime = len(`{"time":"2006-01-02T15:04:05.000000Z"`)

// TimeOf is the time of a line as it stands there, without reading the whole line; such texts sort as times do. It is empty where the
// line begins otherwise.
func TimeOf(line []byte) string {
	const before = `{"time":"`
	if len(line) <= afterTime || !bytes.HasPrefix(line, []byte(before)) || line[afterTime-1] != '"' {
		return ""
	}
	return string(line[len(before) : afterTime-1])
}

// ReadChainEvent reads a line about the chain. It returns false for any other line.
func ReadChainEvent(line []byte) (ChainEvent, bool) {
	e := ChainEvent{}
	if len(line) < afterTime || !bytes.HasPrefix(line[afterTime:], []byte(`,"event":"`)) || json.Unmarshal(line, &e) != nil {
		return e, false
	}
	switch e.Event {
	case EventChainStart, EventChainContinued, EventTorn, EventLost, EventTruncated:
		return e, true
	}
	return e, false
}

// referenceOf is the reference of a decision, without reading the whole line: every line of a decision begins in the same way.
func referenceOf(line []byte) (string, bool) {
	const before = `,"reference":"`
	const length = 8
	if len(line) < afterTime+len(before)+length+1 {
		return "", false
	}
	rest, ok := bytes.CutPrefix(line[afterTime:], []byte(before))
	if !ok || rest[length] != '"' {
		return "", false
	}
	return string(rest[:length]), true
}

// HasReference reports whether a line begins as that of a decision with one of these references does. It reads no JSON: what
// it finds is to be read.
func HasReference(line []byte, references map[string]bool) bool {
	reference, ok := referenceOf(line)
	return ok && references[reference]
}

var errNotRegular = errors.New("it is not a regular file, and a chain needs one: its end is read at each start")
