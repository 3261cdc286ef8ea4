package snapshot

import "hash/maphash"

// interner numbers the texts of a copy that repeat, such as names of groups, so that a row has a number in place of each.
// A text is numbered when it comes for the second time: most names and addresses come once. It is dropped when the copy is
// complete; only the texts stay.
type interner struct {
	numbers map[string]uint64
	texts   []string
	size    int // of all texts, in bytes

	seed maphash.Seed
	// seen has the hash of the last text of each place. One that was replaced is seen for the first time again, which
	// costs room and nothing else.
	seen []uint32
}

func newInterner() *interner {
	return &interner{numbers: map[string]uint64{}, seed: maphash.MakeSeed()}
}

// number returns the number of a text; false if it has none, and is to be in the row itself.
func (n *interner) number(text string) (uint64, bool) {
	if number, known := n.numbers[text]; known {
		return number, true
	}
	if len(n.texts) == maxTexts || n.size+len(text) > maxTextBytes {
		return 0, false
	}
	if n.seen == nil {
		n.seen = make([]uint32, seenTexts)
	}
	const upperHalf = 32
	hash := maphash.String(n.seed, text)
	place, rest := hash%seenTexts, uint32(hash>>upperHalf)
	if n.seen[place] != rest {
		n.seen[place] = rest
		return 0, false
	}
	number := uint64(len(n.texts))
	n.numbers[text] = number
	n.texts = append(n.texts, text)
	n.size += len(text) + stringHeader
	return number, true
}
