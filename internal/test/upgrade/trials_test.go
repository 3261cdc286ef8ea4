package upgrade_test

import (
	"crypto/x509"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

const (
	otherID     = "6b1f7f0e-52c1-4e0b-8f7a-3f1d2c4b5a69"
	otherSecret = "YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMsIG9yIG1vcmU="
)

func upgradeTrials(t *testing.T) []trial {
	t.Helper()
	return slices.Concat(documentedTrials(), fileTrials(), startTrials(t), jamfTrials())
}

// documentedTrials have the documented configurations, and every device of their inventories.
func documentedTrials() []trial {
	return []trial{
		{name: "env file, CSV", orders: slices.Concat([]order{
			allowed("C02XK1JKLVCG"), allowed("DMPVLX9QHG5D"), allowed("G2RM45CMRX"), allowed("K3Q7XH2N9P"),
			{name: "not in the file", identifier: "C02XK1JKLVCH", now: "deviceNotFound", differs: refusals},
			{identifier: "c02xk1jklvcg", now: "allow", data: `{"Username":"ada.lovelace","Department":"Engineering"}`, differs: letterCase},
		}, calls())},
		{name: "env file, JSON", env: program.Environment{"FILE_TYPE": "json", "FILE_PATH": "devices.json"}, orders: []order{
			allowed("C02XK1JKLVCG"), allowed("G2RM45CMRX"), allowed("F9FZK0ABJ1"),
			{identifier: "DMPVLX9QHG5D", now: "allow", data: `{"asset":12345678901234567891}`, differs: numbers},
			{identifier: "K3Q7XH2N9P", now: "allow", differs: noData},
			{name: "not in the file", identifier: "C02XK1JKLVCH", now: "deviceNotFound"},
		}},
		{name: "compose file", compose: true, jamf: fleet(), orders: slices.Concat([]order{
			allowed("C02XK1JKLVCG").mode("computer"), allowed("DMPVLX9QHG5D").mode("mobiledevice"), allowed("DMPVLX9QHG5D"),
			allowed("C02NOUSER001").mode("computer"), allowed("DMPNOUSER001"),
		}, jamfOrders())},
	}
}

func allowed(identifier string) order { return order{identifier: identifier, now: "allow"} }

func (o order) mode(mode string) order {
	o.query = "?mode=" + mode
	return o
}

// calls are about one device of the CSV file.
func calls() []order {
	about := func(name, now, differs string, change func(*call)) order {
		return order{name: name, identifier: "C02XK1JKLVCG", change: change, now: now, differs: differs}
	}
	all := []order{
		about("the second webhook", "allow", "", func(c *call) { c.id, c.secret = otherID, otherSecret }),
		about("the secret of the other webhook", "unauthenticated", "", func(c *call) { c.secret = otherSecret }),
		about("no webhook ID", "unauthenticated", "", func(c *call) { c.header = map[string]string{"X-Smallstep-Webhook-ID": ""} }),
		about("no signature", "unauthenticated", "", func(c *call) { c.header = map[string]string{"X-Smallstep-Signature": ""} }),
		about("an unknown webhook ID, signed with the empty key", "unauthenticated", unknownID, func(c *call) {
			c.id, c.secret = "11111111-2222-4333-8444-555555555555", ""
		}),
		about("a known webhook ID, signed with the empty key", "unauthenticated", "", func(c *call) { c.secret = "" }),
		about("another common name", "commonNameMismatch", "", func(c *call) { c.commonName = "C02XK1JKLVCH" }),
		about("no common name", "allow", noCommonName, func(c *call) { c.commonName = "" }),
		about("the SAN of another device", "sanMismatch", otherSAN, func(c *call) {
			c.sans = []map[string]string{{"type": "permanentIdentifier", "value": "DMPVLX9QHG5D"}}
		}),
		about("AUTHORIZING", "allow", authorizing, func(c *call) { c.authorizing = true }),
		about("20 seconds old", "allow", oldRequest, func(c *call) { c.age = 20 * time.Second }),
		about("a minute old", "requestExpired", "", func(c *call) { c.age = time.Minute }),
		about("an hour from now", "requestExpired", future, func(c *call) { c.age = -time.Hour }),
		about("more behind the JSON", "malformed", trailing, func(c *call) { c.tail = "{}" }),
		about("GET", "methodNotAllowed", "", func(c *call) { c.method = http.MethodGet }),
		about("another path", "notFound", "", func(c *call) { c.path = "/webhook/other" }),
		about("two slashes", "notFound", "", func(c *call) { c.path = "//webhook/device-attest" }),
	}
	for _, query := range []string{"?mode=computer", "?mode=mobiledevice", "?mode=", "?type=computer"} {
		all = append(all, order{identifier: "C02XK1JKLVCG", query: query, now: "allow"})
	}
	return append(all, order{identifier: "C02XK1JKLVCG", query: "?mode=mac", now: "modeUnsupported", differs: otherMode},
		order{identifier: "C02XK1JKLVCG", query: "?mode=any", now: "allow"})
}

// fileTrials are about inventory files.
func fileTrials() []trial {
	csv := func(name, text, exits, differs string, orders ...order) trial {
		return trial{name: "CSV: " + name, files: map[string]string{"devices.csv": text}, exits: exits, differs: differs, orders: orders}
	}
	json := func(name, text, exits, differs string, orders ...order) trial {
		return trial{
			name: "JSON: " + name, env: program.Environment{"FILE_TYPE": "json", "FILE_PATH": "devices.json"},
			files: map[string]string{"devices.json": text}, exits: exits, differs: differs, orders: orders,
		}
	}
	mac := allowed("C02XK1JKLVCG")
	return []trial{
		csv("CRLF, blank lines, no line end", "Identifier,Name\r\n\r\nC02XK1JKLVCG,\"a, \"\"b\"\"\"\r\n\nK3Q7XH2N9P, c ", "", "", mac, allowed("K3Q7XH2N9P")),
		csv("identifiers only", "Identifier\nC02XK1JKLVCG\n", "", "", order{identifier: "C02XK1JKLVCG", now: "allow", differs: noData}),
		csv("no devices", "Identifier,Name\n", "", "", order{identifier: "C02XK1JKLVCG", now: "deviceNotFound"}),
		csv("the same row twice", "Identifier,Name\nC02XK1JKLVCG,a\nC02XK1JKLVCG,a\n", "", "", mac),
		csv("two rows of one device", "Identifier,Name\nC02XK1JKLVCG,a\nC02XK1JKLVCG,b\n", "duplicate identifier", duplicates, mac),
		csv("a row of commas", "Identifier,Name\nC02XK1JKLVCG,a\n,\n", "the row has only commas", noIdentifier, mac),
		csv("a row without an identifier", "Identifier,Name\nC02XK1JKLVCG,a\n,b\n", "identifier is empty", noIdentifier, mac),
		csv("an identifier that no device can have", "Identifier,Name\nC02XK1JKLVCG,a\nC02\u00a0XK1,b\n", "line 3", noIdentifier, mac),
		csv("Latin-1", "Identifier,Name\nC02XK1JKLVCG,a\nK3Q7XH2N9P,Z\xfcrich\n", "UTF-8", notUTF8, mac),
		csv("a quotation mark inside a value", "Identifier,Name\nC02XK1JKLVCG,a\"b\n", "line 2", ""),
		csv("spaces around an identifier", "Identifier,Name\n C02XK1JKLVCG ,a\n", "", "", order{identifier: "C02XK1JKLVCG", now: "allow", data: `{"Name":"a"}`, differs: spaces}),
		csv("spaces around the name of a column", "Identifier, Name \nC02XK1JKLVCG,a\n", "", "", order{identifier: "C02XK1JKLVCG", now: "allow", data: `{"Name":"a"}`, differs: columnSpaces}).
			warning("spaces around column names are removed"),
		csv("two columns of one name", "Identifier,Name,Name\nC02XK1JKLVCG,a,b\n", "Name", columns, mac),
		csv("a column without a name", "Identifier,\nC02XK1JKLVCG,a\n", "column 2", columns, mac),
		csv("a byte-order mark", "\ufeffIdentifier,Name\nC02XK1JKLVCG,a\n", "", excel, mac),
		csv("a lower-case header", "identifier,Name\nC02XK1JKLVCG,a\n", "", excel, mac),
		csv("another first column", "Serial,Name\nC02XK1JKLVCG,a\n", "Identifier", ""),
		csv("a row with more fields", "Identifier,Name\nC02XK1JKLVCG,a,b\n", "line 2", ""),
		csv("an empty file", "", "empty", ""),
		json("identifiers twice, with the same data", `{"devices":[{"identifier":"C02XK1JKLVCG","data":{"a":1}},{"identifier":"C02XK1JKLVCG","data":{"a":1}}]}`, "", "", mac),
		json("identifiers twice", `{"devices":[{"identifier":"C02XK1JKLVCG","data":{"a":1}},{"identifier":"C02XK1JKLVCG","data":{"a":2}}]}`, "duplicate identifier", duplicates, mac),
		json("a device without an identifier", `{"devices":[{"identifier":"C02XK1JKLVCG"},{"data":{"a":2}}]}`, "devices[1]", noIdentifier, order{identifier: "C02XK1JKLVCG", now: "allow"}),
		json("a member twice", `{"devices":[{"identifier":"C02XK1JKLVCG","data":{"a":1,"a":2}}]}`, "devices.json", memberTwice, mac),
		json("a byte-order mark", "\ufeff"+`{"devices":[{"identifier":"C02XK1JKLVCG","data":{"a":1}}]}`, "", excel, mac),
		json("an escaped half of a character", `{"devices":[{"identifier":"C02XK1JKLVCG","data":{"a":"\ud800"}}]}`, "devices.json", notUTF8, mac),
		json("no devices", `{"devices":[]}`, "", "", order{identifier: "C02XK1JKLVCG", now: "deviceNotFound"}),
		json("no list of devices", `{}`, "devices", noDevices, order{identifier: "C02XK1JKLVCG", now: "deviceNotFound"}),
		json("other letters", `{"Devices":[{"Identifier":"C02XK1JKLVCG","Data":{"a":1}}]}`, "devices", memberCase, mac),
		json("Data", `{"devices":[{"identifier":"C02XK1JKLVCG","Data":{"a":1}}]}`, "", "", order{identifier: "C02XK1JKLVCG", now: "allow", data: `{}`, differs: memberCase}).
			warning(`no member \"data\"`),
		json("data that is a list", `{"devices":[{"identifier":"C02XK1JKLVCG","data":[1]}]}`, "devices[0]", ""),
		json("more behind it", `{"devices":[{"identifier":"C02XK1JKLVCG"}]}{}`, "devices.json", ""),
		json("broken", `{"devices":[{"identifier":"C02XK1JKLVCG"},]}`, "devices.json", ""),
	}
}

// startTrials are about variables, the env file and the command line.
func startTrials(t *testing.T) []trial {
	t.Helper()
	mac := []order{allowed("C02XK1JKLVCG")}
	env := func(name, variable, value, exits, differs string) trial {
		return trial{name: name, env: program.Environment{variable: value}, exits: exits, differs: differs, orders: mac}
	}
	line := func(name, text, exits, differs string) trial {
		whole := readFile(t, upgradeFolder+"/v1.env") + text + "\n"
		return trial{name: name, files: map[string]string{".env": whole}, exits: exits, differs: differs, orders: mac}
	}
	trials := []trial{
		env("a short secret", "WEBHOOK_SECRETS", "c2VjcmV0MQ==,c2VjcmV0Mg==", "WEBHOOK_SECRETS", shortSecret),
		env("an ID twice", "WEBHOOK_IDS", program.WebhookID+","+program.WebhookID, "WEBHOOK_IDS", sameID),
		env("spaces in a list", "WEBHOOK_IDS", program.WebhookID+", "+otherID, "", listSpaces),
		env("an ID that is no UUID", "WEBHOOK_IDS", program.WebhookID+",x", "WEBHOOK_IDS", ""),
		env("one secret too few", "WEBHOOK_SECRETS", program.WebhookSecret, "WEBHOOK_SECRETS", ""),
		env("another provider", "PROVIDER", "intunes", "PROVIDER", ""),
		env("a level that does not exist", "LOGGING_LEVEL", "3", "LOGGING_LEVEL", ""),
		env("mutual TLS with another word", "ENABLE_MTLS", "yes", "ENABLE_MTLS", ""),
		env("a format in upper case", "FILE_TYPE", "CSV", "FILE_TYPE", ""),
		env("TIMEOUT=0, which the file does not use", "TIMEOUT", "0", "TIMEOUT", noTimeout),
		env("variables of the other provider", "JAMF_DEVICE_ENRICH", "yes", "", ""),
		env("no such inventory", "FILE_PATH", "missing.csv", "FILE_PATH", ""),
		env("no such certificate", "TLS_CERT_PATH", "missing.pem", "TLS_CERT_PATH", ""),
		line("export and spaces in the env file", "export LOGGING_LEVEL = 2", "", ""),
		line("a broken line in the env file", "LOGGING_LEVEL", "line 14", ""),
		{
			name: "a broken line in the env file, and all variables in the environment", files: map[string]string{".env": "LOGGING_LEVEL\n"},
			env: variablesOf(readFile(t, upgradeFolder+"/v1.env")), exits: "line 1", differs: envLine, orders: mac,
		},
		line("a dollar in the env file", "JAMF_CLIENT_SECRET=pa$word", "line 14", envDollar),
		line("a hash in the env file", "JAMF_DEVICE_GROUP=Lab #2", "line 14", envHash),
		{name: "arguments", args: []string{"start"}, exits: "start", code: 64, differs: arguments, orders: mac},
		{name: "an unused CA that does not exist", env: program.Environment{"ENABLE_MTLS": "0", "TLS_CA_PATH": "missing.pem"}, differs: noCA, orders: mac, warns: "TLS_CA_PATH"},
	}
	certificate := func(name string, orders []order, exits, differs string, spoil func(*testing.T, *program.PKI)) trial {
		return trial{name: name, pki: spoil, exits: exits, differs: differs, orders: orders}
	}
	return append(trials,
		certificate("a part of the PEM file that cannot be read", mac, "TLS_CA_PATH", pemPart, func(t *testing.T, p *program.PKI) {
			t.Helper()
			program.ReplaceFile(t, p.CACert, readFile(t, p.CACert)+strings.ReplaceAll(readFile(t, p.CACert), "MII", "!"))
		}),
		// No client of Go accepts it, so nothing is asked.
		certificate("a certificate for clients", nil, "TLS_CERT_PATH", noServer, func(t *testing.T, p *program.PKI) {
			t.Helper()
			serverCertificate(t, p, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		}),
		certificate("an expired certificate", nil, "TLS_CERT_PATH", "", func(t *testing.T, p *program.PKI) {
			t.Helper()
			serverCertificate(t, p, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		}),
	)
}

// variablesOf are the variables of an env file that has nothing but them.
func variablesOf(text string) program.Environment {
	env := program.Environment{}
	for _, line := range regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`).FindAllStringSubmatch(text, -1) {
		env[line[1]] = line[2]
	}
	delete(env, "PORT") // the start chooses one
	return env
}

// serverCertificate replaces the server certificate and its key.
func serverCertificate(t *testing.T, p *program.PKI, change func(*x509.Certificate)) {
	t.Helper()
	template, key := program.LeafTemplate("connector"), program.NewECKey(t)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	change(template)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.ServerCert = p.Write(t, "server.pem", "CERTIFICATE", p.Sign(t, template, key))
	p.ServerKey = p.Write(t, "server.key", "PRIVATE KEY", private)
}
