package config_test

import (
	"bytes"
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

const (
	idA = "98a6ad8d-d8e5-4d1d-b465-770fb66a5207"
	idB = "9445a147-807d-4547-a404-e80f908d2009"
)

// signing returns a signing secret of size bytes in base64.
func signing(fill byte, size int) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, size))
}

// environ is a good environment with changes; a change to "" leaves the variable out.
func environ(changes map[string]string) map[string]string {
	all := map[string]string{
		"PROVIDER":        "file",
		"TLS_CERT_PATH":   "/etc/connector/server.crt",
		"TLS_KEY_PATH":    "/etc/connector/server.key",
		"WEBHOOK_IDS":     idA,
		"WEBHOOK_SECRETS": signing('s', 64),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

const (
	acceptedCert    = "; accepted: the path of a PEM file with the server certificate, leaf first"
	acceptedKey     = "; accepted: the path of a PEM file with the private key of the server certificate"
	acceptedCA      = "; accepted: the path of a PEM file with the CA certificates that client certificates chain to"
	acceptedIDs     = "; accepted: UUIDs of step-ca webhooks, separated by commas, none twice"
	acceptedSecrets = "; accepted: signing secrets in standard base64 of at least 32 bytes each, separated by commas, in the order of WEBHOOK_IDS"
	acceptedCount   = "; accepted: one secret for each ID, in the same order"
	acceptedNames   = "; accepted: DNS names, e-mail addresses or common names, separated by commas, no wildcards"
	acceptedAddress = "; accepted: an IP address or a host name, without a port or brackets"
	inQuotes        = " is in quotation marks, and they are part of it; docker run --env-file, for example, passes them on: remove them"
	aSecret         = " is not a UUID, but looks like a secret, which belongs in WEBHOOK_SECRETS"
	looksLikeFile   = ": not a path; it looks like the contents of a file"
)

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got: %s\nwant: %s", what, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

func lines(problems config.Problems) []string {
	if len(problems) == 0 {
		return nil
	}
	return strings.Split(problems.Error(), "\n")
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, problems := config.Load(environ(nil))
	wantLines(t, "problems", lines(problems), nil)
	wantLines(t, "warnings", c.Warnings(), nil)
	for name, pair := range map[string][2]int{
		"PORT":                {int(c.Port), 9443},
		"LOGGING_LEVEL":       {int(c.LoggingLevel), 0},
		"TIMEOUT":             {int(c.Timeout), 10},
		"TIMESTAMP_TOLERANCE": {int(c.TimestampTolerance), 30},
		"MAX_CONNECTIONS":     {int(c.MaxConnections), 4096},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %d when unset, want %d", name, pair[0], pair[1])
		}
	}
	if c.EnableMTLS || c.BindAddress != "" || c.TLSCAPath != "" || c.LogFormat != "text" || len(c.MTLSAllowedNames) != 0 {
		t.Errorf("defaults are %+v, want no mTLS, all interfaces, log format text", c)
	}
}

// TestEmptyIsUnset: a line such as PORT= in .env, or an empty one of docker compose, means the default.
func TestEmptyIsUnset(t *testing.T) {
	t.Parallel()
	all := environ(nil)
	for _, name := range config.Variables[config.Config]() {
		if _, given := all[name]; !given {
			all[name] = ""
		}
	}
	c, problems := config.Load(all)
	wantLines(t, "problems", lines(problems), nil)
	if c.Port != 9443 || c.LogFormat != "text" {
		t.Errorf("PORT is %d and LOG_FORMAT %q, want the defaults 9443 and text", c.Port, c.LogFormat)
	}
	all["TLS_CERT_PATH"], all["WEBHOOK_SECRETS"] = "", ""
	_, problems = config.Load(all)
	wantLines(t, "problems", lines(problems), []string{
		"TLS_CERT_PATH: not set" + acceptedCert,
		"WEBHOOK_SECRETS: not set" + acceptedSecrets,
	})
}

func TestBrokenEnvironments(t *testing.T) {
	t.Parallel()
	pem := "-----BEGIN PRIVATE KEY-----\nTUlJQ3B3\n-----END PRIVATE KEY-----\n"
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{
			"nothing set",
			map[string]string{"PROVIDER": "", "TLS_CERT_PATH": "", "TLS_KEY_PATH": "", "WEBHOOK_IDS": "", "WEBHOOK_SECRETS": ""},
			[]string{
				"TLS_CERT_PATH: not set" + acceptedCert,
				"TLS_KEY_PATH: not set" + acceptedKey,
				"WEBHOOK_IDS: not set" + acceptedIDs,
				"WEBHOOK_SECRETS: not set" + acceptedSecrets,
			},
		},
		{
			"everything wrong, in the order of the documentation",
			map[string]string{
				"TLS_CERT_PATH": pem, "TLS_KEY_PATH": pem, "WEBHOOK_IDS": "x", "WEBHOOK_SECRETS": "x", "ENABLE_MTLS": "true",
				"TLS_CA_PATH": pem, "PORT": "https", "LOGGING_LEVEL": "debug", "TIMEOUT": "10s", "BIND_ADDRESS": "localhost:80",
				"MTLS_ALLOWED_NAMES": "a,,b", "TIMESTAMP_TOLERANCE": "0", "MAX_CONNECTIONS": "0", "LOG_FORMAT": "xml",
			},
			[]string{
				"TLS_CERT_PATH" + looksLikeFile + acceptedCert,
				"TLS_KEY_PATH" + looksLikeFile + acceptedKey,
				"WEBHOOK_IDS: entry 1 is not a UUID" + acceptedIDs,
				"WEBHOOK_SECRETS: entry 1 is not standard base64" + acceptedSecrets,
				`ENABLE_MTLS: "true" is not accepted; accepted: 0 or 1`,
				"TLS_CA_PATH" + looksLikeFile + acceptedCA,
				`PORT: "https" is not accepted; accepted: a whole number from 1 to 65535`,
				`LOGGING_LEVEL: "debug" is not accepted; accepted: a whole number from 0 to 2`,
				`TIMEOUT: "10s" is not accepted; accepted: a whole number from 1 to 300`,
				`BIND_ADDRESS: "localhost:80" is not accepted` + acceptedAddress,
				"MTLS_ALLOWED_NAMES: entry 2 is empty" + acceptedNames,
				`TIMESTAMP_TOLERANCE: "0" is not accepted; accepted: a whole number from 1 to 3600`,
				`MAX_CONNECTIONS: "0" is not accepted; accepted: a whole number from 1 to 100000`,
				`LOG_FORMAT: "xml" is not accepted; accepted: text or json`,
			},
		},
		{"key on one line", map[string]string{"TLS_KEY_PATH": strings.ReplaceAll(pem, "\n", `\n`)}, []string{"TLS_KEY_PATH" + looksLikeFile + acceptedKey}},
		{"key with spaces for line ends", map[string]string{"TLS_KEY_PATH": strings.ReplaceAll(pem, "\n", " ")}, []string{"TLS_KEY_PATH" + looksLikeFile + acceptedKey}},
		{"key without its first line", map[string]string{"TLS_KEY_PATH": "TUlJQ3B3\nTUlJQ3B3\n"}, []string{"TLS_KEY_PATH" + looksLikeFile + acceptedKey}},
		{"path longer than any", map[string]string{"TLS_CA_PATH": strings.Repeat("x", 5000)}, []string{"TLS_CA_PATH" + looksLikeFile + acceptedCA}},

		{"ID twice", map[string]string{"WEBHOOK_IDS": idA + "," + idA, "WEBHOOK_SECRETS": signing('a', 32) + "," + signing('b', 32)}, []string{"WEBHOOK_IDS: entry 2 repeats entry 1" + acceptedIDs}},
		{"ID twice, in another case", map[string]string{"WEBHOOK_IDS": idA + ", " + strings.ToUpper(idA), "WEBHOOK_SECRETS": signing('a', 32) + "," + signing('b', 32)}, []string{"WEBHOOK_IDS: entry 2 repeats entry 1" + acceptedIDs}},
		{
			"invalid IDs",
			map[string]string{
				"WEBHOOK_IDS":     "{" + idA + "}, " + strings.ReplaceAll(idA, "-", "") + "," + idA[:35] + "g," + idB + ",",
				"WEBHOOK_SECRETS": strings.TrimSuffix(strings.Repeat(signing('a', 32)+",", 5), ","),
			},
			[]string{
				"WEBHOOK_IDS: entry 1 has something beside the UUID; only the UUID belongs here" + acceptedIDs, "WEBHOOK_IDS: entry 2 is not a UUID" + acceptedIDs,
				"WEBHOOK_IDS: entry 3 is not a UUID" + acceptedIDs, "WEBHOOK_IDS: entry 5 is empty; remove one comma" + acceptedIDs,
			},
		},
		{"secret of 31 bytes", map[string]string{"WEBHOOK_SECRETS": signing('a', 31)}, []string{"WEBHOOK_SECRETS: entry 1 has 31 bytes when decoded, fewer than 32" + acceptedSecrets}},
		{
			"several bad secrets",
			map[string]string{"WEBHOOK_IDS": strings.Join([]string{idA, idB, idA[:35] + "0", idA[:35] + "1"}, ","), "WEBHOOK_SECRETS": signing('a', 3) + ",," + signing('b', 32) + ",!"},
			[]string{
				"WEBHOOK_SECRETS: entry 1 has 3 bytes when decoded, fewer than 32" + acceptedSecrets,
				"WEBHOOK_SECRETS: entry 2 is empty" + acceptedSecrets,
				"WEBHOOK_SECRETS: entry 4 is not standard base64" + acceptedSecrets,
			},
		},
		{"URL-safe base64", map[string]string{"WEBHOOK_SECRETS": base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xff}, 32))}, []string{"WEBHOOK_SECRETS: entry 1 is not standard base64: it has - or _, which step-ca's secrets do not have" + acceptedSecrets}},
		{"base64 without padding", map[string]string{"WEBHOOK_SECRETS": strings.TrimRight(signing('a', 64), "=")}, []string{"WEBHOOK_SECRETS: entry 1 is not standard base64: the = at its end is missing; it was not copied as a whole" + acceptedSecrets}},
		{"a comment before the secret", map[string]string{"WEBHOOK_SECRETS": "# posture\n" + signing('a', 64)}, []string{"WEBHOOK_SECRETS: entry 1 is not standard base64: it begins with #, but comments are not allowed here" + acceptedSecrets}},
		{"secrets separated by spaces", map[string]string{"WEBHOOK_SECRETS": signing('a', 64) + " " + signing('b', 64)}, []string{"WEBHOOK_SECRETS: entry 1 is not standard base64: it has a space or a semicolon in it; secrets are separated by commas" + acceptedSecrets}},
		{"a line of an env file as secret", map[string]string{"WEBHOOK_SECRETS": "WEBHOOK_SECRETS=" + signing('a', 64)}, []string{"WEBHOOK_SECRETS: the value begins with the name of a variable and =; only the part after it belongs here" + acceptedSecrets}},
		{"an ID with its label", map[string]string{"WEBHOOK_IDS": "Webhook ID: " + idA}, []string{"WEBHOOK_IDS: entry 1 has something beside the UUID; only the UUID belongs here" + acceptedIDs}},
		{"an ID in a list of JSON", map[string]string{"WEBHOOK_IDS": `["` + idA + `"]`}, []string{"WEBHOOK_IDS: entry 1 has something beside the UUID; only the UUID belongs here" + acceptedIDs}},
		{"a number with an invisible character", map[string]string{"PORT": "9443\u200b"}, []string{"PORT: the value has a character that is invisible or looks like a space (U+200B); remove it; accepted: a whole number from 1 to 65535"}},
		{"hexadecimal", map[string]string{"WEBHOOK_SECRETS": strings.Repeat("0f", 20) + "0"}, []string{"WEBHOOK_SECRETS: entry 1 is not standard base64" + acceptedSecrets}},
		{"a comma too many", map[string]string{"WEBHOOK_IDS": idA + ","}, []string{"WEBHOOK_IDS: entry 2 is empty; remove one comma" + acceptedIDs}},
		{"fewer secrets than IDs", map[string]string{"WEBHOOK_IDS": idA + "," + idB}, []string{"WEBHOOK_SECRETS: 1 given for 2 in WEBHOOK_IDS" + acceptedCount}},
		{"more secrets than IDs", map[string]string{"WEBHOOK_SECRETS": signing('a', 32) + "," + signing('b', 32)}, []string{"WEBHOOK_SECRETS: 2 given for 1 in WEBHOOK_IDS" + acceptedCount}},
		{
			"IDs and secrets swapped",
			map[string]string{"WEBHOOK_IDS": signing('a', 64) + "," + signing('b', 64), "WEBHOOK_SECRETS": idA + "," + idB},
			[]string{
				"WEBHOOK_IDS: entry 1" + aSecret + acceptedIDs, "WEBHOOK_IDS: entry 2" + aSecret + acceptedIDs,
				"WEBHOOK_SECRETS: entry 1 is an ID, which belongs in WEBHOOK_IDS" + acceptedSecrets, "WEBHOOK_SECRETS: entry 2 is an ID, which belongs in WEBHOOK_IDS" + acceptedSecrets,
			},
		},

		{"mTLS without CA", map[string]string{"ENABLE_MTLS": "1"}, []string{"TLS_CA_PATH: not set, but ENABLE_MTLS is 1" + acceptedCA}},
		{"mTLS with the contents of the CA file", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": pem}, []string{"TLS_CA_PATH" + looksLikeFile + acceptedCA}},
		{"wildcard", map[string]string{"MTLS_ALLOWED_NAMES": "ca.example.com, *.example.com"}, []string{"MTLS_ALLOWED_NAMES: entry 2 has a wildcard; accepted: names without wildcards"}},
		{"log format in capitals", map[string]string{"LOG_FORMAT": "JSON"}, []string{`LOG_FORMAT: "JSON" is not accepted; accepted: text or json`}},
		{"IPv6 address in brackets", map[string]string{"BIND_ADDRESS": "[::1]"}, []string{"BIND_ADDRESS: the value is not accepted" + acceptedAddress}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := environ(test.changes)
			_, problems := config.Load(all)
			got := lines(problems)
			wantLines(t, "problems", got, test.want)
			wantNoSecret(t, strings.Join(got, "\n"), all)
		})
	}
}

