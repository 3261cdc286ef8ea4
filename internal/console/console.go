// Package console is a small web page for the helpdesk: why a device was refused, what to do, and whom a rule in report-only mode
// would hit. It only reads, except for "decide now", which looks a device up and records no decision.
//
//	request → access.Guard (host, log-in, CSRF) → Pages → journal.Store, Live → audit log → html/template
package console

import (
	"context"
	"sync"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

// Live is what the daemon knows at present.
type Live interface {
	// Inventories are those in effect, with their health.
	Inventories() []Inventory
	// Policies are those in effect, with their rules.
	Policies() []Policy
	// Decide looks a device up and decides, as the webhook would. It records nothing. The error says that nothing could be decided,
	// or that there is no such policy; it is for the administrator.
	Decide(ctx context.Context, policy, identifier string, mode posture.DeviceType) (Decided, error)
}

// Inventory is an inventory in effect. Its provider is Kind.
type Inventory struct {
	Name, Kind string
	// Wrong is what is wrong with it; empty where its last lookup was answered.
	Wrong string
	// Copied says that it has a copy, which was fetched at Fetched (zero for never) and has Devices.
	Copied  bool
	Fetched time.Time
	Devices int
	// InMemory says that it is a file in memory, which was read at Fetched and has Devices.
	InMemory bool
}

// Policy is a policy in effect. Its name is empty without a policy file.
type Policy struct {
	Name  string
	Rules []Rule
}

// Rule is a rule in effect.
type Rule struct {
	Name, Expression, Message string
	Code                      string // of its refusals
	ReportOnly                bool
	From                      time.Time // when it begins to refuse; zero where it does already, or never
}

// Decided is the outcome of "decide now".
type Decided struct {
	// Found is the line that the journal would have of it, without a reference.
	journal.Found

	Took time.Duration
}

// Pages serves the console behind an access.Guard. It refuses what has not come through one.
type Pages struct {
	Journal journal.Store
	Live    Live
	Now     func() time.Time
	// Notice gets every view of personal data, before it is answered. Without it in the audit log nothing is shown: an error refuses
	// the page.
	Notice func(audit.Notice) error
	// Record gets every request after it was answered.
	Record func(Event)
	// Version is that of the program.
	Version string

	made    sync.Once
	shows   *views
	lookups throttle
}

// Event is one request to the console, for the log and metrics.
type Event struct {
	Page          string // the name of the page, and never what was searched for
	Person        string
	Status        int
	Duration      time.Duration
	RemoteAddress string
	Reason        string // of a refusal or a fault
	Stack         string // of a panic
}
