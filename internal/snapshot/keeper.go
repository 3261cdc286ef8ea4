package snapshot

import (
	"context"
	"time"

	"step-posture-connector/internal/posture"
)

// Options say of which inventory a copy is kept, and how.
type Options struct {
	// Inventory is its name, for logs, metrics and the file.
	Inventory string
	// Kind is the name of its provider, and Account tells its records from those of another server, account or mapping.
	Kind, Account string
	// Provider is asked; it is a posture.Lister.
	Provider interface {
		posture.Provider
		posture.Lister
	}
	Settings Settings
	// Clock is what ages are measured with; nil is the system's.
	Clock Clock
	// Report is called with what an operator should know, one line a time, from the goroutine of Run or Load.
	Report func(Report)
}

// Report is a line for the log.
type Report struct {
	Text string
	// Warning is true for what is wrong: a fetch that failed, an alarm.
	Warning bool
}

// Clock has the two times that the age of a copy is measured with. The age is the larger of what both say: the wall clock
// may be set, and the other one does not outlive a boot.
type Clock interface {
	// Wall is the time of day.
	Wall() time.Time
	// Boot is the time since the machine was booted, sleep included (CLOCK_BOOTTIME).
	Boot() time.Duration
}

// Wants are what the policies that are in effect read.
type Wants struct {
	// Types are the kinds of devices that a request can be about; nil means all that the inventory lists.
	Types []posture.DeviceType
	// Facts are what rules, data, records and the required group read, and Recorded what is only recorded.
	Facts, Recorded posture.FactSet
}

// Keeper keeps the copy of one inventory: it fetches, replaces and ages it, and answers from it. It implements
// posture.Copy and prometheus.Collector.
type Keeper struct {
	Options
}

// New makes a Keeper and loads the file of the copy, if there is one that can be used.
func New(o Options) *Keeper { return &Keeper{Options: o} }

// Recall implements posture.Copy.
func (k *Keeper) Recall(posture.Query) (posture.Recalled, bool) { return posture.Recalled{}, false }

// Observe implements posture.Copy.
func (k *Keeper) Observe(posture.Query, *posture.Device, error) {}

// Want says what policies read from now on. If the copy does not have all of it, a fetch is due at once.
func (k *Keeper) Want(Wants) {}

// Inherit takes the copy of a Keeper of the same inventory whose account is the same, such as one with another secret. It
// is called before Run.
func (k *Keeper) Inherit(*Keeper) {}

// Fetch makes a fetch due at once, as SIGHUP does. It does not wait.
func (k *Keeper) Fetch() {}

// Run fetches when a fetch is due, until ctx is done.
func (k *Keeper) Run(ctx context.Context) { <-ctx.Done() }

// Status is what one list of the copy is like at present.
type Status struct {
	// List is the kind of devices; empty where the inventory has one list.
	List posture.DeviceType
	// Devices are those of the copy; 0 without one.
	Devices int
	// Begun is when its fetch began, and Age how old it is; Until is when it is too old. Usable says that it answers.
	Begun  time.Time
	Age    time.Duration
	Until  time.Time
	Usable bool
	// Facts are those that it answers about.
	Facts posture.FactSet
	// Err is why the last fetch failed or was not adopted; nil if it was.
	Err error
}

// Status returns that of each list that is wanted.
func (k *Keeper) Status() []Status { return nil }
