// Package journal keeps what was decided in the state database, for the command decisions and the console. It is written behind
// the answers; the audit log stays the durable record.
//
//	Record --+--> waiting (65,536 lines, 64 MiB) --batch--> Store.Append
//	         |                                                   |
//	      no room                           no answer: tried again; refused: divided, down to the line
//	         |                                                   |
//	         +---------------> lost: counted, and logged <-------+
package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// ID names an entry, and orders entries by the time at which their requests arrived.
type ID [idLength]byte

const (
	idLength = 16
	idTime   = 8 // bytes of it that have the time, in microseconds since 1970
)

// NewID makes the ID of an entry whose request arrived at a time.
func NewID(at time.Time) (id ID) {
	id = FirstID(at)
	_, _ = rand.Read(id[idTime:])
	return id
}

// FirstID is the least ID of a time.
func FirstID(at time.Time) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(max(at.UnixMicro(), 0)))
	return id
}

// ErrID says that a text is not the ID of an entry.
var ErrID = errors.New("want 32 hexadecimal digits")

// ParseID reads what String writes.
func ParseID(text string) (id ID, err error) {
	if n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*idLength)])); err != nil || n != idLength || len(text) != 2*idLength || id.String() != text {
		return ID{}, ErrID
	}
	return id, nil
}

// String is the ID in 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Time is when the request arrived.
func (id ID) Time() time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(id[:]))).UTC() //nolint:gosec // G115: FirstID made it
}

// Entry is one line of the journal.
type Entry struct {
	ID        ID
	Reference string // eight characters; not unique
	// Decision is allow or deny. It is empty where Event says what else the line is about.
	Decision, Event string
	Code            string // of the refusal or the fault; empty when allowed
	// Fault says that nothing could be decided: the denial is no refusal.
	Fault  bool
	Policy string // empty without a policy file, and of a line that is no decision
	Door   string // empty without a policy file
	// Identifier is as it was shown. Key is what equal identifiers have in common; empty where it is no identifier.
	Identifier, Key string
	// Evaluated says that the rules of the policy were evaluated: Unmet and WouldDeny are all that is not met.
	Evaluated        bool
	Unmet, WouldDeny []string
	// Line is the line of the audit log with facts: JSON. Rules is what each rule said: a JSON array of Rule, or empty.
	Line, Rules []byte
}

// Rule is what one rule said.
type Rule struct {
	Name   string `json:"name"`
	Result string `json:"result"` // met, unmet or unknown; empty where it does not apply
	// Enforced says that the rule refuses unless it is met; otherwise it only reports.
	Enforced bool `json:"enforced"`
	// Reason is for the administrator; empty where the rule is met.
	Reason string `json:"reason,omitempty"`
	// Code and Message are those of the refusal.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Filter selects entries. Its zero value selects all.
type Filter struct {
	Key       string // of the identifier
	Reference string // in upper case
	// Since is the earliest time, and Before the ID that all must come before; zero means no bound.
	Since  time.Time
	Before ID
	Denied bool   // only refusals and faults
	Code   string // only refusals and faults with this code
	Policy string // only of this policy
	Limit  int    // at most so many, and at most MaxFound
}

// Found is an entry that was read.
type Found struct {
	ID          ID
	Line, Rules []byte // as in Entry
}

// Count is how often something happened under a policy.
type Count struct {
	Policy string
	Name   string
	N      int64
}

// Bucket counts the decisions of one span of time.
type Bucket struct {
	Start         time.Time
	Allowed       int64
	Refused       int64 // denied, without the faults
	Failed        int64 // faults: nothing could be decided
	Reported      int64 // of all, those that a rule in report-only mode would have refused
	Notifications int64 // lines that are no decision
}

// Overview sums up a time.
type Overview struct {
	Buckets []Bucket // in their order, with those in which nothing happened
	// Codes are the refusals and faults by code, Unmet by rule, and Reported by rule in report-only mode; the most frequent first.
	Codes, Unmet, Reported []Count
}

// Affected is a device whose latest decision under a policy a rule in report-only mode would have refused.
type Affected struct {
	Policy, Rule    string
	Identifier, Key string
	ID              ID // of that decision
	Reference       string
}

// What an error of a Store means, in terms of errors.Is. One that is neither is about the database, and needs an administrator.
var (
	// ErrOutage says that the database answers nobody at present.
	ErrOutage = errors.New("the database does not answer")
	// ErrRefused says that the database answers, and does not take what it was given.
	ErrRefused = errors.New("the database refuses it")
)

// Store keeps the journal. An error is a fault of the database.
type Store interface {
	// Append adds entries: all or none. A batch that was added before is not added again, so that it may be tried again where the
	// answer was lost. The entries are the caller's again when it returns.
	Append(ctx context.Context, batch []Entry) error
	// Find returns the newest entries that a filter selects, the newest first. More says that there are others.
	Find(ctx context.Context, f Filter) (found []Found, more bool, err error)
	// Get returns one entry; ok is false where there is none.
	Get(ctx context.Context, id ID) (found Found, ok bool, err error)
	// Overview sums up the hours from since to until. The buckets have step, a whole number of hours.
	Overview(ctx context.Context, since, until time.Time, step time.Duration) (Overview, error)
	// Affected counts the devices that each rule in report-only mode would refuse, by policy and rule.
	Affected(ctx context.Context) ([]Count, error)
	// AffectedBy lists the devices that one rule would refuse, by identifier, from the one after a key; at most limit.
	AffectedBy(ctx context.Context, policy, rule, after string, limit int) (devices []Affected, more bool, err error)
	// Expire deletes what is older than a time, a bounded number of entries. It returns how many; zero means that nothing is left.
	Expire(ctx context.Context, before time.Time) (deleted int64, err error)
}
