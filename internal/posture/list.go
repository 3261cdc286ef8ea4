package posture

import (
	"context"
	"time"
)

// Lister is a Provider that can list its devices: a copy of it can be kept beside it, and it can be exported.
type Lister interface {
	// Lists returns the kinds of devices that are listed apart; one "" where the inventory has one list of all devices.
	// None means that the inventory cannot be listed as it is configured; the optional method ListLacks() string then says
	// what would have to be configured.
	Lists() []DeviceType
	// ListGives are the facts that lists can give, Document included: a copy never answers what reads another one.
	ListGives() FactSet
	// List calls each with every device of one list, in no order. A record that the inventory gives twice is passed
	// twice. Each device has exactly the facts that Lookup finds. List may take minutes, gives way to lookups, and ends
	// early with an error of each, or when ctx is done.
	List(ctx context.Context, list List, each func(Listing) error) (Listed, error)
}

// List says what is listed.
type List struct {
	// Type is one of Lister.Lists.
	Type DeviceType
	// Facts are those that are wanted. Identifier, managed and type are always given.
	Facts FactSet
}

// Listing is one record of a list.
type Listing struct {
	Device
	// Damaged means that a lookup of the device would fail, though the list has it. Without an identifier, the list is
	// not complete.
	Damaged bool
}

// Listed is what is known of a list that was fetched to its end.
type Listed struct {
	// Facts are those that the list has given. About others it says nothing: they are not unknown.
	Facts FactSet
	// Total is how many records the inventory itself says the list has; negative where it does not say.
	Total int
}

// Copy is a copy of an inventory that is kept beside it. A copy only ever allows: see Gate.Decide.
type Copy interface {
	// Recall answers a query from the copy. It returns false where the copy cannot answer, so that the inventory must be
	// asked: there is none, it is too old, it has not fetched what q reads, or it does not know.
	Recall(q Query) (Recalled, bool)
	// Observe compares what the inventory itself has answered with the copy: where they differ, the copy does not answer
	// about the device any more.
	Observe(q Query, d *Device, err error)
}

// Recalled is the answer of a copy. Err is nil, ErrNotFound or ErrAmbiguous.
type Recalled struct {
	Device Device
	Err    error
	// Age is how long ago the fetch of the copy began.
	Age time.Duration
	// Facts are those that the copy was fetched with.
	Facts FactSet
}
