package journal

// queue has the lines that wait, in batches as they are written, the oldest first.
type queue struct {
	batches      []batch
	lines, bytes int
	spare        []Entry // an empty batch to be used again
}

type batch struct {
	entries []Entry
	bytes   int
}

// put adds a line, unless there would be more lines or bytes than these.
func (q *queue) put(e Entry, lines, bytes int) bool {
	size := sizeOf(e)
	if q.lines+1 > lines || q.bytes+size > bytes {
		return false
	}
	last := len(q.batches) - 1
	if last < 0 || q.batches[last].isFull(size) {
		q.batches = append(q.batches, batch{entries: q.spare})
		q.spare = nil
		last++
	}
	b := &q.batches[last]
	b.entries, b.bytes = append(b.entries, e), b.bytes+size
	q.lines, q.bytes = q.lines+1, q.bytes+size
	return true
}

// isFull reports whether a line of this size belongs into the next batch.
func (b *batch) isFull(next int) bool {
	return len(b.entries) >= maxBatch || len(b.entries) > 0 && b.bytes+next > maxBatchBytes
}

// hasWhole reports whether a batch waits that no line is added to.
func (q *queue) hasWhole() bool {
	return len(q.batches) > 0 && q.batches[0].isFull(0) || len(q.batches) > 1
}

// take removes the oldest batch.
func (q *queue) take() (b batch) {
	if len(q.batches) == 0 {
		return b
	}
	b, q.batches[0] = q.batches[0], batch{}
	q.batches = q.batches[1:]
	q.lines, q.bytes = q.lines-len(b.entries), q.bytes-b.bytes
	return b
}

// giveBack takes the memory of a batch that is no longer needed.
func (q *queue) giveBack(b batch) {
	clear(b.entries)
	q.spare = b.entries[:0]
}

// clear removes all, and returns how many lines.
func (q *queue) clear() int {
	lines := q.lines
	*q = queue{}
	return lines
}

// sizeOf is the memory of an entry, in bytes.
func sizeOf(e Entry) int { return len(e.Line) + len(e.Rules) + entryBytes }

func sizeOfAll(entries []Entry) (size int) {
	for _, e := range entries {
		size += sizeOf(e)
	}
	return size
}
