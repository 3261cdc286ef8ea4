package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/tokenapi"
)

// commandClient is the client of a token that the command line has issued.
const commandClient = "command"

// Tokens are the enrolment tokens in the state database, for a command beside the daemon.
type Tokens struct{ url store.URL }

// TokenIssuer can also issue tokens under the policies that require one.
type TokenIssuer struct {
	Tokens

	rules map[string]*posture.TokenRequirement
}

// tokenVariables are those that Tokens and TokenIssuer need.
type tokenVariables struct {
	StateURL      config.Secret `env:"STATE_URL" path:"allowed" accepted:"sqlite:/path/of/a/file, or postgres://user:password@host/database"`
	CompatEnabled config.Switch `env:"COMPAT_MDMSECURITYDEMO" envDefault:"0" accepted:"0 or 1"`
}

// LoadTokens reads STATE_URL. It needs no policy file, so that a token can be revoked also while that has a fault. It opens
// nothing. Its error has a line for each problem.
func LoadTokens(environ config.Environment) (*Tokens, error) {
	var v tokenVariables
	t, problems := tokensOf(environ, &v)
	if len(problems) > 0 {
		return nil, refuse(problems, nil, environ)
	}
	return &t, nil
}

// LoadTokenIssuer reads STATE_URL, and the policies that require a token. It opens nothing, and reads no other secret. Its error
// has a line for each problem.
func LoadTokenIssuer(environ config.Environment) (*TokenIssuer, error) {
	var v tokenVariables
	t, problems := tokensOf(environ, &v)
	rules, more := tokenRules(environ, v)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, refuse(problems, nil, environ)
	}
	return &TokenIssuer{t, rules}, nil
}

func tokensOf(environ config.Environment, v *tokenVariables) (t Tokens, problems config.Problems) {
	problems = config.Parse(environ.Variables, v)
	if !v.StateURL.IsSet() {
		if len(problems) == 0 {
			problems = config.Problems{{Variable: "STATE_URL", Text: "not set: enrolment tokens are in the state database", Accepted: config.AcceptedState}}
		}
		return t, problems
	}
	url, err := store.ParseURL(string(v.StateURL.Reveal()))
	if err != nil {
		return t, append(problems, config.Problem{Variable: "STATE_URL", Text: err.Error()})
	}
	return Tokens{url}, problems
}

// tokenRules are what the policies require that require a token, by name.
func tokenRules(environ config.Environment, v tokenVariables) (map[string]*posture.TokenRequirement, config.Problems) {
	path, problems := policyPath(environ)
	from := sources{environ: environ, path: path, dropIn: newDropIn(config.Config{Compat: config.Compat{CompatEnabled: v.CompatEnabled}}, environ)}
	rules := map[string]*posture.TokenRequirement{}
	if path == "" {
		if from.dropIn != nil {
			rules[compatPolicy] = from.dropIn.token
		}
		return rules, problems
	}
	// A file whose tests fail is refused, as the daemon does.
	file, err := policyfile.Load(path, policyfile.Surroundings{
		Environ: environ.Variables, Inventory: environ.Variables["PROVIDER"], WebhookIDs: config.WebhookIDs(environ.Variables),
		Codes: outcome.Codes(), WithoutSecrets: true, WithoutWebhooks: true,
	})
	if err != nil {
		return nil, append(problems, policyProblems(err)...)
	}
	problems = append(problems, from.require(reading{file: file})...)
	for name, p := range file.Policies {
		if p.Token != nil {
			rules[name] = p.Token
		}
	}
	return rules, problems
}

// Policies are the names of the policies that require a token, in order.
func (t *TokenIssuer) Policies() []string { return slices.Sorted(maps.Keys(t.rules)) }

// Issue issues a token under a policy. Its error says what is wrong with what is wanted, or with the database.
func (t *TokenIssuer) Issue(ctx context.Context, policy string, wanted enroll.Wanted) (issued tokenapi.Issued, err error) {
	rule := t.rules[policy]
	if rule == nil {
		return issued, unknownName(policy, "policy, or one that requires no token", t.Policies())
	}
	wanted.Client = commandClient
	err = t.open(ctx, func(db *store.DB) error {
		text, token, err := (&enroll.Tokens{Store: db}).Issue(ctx, rule, wanted)
		if errors.Is(err, enroll.ErrTooMany) {
			return fmt.Errorf("%w: use one of them, revoke some, or wait until they expire", err)
		}
		if err == nil {
			issued = tokenapi.NewIssued(text, token)
		}
		return err
	})
	return issued, err
}

// List returns the tokens that are for a device, or were redeemed by it; of all devices where identifier is empty. It is as the
// API has it, with the tokens of all policies.
func (t *Tokens) List(ctx context.Context, identifier string) (list tokenapi.List, err error) {
	err = t.open(ctx, func(db *store.DB) error {
		all, more, err := db.List(ctx, enroll.Filter{Identifier: enroll.FoldIdentifier(identifier)})
		list = tokenapi.NewList(all, more)
		return err
	})
	return list, err
}

// Revoke revokes a token. One that is revoked stays as it is.
func (t *Tokens) Revoke(ctx context.Context, id string) error {
	return t.open(ctx, func(db *store.DB) error {
		err := db.Revoke(ctx, id, nil)
		if errors.Is(err, enroll.ErrUnknown) {
			// Without the ID: it may be the token itself by mistake.
			return fmt.Errorf("%w; accepted: an ID that token list prints", err)
		}
		return err
	})
}

// open opens the database for one operation, beside a daemon that may be running.
func (t *Tokens) open(ctx context.Context, operation func(*store.DB) error) error {
	db, err := store.OpenCommand(ctx, t.url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was done is on the disk
	return operation(db)
}
