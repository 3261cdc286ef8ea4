package auditchain

import (
	"cmp"
	"fmt"
	"slices"

	"step-posture-connector/internal/audit"
)

// join compares the files of each chain with one another, and gathers the problems in the order of the chains.
func (r *Report) join(files []*file, o Options) {
	var order []string
	of := map[string][]*file{}
	chained, broken := 0, 0
	for _, f := range files {
		chained, broken = chained+f.chained, broken+f.broken
		if f.first == nil {
			continue
		}
		if of[f.first.Chain] == nil {
			order = append(order, f.first.Chain)
		}
		of[f.first.Chain] = append(of[f.first.Chain], f)
	}
	begun := ""
	for _, chain := range order {
		parts := of[chain]
		slices.SortStableFunc(parts, func(a, b *file) int { return cmp.Compare(a.first.Number, b.first.Number) })
		r.joinChain(parts, o.After)
		begun = max(begun, parts[0].begun)
	}
	r.judgeUnchained(files, begun)
	if len(order) == 0 && r.NotCovered > 0 {
		r.Problems = append(r.Problems, Problem{Kind: NoChain, Text: "no line of the files has a chain: nothing can be said about them"})
	}
	if chained > 0 && chained == broken {
		r.Problems[0].Text += "; no line verifies: is AUDIT_CHAIN_KEY the key that they were written with?"
	}
}

// judgeUnchained judges the files without a chain. Those of the time before the chains are older than all of them. Fail closed:
// lines that lose their chain are changed, and nobody should take them for lines of that time.
func (r *Report) judgeUnchained(files []*file, begun string) {
	for _, f := range files {
		if f.first == nil && begun != "" && f.youngest > begun {
			r.Problems = append(r.Problems, Problem{
				File: f.path, Line: 1, Kind: Inserted,
				Text: fmt.Sprintf("no line of the file has a chain, and one says that it is of %s, when the chains had begun: the chain was taken from the lines, or AUDIT_CHAIN was off", audit.Clean(f.youngest, maxReason)),
			})
		}
	}
}

// joinChain joins the files of one chain, in the order of its lines.
func (r *Report) joinChain(parts []*file, after []audit.Head) {
	c := Chain{Chain: parts[0].first.Chain, First: parts[0].first.Number}
	for i, f := range parts {
		before := f.problem != nil && f.problem.Line < f.firstAt
		if before {
			r.Problems = append(r.Problems, *f.problem)
		}
		if i == 0 {
			r.judgeBeginning(f, after)
		} else {
			r.judgeJoint(parts[i-1], f)
		}
		if f.problem != nil && !before {
			r.Problems = append(r.Problems, *f.problem)
		}
		c.Files = append(c.Files, f.path)
		c.Last, c.Head = f.last.Number, f.last.Head().String()
	}
	r.Chains = append(r.Chains, c)
}

// judgeBeginning judges the first line that the files have of a chain. Fail closed: where it is not the first one of the chain,
// somebody must say that the others are not expected.
func (r *Report) judgeBeginning(f *file, after []audit.Head) {
	before := audit.Head{Number: f.first.Number - 1, MAC: f.first.Previous}
	if before.Number == 0 || !f.firstIntact {
		return // what the line says of its place is only a claim, and it has a problem of its own
	}
	if slices.Contains(after, before) {
		r.note(Note{f.path, f.firstAt, noteBeginsAfter, fmt.Sprintf("the files go on after line %d of the chain, as --after says", before.Number)})
		return
	}
	r.Problems = append(r.Problems, Problem{
		File: f.path, Line: f.firstAt, Kind: Removed, Chain: f.first.Chain, Number: f.first.Number, First: 1, Last: before.Number,
		Text: fmt.Sprintf("%s of the chain are missing before this one; if older files were removed on purpose, and the log has shown this head, give --after %s", linesOf(1, before.Number), before),
	})
}

// judgeJoint compares the end of a file with the beginning of the next one.
func (r *Report) judgeJoint(before, next *file) {
	p := Problem{File: next.path, Line: next.firstAt, Chain: next.first.Chain, Number: next.first.Number}
	expected := before.last.Number + 1
	switch {
	case !next.firstIntact, next.first.Number == expected && next.first.Previous == before.last.MAC:
		return
	case next.first.Number == expected:
		p.Kind, p.Text = Changed, fmt.Sprintf("line %d of the chain follows another line %d than the last one of %s", expected, before.last.Number, before.path)
	case next.first.Number > expected:
		p.Kind, p.First, p.Last = Removed, expected, next.first.Number-1
		p.Text = fmt.Sprintf("%s of the chain are missing between %s and this file", linesOf(p.First, p.Last), before.path)
	default:
		p.Kind, p.Text = Repeated, fmt.Sprintf("%s of the chain are in %s too", linesOf(next.first.Number, min(before.last.Number, next.last.Number)), before.path)
	}
	r.Problems = append(r.Problems, p)
}

// compareHeads reports heads that the files do not have.
func (r *Report) compareHeads(wanted []audit.Head, isFound map[audit.Head]bool) {
	for _, head := range wanted {
		if isFound[head] {
			continue
		}
		p := Problem{Kind: HeadAbsent, Number: head.Number, Text: fmt.Sprintf("no chain of the files has line %d with this MAC (%s)", head.Number, head.MAC)}
		if len(r.Chains) == 1 {
			c := r.Chains[0]
			switch {
			case c.Last < head.Number:
				p.First, p.Last = c.Last+1, head.Number
				p.File = c.Files[len(c.Files)-1]
				p.Text = fmt.Sprintf("the files end with line %d of the chain, but the log has shown line %d: the end was cut, or a file was not given", c.Last, head.Number)
			case head.Number >= c.First:
				p.Text = fmt.Sprintf("line %d of the chain is another one than the log has shown: the end was cut, and lines were written since", head.Number)
			}
			p.Chain = c.Chain
		}
		r.Problems = append(r.Problems, p)
	}
}
