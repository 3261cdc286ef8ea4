package posture

import (
	"errors"
	"slices"
	"time"
)

// NoReference stands for the reference where nothing is recorded: in the tests of a policy file, and in lookup.
const NoReference = "00000000"

// Evidence is everything that a policy may look at: who asks for what, when, and what the inventories answered.
type Evidence struct {
	Request Request
	Now     time.Time // when the request came
	// Reference names the decision; only data may show it. Empty is unknown.
	Reference string
	// Given is the device type that the request itself named; empty where it left the choice to the policy.
	Given DeviceType
	// Fits is what the caller demands of the records beside the policy; nil demands nothing. Copies of inventories decide only
	// where it is met: otherwise the caller would refuse for what only a copy lacks.
	Fits func(*Evidence) bool
	// Inventory is the name of the inventory whose record decides, and Deciding is that record.
	Inventory string
	Deciding  *Device
	// Answers are those of the inventories that were asked.
	Answers []Answer

	// only is the memory of Answers where one inventory is asked.
	only struct {
		answers [1]Answer
		record  Device
	}
}

// Answer is what one inventory said about the identifier.
type Answer struct {
	Inventory string
	// Record is nil if the inventory does not know the identifier, or has failed.
	Record *Device
	// Err is the error of the lookup.
	Err error
	// Took is how long the lookup took.
	Took time.Duration
	// Asked are the facts that the inventory was asked for, and Type the kind of device: an answer says nothing beyond them.
	Asked FactSet
	Type  DeviceType
	// Recalled says that a copy of the inventory gave the answer, and Age how old the copy is.
	Recalled bool
	Age      time.Duration
}

// Failed reports whether the inventory failed, was ambiguous or too late, so that everything about its record is
// unknown. That it does not know the identifier is an answer.
func (a Answer) Failed() bool {
	return a.Err != nil && !errors.Is(a.Err, ErrNotFound) && !errors.Is(a.Err, ErrIdentifier)
}

// errNotAsked is the error of an inventory that has not answered.
var errNotAsked = errors.New("the inventory was not asked, or has not answered")

// Answer returns what the named inventory said. One that has not answered has failed.
func (e *Evidence) Answer(inventory string) Answer {
	for i := range e.Answers {
		if e.Answers[i].Inventory == inventory {
			return e.Answers[i]
		}
	}
	return Answer{Inventory: inventory, Err: errNotAsked}
}

// Records are the records of the device that inventories gave, that of the deciding one first.
func (e *Evidence) Records() (all []*Device) {
	if e.Deciding != nil {
		all = append(all, e.Deciding)
	}
	for i := range e.Answers {
		if r := e.Answers[i].Record; r != nil && r != e.Deciding {
			all = append(all, r)
		}
	}
	return all
}

// SnapshotAge is the age of the oldest copy that has answered; it returns false where all answers are the inventories' own.
func (e *Evidence) SnapshotAge() (oldest time.Duration, recalled bool) {
	for i := range e.Answers {
		if a := &e.Answers[i]; a.Recalled {
			oldest, recalled = max(oldest, a.Age), true
		}
	}
	return oldest, recalled
}

func (e *Evidence) recalled() bool {
	_, recalled := e.SnapshotAge()
	return recalled
}

// forgetRecalled keeps only what inventories themselves have answered.
func (e *Evidence) forgetRecalled() {
	e.Inventory, e.Deciding = "", nil
	e.Answers = slices.DeleteFunc(slices.Clone(e.Answers), func(a Answer) bool { return a.Recalled })
}

// live returns what an inventory itself has answered in the first pass of Gate.Decide.
func (e *Evidence) live(inventory string) (Answer, bool) {
	for i := range e.Answers {
		if a := &e.Answers[i]; a.Inventory == inventory && !a.Recalled {
			return *a, true
		}
	}
	return Answer{}, false
}

// Put notes what an inventory said, in place of what it said before.
func (e *Evidence) Put(a Answer) {
	for i := range e.Answers {
		if e.Answers[i].Inventory == a.Inventory {
			e.Answers[i] = a
			return
		}
	}
	e.Answers = append(e.Answers, a)
}
