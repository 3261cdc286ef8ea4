package config

import (
	"errors"
	"strings"
)

// Chain has the variables of the chain of the audit log.
type Chain struct {
	// `1`: the lines of the audit log are chained, so that a change to them is found.
	//
	// See [proof](audit.md). Needs `AUDIT_LOG_PATH`, a regular file, and `AUDIT_CHAIN_KEY`.
	AuditChain Switch `env:"AUDIT_CHAIN" envDefault:"0" accepted:"0 or 1" group:"The log"`

	ChainKey
}

// ChainKey is the key of the chain of the audit log, for programs that only verify it.
type ChainKey struct {
	// The key of that chain: at least 32 random bytes in standard base64, as `openssl rand -base64 32` prints them.
	//
	// Who has it can write a chain anew. `audit verify` and `audit prove` need it too.
	AuditChainKey Secret `env:"AUDIT_CHAIN_KEY" unset:"required with AUDIT_CHAIN" example:"" accepted:"a key of at least 32 bytes in standard base64" group:"The log"`
}

const (
	chainVariable    = "AUDIT_CHAIN"
	chainKeyVariable = "AUDIT_CHAIN_KEY"
	chainKeyAccepted = "a key of at least 32 bytes in standard base64, as openssl rand -base64 32 prints it"
)

// Key is the key itself. Its error does not repeat what was given.
func (c ChainKey) Key() (Secret, error) {
	var read Secrets // its rules are those of all our signing secrets
	if err := read.UnmarshalText(c.AuditChainKey.Reveal()); err != nil {
		return Secret{}, errors.New(aboutChainKey().Replace(strings.TrimPrefix(err.Error(), "entry 1 ")))
	}
	if keys := read.List(); len(keys) == 1 {
		return keys[0], nil
	}
	return Secret{}, errors.New("several keys are given")
}

// aboutChainKey rewords what those rules say of the secrets of webhooks.
func aboutChainKey() *strings.Replacer {
	return strings.NewReplacer(
		"a file with secrets belongs in WEBHOOK_SECRETS_FILE", "a file with the key belongs in "+chainKeyVariable+fileSuffix,
		", which belongs in WEBHOOK_IDS", "", ", which step-ca's secrets do not have", "", "secrets are separated by commas", "there is one key",
		"this is all that step ca printed; only the part after \"Secret: \" belongs here", "this is what step ca prints of a webhook",
		", to what step ca printed", "",
	)
}

// LoadChainKey reads the key of the chain, and nothing else.
func LoadChainKey(environ map[string]string) (Secret, Problems) {
	var c ChainKey
	problems := Parse(environ, &c)
	if len(problems) == 0 && !c.AuditChainKey.IsSet() {
		problems = Problems{{chainKeyVariable, textNotSet, chainKeyAccepted}}
	}
	if len(problems) > 0 {
		return Secret{}, problems
	}
	key, err := c.Key()
	if err != nil {
		return Secret{}, Problems{{shownChainKey(environ), err.Error(), chainKeyAccepted}}
	}
	return key, nil
}

// shownChainKey is the variable that the operator has set.
func shownChainKey(environ map[string]string) string {
	if environ[chainKeyVariable] == "" && environ[chainKeyVariable+fileSuffix] != "" {
		return chainKeyVariable + fileSuffix
	}
	return chainKeyVariable
}

// problems are what is wrong with the variables of the chain together, beside what is wrong with each.
func (c Chain) problems(environ map[string]string, all Config, before Problems) (problems Problems) {
	if before.about(chainVariable) || before.about(chainKeyVariable) || before.about(chainKeyVariable+fileSuffix) {
		return nil
	}
	if bool(c.AuditChain) && all.AuditLogPath == "" && !before.about("AUDIT_LOG_PATH") {
		// Fail closed: whoever sets it wants to be able to prove decisions, and none would be on record.
		problems = append(problems, Problem{"AUDIT_LOG_PATH", textNotSet + ", but " + chainVariable + " is 1", "the path of a file that can be appended to"})
	}
	if !c.AuditChainKey.IsSet() {
		if c.AuditChain {
			problems = append(problems, Problem{chainKeyVariable, textNotSet + ", but " + chainVariable + " is 1", chainKeyAccepted})
		}
		return problems
	}
	if _, err := c.Key(); err != nil {
		problems = append(problems, Problem{shownChainKey(environ), err.Error(), chainKeyAccepted})
	}
	return problems
}

// warnings are the settings of Chain that are accepted but probably not meant.
func (c Chain) warnings() []string {
	if !bool(c.AuditChain) && c.AuditChainKey.IsSet() {
		return []string{chainKeyVariable + " is set but " + chainVariable + " is not 1: the lines of the audit log are not chained"}
	}
	return nil
}
