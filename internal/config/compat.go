package config

import (
	"bytes"
	"fmt"
)

// Compat has the variables of the services that mdmsecuritydemo consists of, which the connector takes the place of.
type Compat struct {
	// `1`: the endpoints and variables of [mdmsecuritydemo](mdmsecuritydemo.md).
	//
	// It makes a policy `default` with an enrolment token; `PROVIDER` is `file`, and `FILE_TYPE` `lines`, unless they are set.
	CompatEnabled Switch `env:"COMPAT_MDMSECURITYDEMO" envDefault:"0" accepted:"0 or 1" group:"In place of mdmsecuritydemo"`

	// The bearer credential with which step-ca calls `/webhook`.
	WebhookKey Secret `env:"WEBHOOK_KEY" unset:"required with COMPAT_MDMSECURITYDEMO" example:"" accepted:"the bearer token of the webhook in step-ca" group:"In place of mdmsecuritydemo"`

	// The bearer credential of `/api/key/`.
	APIKey Secret `env:"API_KEY" unset:"required with COMPAT_MDMSECURITYDEMO" example:"" accepted:"the bearer token with which enrollhandler asks for keys" group:"In place of mdmsecuritydemo"`

	// The bearer credential of `/devices/query`.
	QueryKey Secret `env:"DEVICE_INVENTORY_API_KEY" unset:"required with COMPAT_MDMSECURITYDEMO" example:"" accepted:"the bearer token with which enrollhandler asks for devices" group:"In place of mdmsecuritydemo"`

	// Another name of `FILE_PATH`.
	InventoryPath Path `env:"INVENTORY_PATH" file:"allowed" example:"devices.txt" accepted:"the path of the inventory" group:"In place of mdmsecuritydemo"`
}

const compatVariable = "COMPAT_MDMSECURITYDEMO"

// leastKey is the length of a credential that nobody guesses, in bytes: as that of a client of the API.
const leastKey = 16

// WithCompat gives the variables their meaning that COMPAT_MDMSECURITYDEMO implies.
func (e Environment) WithCompat() Environment {
	if e.Variables[compatVariable] != "1" {
		return e
	}
	var c Compat
	_ = Parse(e.Variables, &c) // Load reports what is wrong
	imply := func(variable, value string) {
		if e.Variables[variable] == "" && value != "" {
			e = e.implying(variable, value)
		}
	}
	imply("PROVIDER", "file")
	if e.Variables["PROVIDER"] == "file" {
		imply("FILE_TYPE", "lines")
		imply("FILE_PATH", string(c.InventoryPath))
	}
	return e
}

// credential is a bearer credential that COMPAT_MDMSECURITYDEMO needs.
type credential struct {
	variable string
	key      Secret
	accepted string
}

// keys are the credentials.
func (c Compat) keys() []credential {
	return []credential{
		{"WEBHOOK_KEY", c.WebhookKey, "the bearer token of the webhook in step-ca"},
		{"API_KEY", c.APIKey, "the bearer token with which enrollhandler asks for keys"},
		{"DEVICE_INVENTORY_API_KEY", c.QueryKey, "the bearer token with which enrollhandler asks for devices"},
	}
}

// problems are what is wrong with the variables of Compat together, beside what is wrong with each.
func (c Compat) problems(environ map[string]string, all Config, before Problems) (problems Problems) {
	if !c.CompatEnabled {
		return nil
	}
	add := func(variable, text, accepted string) {
		if !before.about(variable) && !before.about(variable+fileSuffix) {
			problems = append(problems, Problem{variable, text, accepted})
		}
	}
	keys := c.keys()
	for i, k := range keys {
		if !k.key.IsSet() {
			add(k.variable, textNotSet+", but "+compatVariable+" is 1", k.accepted)
			continue
		}
		for _, other := range keys[:i] {
			// Fail closed: who may ask whether a device is known could have keys issued, or call in the place of step-ca.
			if bytes.Equal(k.key.Reveal(), other.key.Reveal()) {
				add(k.variable, "the same as "+other.variable, "a credential of its own")
				break
			}
		}
	}
	if !all.StateURL.IsSet() {
		add("STATE_URL", textNotSet+", but "+compatVariable+" is 1: keys are kept in it", AcceptedState)
	}
	for _, name := range []string{"DEBUG_KEY", "DEBUG_KEY" + fileSuffix} {
		if environ[name] != "" {
			// Fail closed: dynamicacme lets every device pass that knows it.
			add(name, "set: a key that lets every device pass does not exist here", "no such variable")
		}
	}
	if all.EnableMTLS {
		add("ENABLE_MTLS", "1, but with "+compatVariable+" enrollhandler calls the same listener, without a client certificate", "0")
	}
	if c.InventoryPath != "" && environ["FILE_PATH"] != "" && environ["FILE_PATH"] != string(c.InventoryPath) {
		add("INVENTORY_PATH", "another file than FILE_PATH", "one of the two")
	}
	return problems
}

// AcceptedState is what STATE_URL may be.
const AcceptedState = "sqlite:/path/of/a/file, or postgres://user:password@host/database" //nolint:gosec // G101: words, no password

// Unused names the variables that are set and have no effect without COMPAT_MDMSECURITYDEMO, a line for each. Where that was
// forgotten, much else is missing, and these lines say why.
func (c Compat) Unused() (lines []string) {
	if c.CompatEnabled {
		return nil
	}
	unused := func(variable string) {
		lines = append(lines, fmt.Sprintf("%s is set but %s is not 1: it has no effect", variable, compatVariable))
	}
	for _, k := range c.keys() {
		if k.key.IsSet() {
			unused(k.variable)
		}
	}
	if c.InventoryPath != "" {
		unused("INVENTORY_PATH")
	}
	return lines
}

func (c Compat) warnings(all Config) (warnings []string) {
	if !c.CompatEnabled {
		return c.Unused()
	}
	if len(all.WebhookIDs) == 0 {
		warnings = append(warnings, "WEBHOOK_IDS is not set: /webhook is authenticated by WEBHOOK_KEY alone, and not by step-ca's signature; set WEBHOOK_IDS and WEBHOOK_SECRETS too")
	}
	for _, k := range c.keys() {
		if len(k.key.Reveal()) < leastKey {
			warnings = append(warnings, k.variable+" is short enough to be guessed; make one with: openssl rand -base64 32")
		}
	}
	if all.APIAddress.Off() {
		warnings = append(warnings, "API_ADDRESS is not set: enrollhandler asks for devices over plain HTTP, and nothing answers there")
	}
	if all.Provider != "" && all.Provider != "file" && c.InventoryPath != "" {
		warnings = append(warnings, "INVENTORY_PATH is set but PROVIDER is "+all.Provider+": it has no effect")
	}
	return warnings
}