// wantNoSecret looks for values of the environment that may be secret in a printed text.
func wantNoSecret(t *testing.T, printed string, environ map[string]string) {
	t.Helper()
	for name, value := range environ {
		for _, part := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",\n\r \"'", r) }) {
			if len(part) >= 6 && strings.Contains(printed, part) && (strings.Contains(name, "SECRET") || strings.Contains(part, "TUlJ") || strings.HasSuffix(part, "=")) {
				t.Errorf("what was printed shows the value of %s: %s", name, printed)
			}
		}
	}
}

func TestGoodEnvironments(t *testing.T) {
	t.Parallel()
	upper := strings.ToUpper(idB)
	c, problems := config.Load(environ(map[string]string{
		"WEBHOOK_IDS":        " " + idA + " ,\t" + upper + " ",
		"WEBHOOK_SECRETS":    " " + signing('a', 32) + " , " + signing('b', 33),
		"ENABLE_MTLS":        "1",
		"TLS_CA_PATH":        "/etc/connector/ca with spaces.crt",
		"MTLS_ALLOWED_NAMES": "ca.example.com, Step Online CA ,ca@example.com",
		"LOG_FORMAT":         "json",
	}))
	wantLines(t, "problems", lines(problems), nil)
	if len(c.WebhookIDs) != 2 || !strings.EqualFold(c.WebhookIDs[0], idA) || !strings.EqualFold(c.WebhookIDs[1], upper) {
		t.Errorf("WEBHOOK_IDS is %q, want %q and %q", c.WebhookIDs, idA, upper)
	}
	secrets := c.WebhookSecrets.List()
	if len(secrets) != 2 || string(secrets[0].Reveal()) != strings.Repeat("a", 32) || string(secrets[1].Reveal()) != strings.Repeat("b", 33) {
		t.Errorf("WEBHOOK_SECRETS has %d secrets, want the two, decoded, in their order", len(secrets))
	}
	wantLines(t, "MTLS_ALLOWED_NAMES", c.MTLSAllowedNames, []string{"ca.example.com", "Step Online CA", "ca@example.com"})
	if !c.EnableMTLS || c.LogFormat != "json" || c.TLSCAPath != "/etc/connector/ca with spaces.crt" {
		t.Errorf("Load = %+v, want mTLS, JSON logs, and the CA's path as it is", c)
	}
	for _, address := range []string{"127.0.0.1", "::1", "::", "fe80::1%eth0", "localhost", "connector.example.com"} {
		c, problems := config.Load(environ(map[string]string{"BIND_ADDRESS": address}))
		if len(problems) > 0 || string(c.BindAddress) != address {
			t.Errorf("BIND_ADDRESS=%s is %q, %v, want it as it is", address, c.BindAddress, problems)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	const (
		anyOfCA = "MTLS_ALLOWED_NAMES is not set: any certificate of the CA passes, also those issued to devices; set it to the name in step-ca's own certificate"
		caUnits = "TLS_CA_PATH is set but ENABLE_MTLS is not 1: no client certificate is asked for"
		short   = "TIMESTAMP_TOLERANCE is below 11: step-ca's retry carries the timestamp of its first try and may be refused as expired"
	)
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{"CA without mTLS", map[string]string{"TLS_CA_PATH": "/ca.crt"}, []string{caUnits}},
		{"CA with mTLS off", map[string]string{"TLS_CA_PATH": "/ca.crt", "ENABLE_MTLS": "0"}, []string{caUnits}},
		{"mTLS without names", map[string]string{"TLS_CA_PATH": "/ca.crt", "ENABLE_MTLS": "1"}, []string{anyOfCA}},
		{"mTLS with names", map[string]string{"TLS_CA_PATH": "/ca.crt", "ENABLE_MTLS": "1", "MTLS_ALLOWED_NAMES": "ca"}, nil},
		{"a secret twice", map[string]string{"WEBHOOK_IDS": idA + "," + idB, "WEBHOOK_SECRETS": signing('a', 64) + "," + signing('a', 64)}, []string{
			"WEBHOOK_SECRETS: entry 2 is the same as entry 1; step-ca makes each webhook a secret of its own, so the calls of one of them will be refused",
		}},
		{"tolerance 10", map[string]string{"TIMESTAMP_TOLERANCE": "10"}, []string{short}},
		{"tolerance 11", map[string]string{"TIMESTAMP_TOLERANCE": "11"}, nil},
		{"two at once", map[string]string{"TLS_CA_PATH": "/ca.crt", "TIMESTAMP_TOLERANCE": "1"}, []string{caUnits, short}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, problems := config.Load(environ(test.changes))
			wantLines(t, "problems", lines(problems), nil)
			wantLines(t, "warnings", c.Warnings(), test.want)
		})
	}
}
