package file

import "iter"

// batch is a run of devices of the file: the text of each, as in the file or as a row.
type batch struct {
	entries []entry
	text    []byte
}

type entry struct {
	place int    // the line or the index, for messages
	fault error  // what is wrong with the device
	end   int    // of its text, which begins at the end of the previous one
	hash  uint64 // of a row's key
	notes notes  // what to warn about
	mark  mark   // of a snapshot
}

// end completes a device: its text is what was appended since the previous one.
func (b *batch) end(e entry) {
	e.end = len(b.text)
	b.entries = append(b.entries, e)
}

func (b *batch) empty() { b.entries, b.text = b.entries[:0], b.text[:0] }

// all yields every device with its text.
func (b *batch) all() iter.Seq2[*entry, []byte] {
	return func(yield func(*entry, []byte) bool) {
		begin := 0
		for i := range b.entries {
			e := &b.entries[i]
			if !yield(e, b.text[begin:e.end]) {
				return
			}
			begin = e.end
		}
	}
}

// feed passes devices from the goroutine that reads them to the one that indexes them. The batches circulate, so that
// a million devices need the memory of a few:
//
//	read ──► batch ──► full ──► index
//	           ▲                  │
//	           └────── free ◄─────┘
type feed struct {
	*batch     // the one that is being filled
	free, full chan *batch
	done       chan struct{}
	cause      any // of the panic that stopped the indexing, once done is closed
}

// load runs read, which sends devices to next, and indexes them in another goroutine: with two processors, loading
// takes as long as the slower of the two. makeRows converts what was read to rows; nil if they are rows already.
// Faults of both sides are reported in the order of the file. The goroutine has ended when load returns or panics.
func (in *inventory) load(read func(*feed) error, makeRows func(read, rows *batch)) error {
	f := &feed{batch: new(batch), free: make(chan *batch, in.batches), full: make(chan *batch, in.batches), done: make(chan struct{})}
	for range in.batches - 1 {
		f.free <- new(batch)
	}
	go func() {
		defer close(f.done)
		// The caller of load can recover from a panic; in this goroutine it would end the process.
		defer func() { f.cause = recover() }()
		var rows batch
		for b := range f.full {
			in.reserve(b)
			if makeRows == nil {
				in.add(b)
			} else {
				rows.empty()
				makeRows(b, &rows)
				in.add(&rows)
			}
			b.empty()
			f.free <- b
		}
	}()
	err := f.run(read)
	if f.cause != nil {
		panic(f.cause)
	}
	return err
}

// run also sends what was read before a fault.
func (f *feed) run(read func(*feed) error) error {
	defer func() {
		close(f.full)
		<-f.done
	}()
	err := read(f)
	f.full <- f.batch
	return err
}

// next completes a device, and begins a new batch if this one is full.
func (f *feed) next(e entry) {
	f.end(e)
	if len(f.entries) < batchDevices && len(f.text) < batchBytes {
		return
	}
	f.full <- f.batch // never waits: the channel has room for all batches
	select {
	case f.batch = <-f.free:
	case <-f.done:
		panic(f.cause)
	}
}
