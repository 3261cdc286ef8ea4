package auditchain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"step-posture-connector/internal/audit"
)

// file is what is known of one file: it has lines of one chain, in their order, and maybe lines without a chain before those.
type file struct {
	report *Report
	path   string
	heads  map[audit.Head]bool // those that are looked for; true once found

	number  int         // of the line, from 1
	first   *audit.Link // nil without a line of a chain
	firstAt int         // its number in the file
	// firstIntact says that its MAC is right.
	firstIntact bool
	last        audit.Link
	chained     int // lines of the chain
	broken      int // those whose MAC is wrong

	// unchained are lines without a chain, behind the last one of the chain.
	unchained struct {
		first, lines int
		bytes        int64
		sum          hash.Hash
		unfinished   bool
	}

	begun    string // when the first line of the chain was written; empty where that line is not intact
	youngest string // the latest time of the lines without a chain, as they say

	problem *Problem // the first one
}

func newFile(report *Report, path string, heads map[audit.Head]bool) *file {
	f := &file{report: report, path: path, heads: heads}
	f.unchained.sum = sha256.New()
	return f
}

// wrong notes a problem. Only the first one of a file counts: others may follow from it.
func (f *file) wrong(p Problem) {
	if f.problem == nil {
		p.File = f.path
		f.problem = &p
	}
}

// add takes the next line.
func (f *file) add(j *judged) {
	f.number++
	if j.hasReference || j.hasKey {
		f.keep(j)
	}
	if !j.isChained {
		f.addUnchained(j)
		return
	}
	f.chained++
	f.closeUnchained(j)
	switch {
	case !j.isIntact:
		f.broken++
		f.wrong(Problem{
			Line: f.number, Kind: Changed, Chain: j.link.Chain, Number: j.link.Number,
			Text: fmt.Sprintf("the line was changed, or written with another key (it says that it is line %d of its chain)", j.link.Number),
		})
	case f.first != nil:
		f.compare(&j.link)
	}
	if f.first == nil {
		link := j.link
		f.first, f.firstAt, f.firstIntact = &link, f.number, j.isIntact
		if j.isIntact {
			f.begun = audit.TimeOf(j.text)
		}
	}
	if j.isIntact {
		if _, wanted := f.heads[j.link.Head()]; wanted {
			f.heads[j.link.Head()] = true
		}
		if j.event != nil {
			if note, is := noteOf(f.path, f.number, j.event); is {
				f.report.note(note)
			}
		}
	}
	f.last = j.link
}

func (f *file) keep(j *judged) {
	// Lines with the key alone are shown where no other is found; a device that connects often has many.
	kept, most := &f.report.withReference, maxFound
	if j.hasKey {
		kept, most = &f.report.withKey, maxFoundByKey
	}
	if *kept++; *kept > most {
		return
	}
	f.report.found = append(f.report.found, found{f.path, f.number, bytes.Clone(j.text), j.isIntact})
}

func (f *file) addUnchained(j *judged) {
	u := &f.unchained
	if u.lines == 0 {
		u.first = f.number
	}
	u.lines++
	u.bytes += int64(len(j.text))
	f.youngest = max(f.youngest, audit.TimeOf(j.text))
	_, _ = u.sum.Write(j.text) // never fails
	u.unfinished = len(j.text) == 0 || j.text[len(j.text)-1] != '\n'
}

// closeUnchained judges the lines without a chain in front of a line with one: they are what a torn event says, or stand before the
// beginning of the chain. Fail closed: nothing else may stand between lines of a chain.
func (f *file) closeUnchained(j *judged) {
	u := &f.unchained
	isTorn := j.event != nil && j.event.Event == audit.EventTorn
	fits := isTorn && u.bytes == j.event.TornBytes && hex.EncodeToString(u.sum.Sum(nil)) == j.event.TornSHA256
	switch {
	case fits:
	case isTorn:
		f.wrong(Problem{
			Line: max(f.number-max(u.lines, 1), 1), Kind: Changed, Chain: j.link.Chain, Number: j.link.Number,
			Text: fmt.Sprintf("what stands before the torn event of line %d is not the unfinished line that the event describes", f.number),
		})
	case u.lines == 0:
		return
	case f.first == nil && (j.link.Number == 1 || !j.isIntact):
		f.report.NotCovered += u.lines
		f.report.note(Note{f.path, 1, noteNotCovered, countLines(u.lines) + " before the chain, which nothing protects"})
	default:
		f.wrong(f.inserted(j.link.Chain))
	}
	u.lines, u.bytes, u.unfinished = 0, 0, false
	u.sum.Reset()
}

func (f *file) inserted(chain string) Problem {
	u := &f.unchained
	text := "a line that is not of the chain"
	if u.lines > 1 {
		text = countLines(u.lines) + " that are not of the chain"
	}
	if f.first != nil {
		text += fmt.Sprintf(", behind its line %d", f.last.Number)
	}
	return Problem{Line: u.first, Kind: Inserted, Chain: chain, Text: text + ": inserted, or changed at its end"}
}

// compare compares the place of a line with that of the line before.
func (f *file) compare(link *audit.Link) {
	p := Problem{Line: f.number, Chain: link.Chain, Number: link.Number}
	expected := f.last.Number + 1
	switch {
	case link.Chain != f.last.Chain:
		p.Kind, p.Text = Mixed, fmt.Sprintf("line %d of the chain %s stands behind line %d of the chain %s, which would have gone on", link.Number, link.Chain, f.last.Number, f.last.Chain)
	case link.Number == expected && link.Previous == f.last.MAC:
		return
	case link.Number == expected:
		p.Kind, p.Text = Changed, fmt.Sprintf("line %d of the chain follows another line %d than the one that stands before it", link.Number, f.last.Number)
	case link.Number > expected:
		p.Kind, p.First, p.Last = Removed, expected, link.Number-1
		p.Text = linesOf(p.First, p.Last) + " of the chain are missing before this one"
	default:
		if before := f.problem; before != nil && before.Kind == Removed && before.First <= link.Number && link.Number <= before.Last {
			before.Kind, before.Text = Reordered, fmt.Sprintf("%s of the chain do not stand before this one; line %d of the file has one of them", linesOf(before.First, before.Last), f.number)
		}
		p.Kind, p.Text = Repeated, fmt.Sprintf("line %d of the chain stands behind line %d: a copy of an earlier line, or moved", link.Number, f.last.Number)
	}
	f.wrong(p)
}

// end judges what stands behind the last line of the chain.
func (f *file) end() {
	u := &f.unchained
	f.report.Lines += f.chained
	switch {
	case u.lines == 0:
	case f.first == nil:
		f.report.NotCovered += u.lines
		f.report.note(Note{f.path, 1, noteNotCovered, "none of its lines has a chain: nothing protects them"})
	case u.lines == 1 && u.unfinished:
		f.wrong(Problem{
			Line: u.first, Kind: Unfinished, Chain: f.last.Chain,
			Text: "the last line has no end: the daemon was killed while it wrote it and was not started since, or the end of the file was cut",
		})
	default:
		f.wrong(f.inserted(f.last.Chain))
	}
}
