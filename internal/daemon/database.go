package daemon

import (
	"context"
	"errors"
	"fmt"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/store"
)

// The names of the state database among what can be wrong: it does not answer, or it cannot be purged.
const (
	stateDatabase = "state"
	statePurge    = "state purge"
)

// stateURL reads STATE_URL; nil means that there is no state database.
func stateURL(secret config.Secret) (*store.URL, config.Problems) {
	if !secret.IsSet() {
		return nil, nil
	}
	u, err := store.ParseURL(string(secret.Reveal()))
	if err != nil {
		return nil, config.Problems{{Variable: "STATE_URL", Text: err.Error()}} // it says what is accepted
	}
	if err := u.Probe(); err != nil {
		return nil, config.Problems{stateProblem(err)}
	}
	return &u, nil
}

func stateProblem(err error) config.Problem {
	return config.Problem{Variable: "STATE_URL", Text: err.Error(), Accepted: "sqlite: and a file in a folder that the daemon may write to, which no other daemon uses"}
}

// openState opens the state database. One that does not answer yet is no error: what needs it is unavailable until it does.
func (s *service) openState(ctx context.Context) (end func(), err error) {
	if s.stateURL == nil {
		return func() {}, nil
	}
	db, err := store.OpenDaemon(ctx, *s.stateURL)
	if err != nil {
		return nil, fmt.Errorf("configuration:\n%w", stateProblem(err))
	}
	s.database, s.tokens = db, &enroll.Tokens{Store: db}
	limited, cancel := context.WithTimeout(ctx, checkTimeout) // a migration of another replica may take longer; Run asks again
	defer cancel()
	if err := db.Ready(limited); err != nil && ctx.Err() == nil {
		s.state.set(stateDatabase, err)
		s.Warnings = append(s.Warnings, fmt.Sprintf("STATE_URL: %s; the daemon starts anyway: what needs an enrolment token is answered with 503, and no restart is needed once this is fixed", oneLine(err)))
	}
	return func() { _ = db.Close() }, nil
}

// keepState watches and cleans the state database until ctx is done.
func (s *service) keepState(ctx context.Context) {
	if s.database == nil {
		return
	}
	s.database.Run(ctx, func(err error) {
		answers := err
		if errors.Is(err, store.ErrPurge) {
			answers = nil
		} else {
			err = nil
		}
		s.noteState(stateDatabase, answers, "what needs an enrolment token is answered with 503 until it answers")
		s.noteState(statePurge, err, "tokens are issued and redeemed as ever")
	})
}

// noteState notes what is wrong with the state database, and logs it where it begins or ends.
func (s *service) noteState(name string, err error, meanwhile string) {
	if errors.Is(err, context.Canceled) {
		return
	}
	before := s.state.get(name)
	s.state.set(name, err)
	switch now := s.state.get(name); {
	case now != "" && before == "":
		s.log.Errorf("%s; %s", now, meanwhile) // it names the database
	case now == "" && before != "":
		s.log.Info("state database: " + map[string]string{stateDatabase: "it answers again", statePurge: "old tokens are deleted again", journalExpiry: "old decisions are deleted again"}[name])
	}
}

// CheckState asks the state database, if there is one, beside a daemon that may be running; Describe says then what it has
// answered. One that no daemon has used yet is no error.
func (d *Daemon) CheckState(ctx context.Context) error {
	if d.stateURL == nil {
		return nil
	}
	db, err := store.OpenCommand(ctx, *d.stateURL)
	switch {
	case err == nil:
		d.stateFound = ": it answers"
		return db.Close()
	case errors.Is(err, store.ErrMissing):
		d.stateFound = ": it is created when the daemon starts" // Load has tried the folder
		return nil
	case errors.Is(err, store.ErrNoTables):
		d.stateFound = ": its tables are created when the daemon starts"
		return nil
	}
	if !d.stateURL.IsSQLite() {
		d.Warnings = append(d.Warnings, "STATE_URL: the daemon starts anyway, and recovers by itself; until this is fixed, what needs an enrolment token is answered with 503")
	}
	return fmt.Errorf("STATE_URL: %w", err)
}

// stateWarnings are what is accepted of STATE_URL and probably not meant.
func (d *Daemon) stateWarnings() (warnings []string) {
	if d.stateURL == nil {
		return nil
	}
	for _, warning := range d.stateURL.Warnings() {
		warnings = append(warnings, "STATE_URL: "+warning)
	}
	return warnings
}

// describeState names the state database, if there is one.
func (d *Daemon) describeState() []string {
	if d.stateURL == nil {
		return nil
	}
	return []string{"state database: " + d.stateURL.String() + d.stateFound}
}

// withoutState refuses a policy file that needs a state database where there is none.
func (s sources) withoutState(r reading) config.Problems {
	if !s.webhooks || s.state || !r.file.UsesTokens() {
		return nil
	}
	return config.Problems{{
		Variable: "STATE_URL", Text: "not set, but the policy file uses enrolment tokens, which must outlive a restart", Accepted: config.AcceptedState,
	}}
}
