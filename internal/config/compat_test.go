package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

// compatible is an environment with COMPAT_MDMSECURITYDEMO, with changes.
func compatible(changes map[string]string) map[string]string {
	all := map[string]string{
		"COMPAT_MDMSECURITYDEMO": "1", "WEBHOOK_KEY": "key-of-the-webhook", "API_KEY": "key-of-enrollhandler", "DEVICE_INVENTORY_API_KEY": "key-of-the-queries",
		"STATE_URL": "sqlite:/var/lib/state.db", "API_ADDRESS": ":8080", "WEBHOOK_IDS": "", "WEBHOOK_SECRETS": "",
	}
	maps.Copy(all, changes)
	return environ(all)
}

// Each thing that would let others in, or that the endpoints cannot work without, is an error; none shows a key.
func TestBrokenCompat(t *testing.T) {
	t.Parallel()
	const (
		off         = ": not set, but COMPAT_MDMSECURITYDEMO is 1"
		webhookKey  = "; accepted: the bearer token of the webhook in step-ca"
		apiKey      = "; accepted: the bearer token with which enrollhandler asks for keys"
		queryKey    = "; accepted: the bearer token with which enrollhandler asks for devices"
		ofItsOwn    = "; accepted: a credential of its own"
		acceptState = "; accepted: sqlite:/path/of/a/file, or postgres://user:password@host/database"
		debug       = ": set: a key that lets every device pass does not exist here; accepted: no such variable"
	)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"nothing": {nil, nil},
		"no keys": {
			map[string]string{"WEBHOOK_KEY": "", "API_KEY": "", "DEVICE_INVENTORY_API_KEY": ""},
			[]string{"WEBHOOK_KEY" + off + webhookKey, "API_KEY" + off + apiKey, "DEVICE_INVENTORY_API_KEY" + off + queryKey},
		},
		"two alike":      {map[string]string{"API_KEY": "key-of-the-webhook"}, []string{"API_KEY: the same as WEBHOOK_KEY" + ofItsOwn}},
		"the last two":   {map[string]string{"DEVICE_INVENTORY_API_KEY": "key-of-enrollhandler"}, []string{"DEVICE_INVENTORY_API_KEY: the same as API_KEY" + ofItsOwn}},
		"all alike":      {map[string]string{"API_KEY": "key-of-the-webhook", "DEVICE_INVENTORY_API_KEY": "key-of-the-webhook"}, []string{"API_KEY: the same as WEBHOOK_KEY" + ofItsOwn, "DEVICE_INVENTORY_API_KEY: the same as WEBHOOK_KEY" + ofItsOwn}},
		"no database":    {map[string]string{"STATE_URL": ""}, []string{"STATE_URL" + off + ": keys are kept in it" + acceptState}},
		"debug key":      {map[string]string{"DEBUG_KEY": "x"}, []string{"DEBUG_KEY" + debug}},
		"debug key file": {map[string]string{"DEBUG_KEY_FILE": "/nowhere"}, []string{"DEBUG_KEY_FILE" + debug}},
		"mTLS": {
			map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "/etc/ca.crt"},
			[]string{"ENABLE_MTLS: 1, but with COMPAT_MDMSECURITYDEMO enrollhandler calls the same listener, without a client certificate; accepted: 0"},
		},
		"two inventories":   {map[string]string{"INVENTORY_PATH": "/data/a", "FILE_PATH": "/data/b"}, []string{"INVENTORY_PATH: another file than FILE_PATH; accepted: one of the two"}},
		"one inventory":     {map[string]string{"INVENTORY_PATH": "/data/a", "FILE_PATH": "/data/a"}, nil},
		"webhooks too":      {map[string]string{"WEBHOOK_IDS": idA, "WEBHOOK_SECRETS": signing('s', 64)}, nil},
		"a file and a key":  {map[string]string{"API_KEY_FILE": empty}, []string{"API_KEY: given together with API_KEY_FILE; accepted: one of the two"}},
		"no such file":      {map[string]string{"WEBHOOK_KEY": "", "WEBHOOK_KEY_FILE": "/nowhere"}, []string{"WEBHOOK_KEY_FILE: cannot open /nowhere: no such file or directory; accepted: the path of a file with the secret"}},
		"neither 0 nor 1":   {map[string]string{"COMPAT_MDMSECURITYDEMO": "yes"}, []string{`COMPAT_MDMSECURITYDEMO: "yes" is not accepted; accepted: 0 or 1`}},
		"not asked for":     {map[string]string{"COMPAT_MDMSECURITYDEMO": "0", "WEBHOOK_KEY": "", "STATE_URL": "", "DEBUG_KEY": "x", "WEBHOOK_IDS": idA, "WEBHOOK_SECRETS": signing('s', 64)}, nil},
		"not an empty file": {map[string]string{"API_KEY": "", "API_KEY_FILE": empty}, []string{"API_KEY_FILE: the file " + empty + " is empty; accepted: the path of a file with the secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := config.Load(compatible(test.changes))
			got := lines(problems)
			wantLines(t, "Load", got, test.want)
			for _, key := range []string{"key-of-the-webhook", "key-of-enrollhandler", "key-of-the-queries"} {
				if strings.Contains(strings.Join(got, "\n"), key) {
					t.Errorf("a key is in %q", got)
				}
			}
		})
	}
}

