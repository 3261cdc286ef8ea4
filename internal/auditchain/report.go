// Package auditchain verifies the chain of an audit log, and finds the decision behind a certificate in it.
package auditchain

import (
	"fmt"

	"step-posture-connector/internal/audit"
)

// Report is what a verification has found.
type Report struct {
	Intact bool `json:"intact"`
	// Lines is the number of lines in the chains. NotCovered is the number of those before a chain begins, which nothing protects.
	Lines      int       `json:"lines"`
	NotCovered int       `json:"not_covered"`
	Chains     []Chain   `json:"chains"`
	Problems   []Problem `json:"problems"` // the first one first
	Notes      []Note    `json:"notes"`
	MoreNotes  int       `json:"more_notes,omitempty"` // notes that are left out

	found                  []found
	withReference, withKey int // how many were found
}

// Chain is one chain of the files.
type Chain struct {
	Chain string `json:"chain"`
	First uint64 `json:"first"` // the numbers of its first and last line
	Last  uint64 `json:"last"`
	Head  string `json:"head"` // NUMBER:MAC of the last line
	// Files are in the order of the chain.
	Files []string `json:"files"`
}

// Kind is a kind of Problem.
type Kind string

// The kinds of problems.
const (
	Changed    Kind = "changed"    // the bytes of a line are not those that were written
	Removed    Kind = "removed"    // lines are missing
	Inserted   Kind = "inserted"   // a line was not written by the connector
	Reordered  Kind = "reordered"  // a line stands at another place
	Repeated   Kind = "repeated"   // a line stands there twice
	Mixed      Kind = "mixed"      // lines of another chain
	Unfinished Kind = "unfinished" // the last line has no end
	NoChain    Kind = "no_chain"   // no line has a chain
	HeadAbsent Kind = "head"       // a head that is not in the files
)

// Problem is something that the connector has not written like that.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"` // in the file, from 1; 0 for a problem of the files as a whole
	Kind   Kind   `json:"kind"`
	Chain  string `json:"chain,omitempty"`
	Number uint64 `json:"number,omitempty"` // of the line in its chain, as it says
	// First and Last are the numbers of lines that are missing.
	First uint64 `json:"first,omitempty"`
	Last  uint64 `json:"last,omitempty"`
	Text  string `json:"text"`
}

// Note is something that the connector itself has written into the chain, and that an administrator should know.
type Note struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Event string `json:"event"` // that of the audit log, or not_covered, or begins_after
	Text  string `json:"text"`
}

// The words of notes that are no events of the audit log.
const (
	noteNotCovered  = "not_covered"
	noteBeginsAfter = "begins_after"
)

func (r *Report) note(n Note) {
	if len(r.Notes) >= maxNotes {
		r.MoreNotes++
		return
	}
	r.Notes = append(r.Notes, n)
}

// noteOf is the note about a line of the chain itself, if there is anything to say.
func noteOf(file string, number int, e *audit.ChainEvent) (Note, bool) {
	n := Note{File: file, Line: number, Event: e.Event}
	switch e.Event {
	case audit.EventChainStart:
		n.Text = "a chain begins: " + audit.Clean(e.Reason, maxReason)
	case audit.EventTorn:
		n.Text = fmt.Sprintf("the line before was not finished, because the daemon was killed or the disk was full: %d bytes", e.TornBytes)
	case audit.EventLost:
		n.Text = countOf(e.Lost, "line") + " could not be written before this one"
	case audit.EventTruncated:
		n.Text = "another program had made the file shorter, as copytruncate of logrotate does"
	default:
		return n, false
	}
	return n, true
}

// maxReason bounds a reason in a note, in bytes.
const maxReason = 256

func countOf(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func linesOf(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("line %d", first)
	}
	return fmt.Sprintf("lines %d to %d", first, last)
}

// found is a line that Prove looks at.
type found struct {
	file     string
	line     int
	text     []byte
	isIntact bool // its own MAC is right
}
