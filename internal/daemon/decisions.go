package daemon

import (
	"context"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/store"
)

// Decisions are what the journal in the state database has, for a command beside the daemon. It only reads.
type Decisions struct{ url store.URL }

// decisionVariables are those that Decisions needs.
type decisionVariables struct {
	StateURL config.Secret `env:"STATE_URL" path:"allowed" accepted:"sqlite:/path/of/a/file, or postgres://user:password@host/database"`
}

// LoadDecisions reads STATE_URL. It needs no JOURNAL: what was written before can be read also when it is off. It opens nothing.
// Its error has a line for each problem.
func LoadDecisions(environ config.Environment) (*Decisions, error) {
	var v decisionVariables
	problems := config.Parse(environ.Variables, &v)
	if !v.StateURL.IsSet() && len(problems) == 0 {
		problems = config.Problems{{Variable: "STATE_URL", Text: "not set: the journal is in the state database", Accepted: config.AcceptedState}}
	}
	if len(problems) > 0 {
		return nil, refuse(problems, nil, environ)
	}
	url, err := store.ParseURL(string(v.StateURL.Reveal()))
	if err != nil {
		return nil, refuse(config.Problems{{Variable: "STATE_URL", Text: err.Error()}}, nil, environ)
	}
	return &Decisions{url}, nil
}

// FoundDecisions are the newest decisions that a filter selects, the newest first.
type FoundDecisions struct {
	Entries []journal.Found
	More    bool // there are others
	Empty   bool // the journal has nothing at all
}

// Find returns what a filter selects. Its error says what is wrong with the database.
func (d *Decisions) Find(ctx context.Context, f journal.Filter) (found FoundDecisions, err error) {
	db, err := store.OpenCommand(ctx, d.url)
	if err != nil {
		return found, err
	}
	defer func() { _ = db.Close() }() // nothing was written
	found.Entries, found.More, err = db.Journal().Find(ctx, f)
	if err != nil || len(found.Entries) > 0 {
		return found, err
	}
	newest, _, err := db.Journal().Find(ctx, journal.Filter{Limit: 1})
	found.Empty = err == nil && len(newest) == 0
	return found, err
}
