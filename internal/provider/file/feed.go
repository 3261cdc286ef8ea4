package file

const (
	// batches are on their way at once, so that neither side waits for the other over one row that
	// takes longer.
	batches = 4
	// A batch is full with as many rows or as many bytes, whichever come first; it fits into a
	// processor's cache.
	batchRows  = 1 << 10
	batchBytes = 1 << 16
)

// entry is a device that was read: text up to end, or what is wrong with it.
type entry struct {
	place int // the line or the number that faults are told of
	end   int
	fault error
}

// batch is devices that follow each other in the file.
type batch struct {
	entries []entry
	text    []byte
}

// feed hands devices from the goroutine that reads them to the one that takes them into the inventory.
type feed struct {
	*batch     // the one that is being filled
	free, full chan *batch
	done       chan struct{}
	cause      any // of the panic that ended the taking, once done is closed
}

// load runs read, which appends the text of a device and then calls next, and hands every text to take
// in another goroutine: with two processors, loading takes as long as reading does. Both sides' faults
// are told in the order of the file. The goroutine has ended when load returns, however it does.
func (in *inventory) load(read func(*feed) error, take func(place int, text []byte)) error {
	f := &feed{new(batch), make(chan *batch, batches), make(chan *batch, batches), make(chan struct{}), nil}
	for range batches - 1 {
		f.free <- new(batch)
	}
	go func() {
		defer close(f.done)
		// Whoever loads can survive a panic; in a goroutine it would end the process.
		defer func() { f.cause = recover() }()
		for b := range f.full {
			in.take(b, take)
			f.free <- b
		}
	}()
	err := f.run(read)
	if f.cause != nil {
		panic(f.cause)
	}
	return err
}

func (in *inventory) take(b *batch, take func(place int, text []byte)) {
	begin := 0
	for _, e := range b.entries {
		if e.fault != nil {
			in.fault(e.place, e.fault)
		} else {
			take(e.place, b.text[begin:e.end])
		}
		begin = e.end
	}
	b.entries, b.text = b.entries[:0], b.text[:0]
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

// next ends a device: what was appended to text since the last one, unless there is a fault.
func (f *feed) next(place int, fault error) {
	f.entries = append(f.entries, entry{place, len(f.text), fault})
	if len(f.entries) < batchRows && len(f.text) < batchBytes {
		return
	}
	f.full <- f.batch // there is room for all of them
	select {
	case f.batch = <-f.free:
	case <-f.done:
		panic(f.cause)
	}
}
