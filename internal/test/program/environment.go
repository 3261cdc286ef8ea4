package program

import (
	"maps"
	"path/filepath"
	"testing"
)

// The webhook of WorkingEnvironment, and of the requests that StepCA signs.
const (
	WebhookID     = "0d0f4a2e-6f8a-4f6c-9a57-0a4f5d3c2b1a"
	WebhookSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// FreeHealth as HEALTH_ADDRESS makes StartDaemon choose a free address.
const FreeHealth = "free"

// FreeDoors as DOOR_ADDRESS makes StartDaemon choose a free address.
const FreeDoors = "free"

// Environment is the environment of the connector; it inherits nothing from the test.
type Environment map[string]string

// WorkingEnvironment is a configuration that works, for a test to change: the inventory of testdata, a server
// certificate of p, and no health listener, because all daemons would want the same address.
func WorkingEnvironment(t *testing.T, p *PKI) Environment {
	t.Helper()
	return Environment{
		"PROVIDER":        "file",
		"FILE_PATH":       filepath.Join("testdata", "devices.json"),
		"FILE_TYPE":       "json",
		"TLS_CERT_PATH":   p.ServerCert,
		"TLS_KEY_PATH":    p.ServerKey,
		"WEBHOOK_IDS":     WebhookID,
		"WEBHOOK_SECRETS": WebhookSecret,
		"BIND_ADDRESS":    "127.0.0.1",
		"HEALTH_ADDRESS":  "off",
	}
}

// With returns a copy with other values: pairs of name and value.
func (e Environment) With(pairs ...string) Environment {
	all := Environment{}
	maps.Copy(all, e)
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// Absolute returns a copy with an absolute FILE_PATH, for another working directory.
func (e Environment) Absolute(t *testing.T) Environment {
	t.Helper()
	path, err := filepath.Abs(e["FILE_PATH"])
	if err != nil {
		t.Fatal(err)
	}
	return e.With("FILE_PATH", path)
}

func (e Environment) list() []string {
	list := []string{AsProgram + "=1"}
	for name, value := range e {
		list = append(list, name+"="+value)
	}
	return list
}
