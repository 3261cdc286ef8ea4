package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync/atomic"
)

// chain is what the lines of a Trail are chained with. All but lost is used under the lock of the Trail.
type chain struct {
	sealer *Sealer
	warn   func(string)

	last Link // the last line that was written; its Number is 0 before the first one
	// start is why a chain begins here; empty where it has begun.
	start string
	due   []ChainEvent // lines about the chain that could not be written yet

	// fragment is the hash of what stands behind the last line of the file, and fragmentBytes its length.
	fragment      hash.Hash
	fragmentBytes int64

	size int64 // of the file as we have left it

	lost atomic.Uint64 // lines that could not be written
}

func newChain(key []byte, warn func(string)) *chain {
	return &chain{sealer: NewSealer(key), warn: warn, fragment: sha256.New()}
}

// begin makes the next line the first one of a new chain.
func (c *chain) begin(why string) {
	var id [lengthOfID / 2]byte
	_, _ = rand.Read(id[:])
	c.last, c.start = Link{Chain: hex.EncodeToString(id[:])}, why
}

// Why a chain begins. These are in the audit log.
const (
	startNew       = "the file had no lines"
	startUnchained = "the lines before were written without a chain"
	startBroken    = "the last line before does not verify: it was changed, or written with another key"
	startUnread    = "the end of the file could not be read"
)

// resume continues the chain that the file ends in, whose tail this is; isWhole says that the tail is the whole file. Where it
// has none that verifies, a new chain begins: to go on as if it did would make a change to the last lines look right.
func (c *chain) resume(tail []byte, isWhole bool) {
	end := bytes.LastIndexByte(tail, '\n') + 1
	isTorn := end < len(tail)
	if link, _, isIntact := c.sealer.Verify(tail[end:]); isIntact && (end > 0 || isWhole) {
		c.last, c.start = link, "" // only the line end is missing
		c.behind(nil)
		return
	}
	for at := end; at > 0; {
		begin := bytes.LastIndexByte(tail[:at-1], '\n') + 1
		if begin == 0 && !isWhole {
			break
		}
		link, isChained, isIntact := c.sealer.Verify(tail[begin : at-1])
		switch {
		case isIntact:
			c.last, c.start = link, ""
			c.behind(tail[at:])
			return
		case isChained:
			c.begin(startBroken)
			return
		case !isTorn:
			c.begin(startUnchained)
			return
		}
		at = begin // a line of ours that was written in two pieces, neither of which could be removed
	}
	switch {
	case !isWhole:
		c.begin(startUnread)
	case end == 0:
		c.begin(startNew)
	default:
		c.begin(startUnchained)
	}
}

// behind notes what stands behind the last line of the file.
func (c *chain) behind(fragment []byte) {
	c.fragment.Reset()
	c.fragmentBytes = 0
	c.left(fragment)
}

// left notes a piece of a line that was written, and could not be removed.
func (c *chain) left(piece []byte) {
	_, _ = c.fragment.Write(piece) // never fails
	c.fragmentBytes += int64(len(piece))
}

// torn is the line that follows the fragment and the line end that closes it.
func (c *chain) torn() ChainEvent {
	e := newChainEvent(EventTorn)
	closed := c.fragmentBytes + 1
	sum := sha256.New()
	if clone, ok := c.fragment.(hash.Cloner); ok {
		if copied, err := clone.Clone(); err == nil {
			sum = copied
		}
	}
	_, _ = sum.Write([]byte{'\n'})
	e.TornBytes, e.TornSHA256 = closed, hex.EncodeToString(sum.Sum(nil))
	return e
}

// seal makes the JSON object at the end of the buffer, which ends in a brace and a line end, the next line of the chain.
func (c *chain) seal(to *bytes.Buffer, begin int) Link {
	to.Truncate(to.Len() - len("}\n"))
	next := Link{Chain: c.last.Chain, Number: c.last.Number + 1, Previous: c.last.MAC}
	c.sealer.seal(to, begin, &next)
	return next
}

// wrote notes a line that was written, with the bytes that the file has grown by.
func (c *chain) wrote(l Link, bytes int) {
	c.last, c.start = l, ""
	c.size += int64(bytes)
	c.behind(nil)
}

// await keeps a line about the chain until it can be written. A second one with the same word would say nothing more.
func (c *chain) await(e ChainEvent) {
	for _, before := range c.due {
		if before.Event == e.Event {
			return
		}
	}
	c.due = append(c.due, e)
}