// What is accepted but probably a mistake is a warning.
func TestCompatWarnings(t *testing.T) {
	t.Parallel()
	const bearerOnly = "WEBHOOK_IDS is not set: /webhook is authenticated by WEBHOOK_KEY alone, and not by step-ca's signature; set WEBHOOK_IDS and WEBHOOK_SECRETS too"
	webhooks := map[string]string{"WEBHOOK_IDS": idA, "WEBHOOK_SECRETS": signing('s', 64)}
	with := func(changes map[string]string) map[string]string {
		all := maps.Clone(webhooks)
		maps.Copy(all, changes)
		return all
	}
	noEffect := func(name string) string {
		return name + " is set but COMPAT_MDMSECURITYDEMO is not 1: it has no effect"
	}
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"bearer alone":     {nil, []string{bearerOnly}},
		"signatures too":   {webhooks, nil},
		"a short key":      {with(map[string]string{"API_KEY": "123456789012345", "DEVICE_INVENTORY_API_KEY": "1234567890123456"}), []string{"API_KEY is short enough to be guessed; make one with: openssl rand -base64 32"}},
		"no queries":       {with(map[string]string{"API_ADDRESS": "off"}), []string{"API_ADDRESS is not set: enrollhandler asks for devices over plain HTTP, and nothing answers there"}},
		"another provider": {with(map[string]string{"PROVIDER": "jamf", "INVENTORY_PATH": "/data/a"}), []string{"INVENTORY_PATH is set but PROVIDER is jamf: it has no effect"}},
		"not asked for":    {with(map[string]string{"COMPAT_MDMSECURITYDEMO": "", "INVENTORY_PATH": "/data/a"}), []string{noEffect("WEBHOOK_KEY"), noEffect("API_KEY"), noEffect("DEVICE_INVENTORY_API_KEY"), noEffect("INVENTORY_PATH")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, problems := config.Load(compatible(test.changes))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			wantLines(t, "Warnings", c.Warnings(), test.want)
		})
	}
}

// COMPAT_MDMSECURITYDEMO gives PROVIDER, FILE_TYPE and FILE_PATH a value where they have none.
func TestWithCompat(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "path")
	if err := os.WriteFile(list, []byte("/data/inventory.txt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ process, want []string }{
		"by itself":          {[]string{"COMPAT_MDMSECURITYDEMO=1"}, []string{"file", "lines", ""}},
		"with a path":        {[]string{"COMPAT_MDMSECURITYDEMO=1", "INVENTORY_PATH=/data/a"}, []string{"file", "lines", "/data/a"}},
		"with a file for it": {[]string{"COMPAT_MDMSECURITYDEMO=1", "INVENTORY_PATH_FILE=" + list}, []string{"file", "lines", "/data/inventory.txt"}},
		"with another type":  {[]string{"COMPAT_MDMSECURITYDEMO=1", "FILE_TYPE=csv", "FILE_PATH=/data/b"}, []string{"file", "csv", "/data/b"}},
		"another provider":   {[]string{"COMPAT_MDMSECURITYDEMO=1", "PROVIDER=jamf", "INVENTORY_PATH=/data/a"}, []string{"jamf", "", ""}},
		"not asked for":      {[]string{"COMPAT_MDMSECURITYDEMO=0", "INVENTORY_PATH=/data/a"}, []string{"", "", ""}},
	} {
		e, err := config.Environ(test.process, filepath.Join(t.TempDir(), "none"), false)
		if err != nil {
			t.Fatal(err)
		}
		e = e.WithCompat()
		wantLines(t, name, []string{e.Variables["PROVIDER"], e.Variables["FILE_TYPE"], e.Variables["FILE_PATH"]}, test.want)
	}
}
