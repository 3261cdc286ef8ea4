package file

import "iter"

const (
	// manyBatches are on their way at once, so that neither side waits for the other over one device
	// that takes longer.
	manyBatches = 4
	// A batch is full with as many devices or as many bytes, whichever come first; it fits into a
	// processor's cache.
	batchDevices = 1 << 10
	batchBytes   = 1 << 16
)

// batch is devices that follow each other in the file: what was read of each, as it stands there or as
// a row.
type batch struct {
	entries []entry
	text    []byte
}

type entry struct {
	place int    // the line or the number that faults are told of
	fault error  // what is wrong with the device
	end   int    // of its text; it begins where the last one ends
	hash  uint64 // of a row's key
	notes notes  // what to warn about
}

// end ends a device: what was appended to text since the last one.
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

// feed hands devices from the goroutine that reads them to the one that takes them into the inventory.
type feed struct {
	*batch     // the one that is being filled
	free, full chan *batch
	done       chan struct{}
	cause      any // of the panic that ended the taking, once done is closed
}

// load runs read, which hands devices to next, and in another goroutine takes them into the inventory:
// with two processors, loading takes as long as reading does. makeRows makes rows of what was read, if
// it is none. Both sides' faults are told in the order of the file. The goroutine has ended when load
// returns, however it does.
func (in *inventory) load(read func(*feed) error, makeRows func(read, rows *batch)) error {
	f := &feed{batch: new(batch), free: make(chan *batch, in.batches), full: make(chan *batch, in.batches), done: make(chan struct{})}
	for range in.batches - 1 {
		f.free <- new(batch)
	}
	go func() {
		defer close(f.done)
		// Whoever loads can survive a panic; in a goroutine it would end the process.
		defer func() { f.cause = recover() }()
		var rows batch
		for b := range f.full {
			in.expect(b)
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

// run also hands over what was read before a fault that ended the reading.
func (f *feed) run(read func(*feed) error) error {
	defer func() {
		close(f.full)
		<-f.done
	}()
	err := read(f)
	f.full <- f.batch
	return err
}

// next ends a device, and begins a new batch if this one is full.
func (f *feed) next(e entry) {
	f.end(e)
	if len(f.entries) < batchDevices && len(f.text) < batchBytes {
		return
	}
	f.full <- f.batch // there is room for all of them
	select {
	case f.batch = <-f.free:
	case <-f.done:
		panic(f.cause)
	}
}
