package blackbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// lookupPolicy has webhooks whose secrets do not exist: lookup needs none.
const lookupPolicy = `inventories:
  macs: {provider: file, path: macs.json, type: json}
  spare: {provider: file, path: spare.csv, type: csv}
  owned: {provider: file, path: owned.csv, type: csv}
policies:
  staff:
    inventories: [macs, spare]
    also_in: [owned]
    rules:
      - {name: encrypted, require: device.encrypted, code: deviceNotEncrypted, message: "Turn on FileVault, and try again."}
      - {name: os, require: 'device.os_version.atLeast("15.4")', enforce: false}
      - {name: supervised, require: device.supervised, enforce: 2999-01-15}
      - {name: phone, require: device.supervised, when: 'device.os == "iOS"'}
      - {name: tagged, require: 'device.attributes["Asset tag"] == "A-1" && records.owned.found'}
    data: {department: user.department, mail: user.email_address}
  kinds:
    inventories: [macs]
    rules:
      - {name: enriching, require: 'request.kind == "enriching"'}
      - {name: caller, require: 'request.caller == "kinds" && request.door == "webhook" && sameIdentifier(request.identifier, device.identifier)'}
webhooks:
  - {name: devices, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {file: does-not-exist}, policy: staff}
  - {name: kinds, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f02, secret: {env: NOT_SET}, policy: kinds}
`

// lookupFolder is a folder with a policy file and the inventories that it names.
func lookupFolder(t *testing.T, policy string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"posture.yaml": policy,
		"macs.json": `{"devices":[
  {"identifier":"C02ADA","data":{"Asset tag":"A-1"},"facts":{"device":{"os":"macOS","os_version":"14.7","encrypted":true,"groups":["VPN","\u202eevil"],"last_seen":"2026-11-20T12:00:00+02:00"},"user":{"department":"Design\u001b[31m"}}},
  {"identifier":"C02BEN","data":{},"facts":{"device":{"encrypted":false}}},
  {"identifier":"C02CYD","data":{},"facts":{"device":{"encrypted":true}}}]}`,
		"ids":       "3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f08\n",
		"spare.csv": "Identifier\nC02DOT\n",
		"owned.csv": "Identifier\nC02ADA\nC02BEN\nC02DOT\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Only POLICY_PATH is set: no webhook, no TLS, no PROVIDER.
func onlyPolicy() program.Environment { return program.Environment{"POLICY_PATH": "posture.yaml"} }

// The text has all that the decision rests on, and nothing from an inventory that changes the terminal.
func TestLookupByPolicy(t *testing.T) {
	t.Parallel()
	folder := lookupFolder(t, lookupPolicy)
	for args, test := range map[string]struct {
		code int
		want string
	}{
		"C02ADA --policy staff": {0, `[ALLOW] C02ADA
reason: in the inventory macs; rule os is unmet: device.os_version is 14.7; rule supervised is unknown: device.supervised is unknown
would deny: os, supervised
policy: staff
inventory: macs
inventories:
  macs (file): found, decides
  spare (file): not needed
  owned (file), must know it too: found
record: C02ADA, device, managed
  device.identifier: "C02ADA"
  device.os: "macOS"
  device.os_version: 14.7
  device.managed: true
  device.encrypted: true
  device.last_seen: 2026-11-20T10:00:00Z
  device.groups: "VPN", "\u202eevil"
  device.attributes["Asset tag"]: "A-1"
  user.department: "Design\x1b[31m"
rules:
  encrypted: met, enforced: device.encrypted is true
  os: unmet, report only: device.os_version is 14.7
  supervised: unknown, enforced from 2999-01-15: device.supervised is unknown
  phone: does not apply: device.supervised is unknown, device.os is "macOS"
  tagged: met, enforced: device.attributes["Asset tag"] is "A-1", records.owned.found is true
data: {"department":"Design\u001b[31m","mail":""}
data unknown: mail
`},
		"c02ben --webhook devices": {2, `[DENY] c02ben (deviceNotEncrypted)
reason: rule encrypted is unmet: device.encrypted is false; rule os is unknown: device.os_version is unknown; rule supervised is unknown: device.supervised is unknown; rule phone is unknown: device.supervised is unknown; whether it applies is unknown: device.os is unknown; rule tagged is unknown: device.attributes["Asset tag"] is unknown, records.owned.found is true
message: Turn on FileVault, and try again.
would deny: os, supervised
policy: staff, of the webhook devices
inventory: macs
inventories:
  macs (file): found, decides
  spare (file): not needed
  owned (file), must know it too: found
record: C02BEN, device, managed
  device.identifier: "C02BEN"
  device.managed: true
  device.encrypted: false
rules:
  encrypted: unmet, enforced: device.encrypted is false
  os: unknown, report only: device.os_version is unknown
  supervised: unknown, enforced from 2999-01-15: device.supervised is unknown
  phone: unknown, enforced: device.supervised is unknown; whether it applies is unknown: device.os is unknown
  tagged: unknown, enforced: device.attributes["Asset tag"] is unknown, records.owned.found is true
`},
		"C02NONE --policy staff": {2, `[DENY] C02NONE (deviceNotFound)
reason: inventory macs: no such device in the inventory; inventory spare: no such device in the inventory
message: This device is not in the inventory; ask your administrator to enroll it
policy: staff
inventories:
  macs (file): not found: no such device in the inventory
  spare (file): not found: no such device in the inventory
  owned (file), must know it too: not needed
`},
		"C02CYD --webhook 3F0C6C1E-1f6e-4a52-9d33-0d6a3c5a7f02 --mode any": {2, `[DENY] C02CYD (deviceNotCompliant)
reason: rule enriching is unknown: request.kind is unknown
message: This device does not meet a requirement of your organization; ask your administrator what to do
policy: kinds, of the webhook kinds
inventory: macs
mode: any
record: C02CYD, device, managed
  device.identifier: "C02CYD"
  device.managed: true
  device.encrypted: true
rules:
  enriching: unknown, enforced: request.kind is unknown
  caller: met, enforced: request.caller is "kinds", request.door is "webhook", request.identifier is "C02CYD", device.identifier is "C02CYD"
note: the rule enriching reads request.kind, which only a request has: the webhook may decide otherwise
`},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, onlyPolicy(), folder, append([]string{"lookup"}, strings.Fields(args)...)...)
			if r.Code != test.code || r.Stdout != test.want || r.Stderr != "" {
				t.Errorf("exit %d, want %d, standard error %q\n%s\nwant\n%s", r.Code, test.code, r.Stderr, r.Stdout, test.want)
			}
		})
	}
}

// One object for a device, in a line.
func TestLookupByPolicyAsJSON(t *testing.T) {
	t.Parallel()
	r := program.Run(t, onlyPolicy(), lookupFolder(t, lookupPolicy), "lookup", "--policy", "staff", "C02ADA", "--json")
	const want = `{"decision":"allow","reason":"in the inventory macs; rule os is unmet: device.os_version is 14.7; rule supervised is unknown: device.supervised is unknown","identifier":"C02ADA","policy":"staff","inventory":"macs","provider":"file",` +
		`"record":{"identifier":"C02ADA","managed":true,"groups":["VPN","` + "\u202e" + `evil"],"facts":{` +
		`"device":{"attributes":{"Asset tag":"A-1"},"encrypted":true,"groups":["VPN","` + "\u202e" + `evil"],"identifier":"C02ADA","last_seen":"2026-11-20T10:00:00Z","managed":true,"os":"macOS","os_version":"14.7"},` +
		`"user":{"department":"Design\u001b[31m"}}},` +
		`"inventories":[{"name":"macs","provider":"file","answer":"found","managed":true},{"name":"spare","provider":"file","answer":"not needed"},{"name":"owned","provider":"file","also_in":true,"answer":"found","managed":true}],` +
		`"rules":[{"name":"encrypted","result":"met","enforced":true,"reads":[{"fact":"device.encrypted","value":true}]},` +
		`{"name":"os","result":"unmet","enforced":false,"reads":[{"fact":"device.os_version","value":"14.7"}],"reason":"rule os is unmet: device.os_version is 14.7"},` +
		`{"name":"supervised","result":"unknown","enforced":false,"enforced_from":"2999-01-15","reads":[{"fact":"device.supervised","value":null}],"reason":"rule supervised is unknown: device.supervised is unknown"},` +
		`{"name":"phone","result":"does not apply","enforced":true,"reads":[{"fact":"device.supervised","value":null},{"fact":"device.os","value":"macOS"}]},` +
		`{"name":"tagged","result":"met","enforced":true,"reads":[{"fact":"device.attributes[\"Asset tag\"]","value":"A-1"},{"fact":"records.owned.found","value":true}]}],` +
		`"would_deny":["os","supervised"],"unknown":["supervised"],"data":{"department":"Design\u001b[31m","mail":""},"data_unknown":["mail"]}` + "\n"
	if r.Code != 0 || r.Stdout != want || r.Stderr != "" {
		t.Errorf("exit %d, standard error %q, printed\n%s\nwant\n%s", r.Code, r.Stderr, r.Stdout, want)
	}
}

// Which policy decides: the named one, the webhook's, the only one, or the one named default.
func TestLookupChoosesThePolicy(t *testing.T) {
	t.Parallel()
	one := lookupFolder(t, "policies:\n  staff: {inventories: [file]}\nwebhooks: []\n")
	several := lookupFolder(t, lookupPolicy)
	withDefault := lookupFolder(t, "policies:\n  staff: {inventories: [file]}\n  default: {inventories: [file]}\n")
	env := onlyPolicy().With("PROVIDER", "file", "FILE_PATH", "macs.json", "FILE_TYPE", "json")
	ofEnvironment := env.With("WEBHOOK_IDS", "3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f09") // without a secret
	for name, test := range map[string]struct {
		folder string
		env    program.Environment
		args   string
		code   int
		stdout string
		stderr string
	}{
		"the only one":                   {one, env, "C02ADA", 0, "\npolicy: staff\n", ""},
		"default":                        {withDefault, env, "C02ADA", 0, "\npolicy: default (--policy or --webhook chooses another one: staff)\n", ""},
		"named":                          {withDefault, env, "C02ADA --policy staff", 0, "\npolicy: staff\n", ""},
		"a webhook of the environment":   {one, ofEnvironment, "C02ADA --webhook 3F0C6C1E-1f6e-4a52-9d33-0d6a3c5a7f09", 0, "\npolicy: default, of the webhook 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f09\n", ""},
		"its ID in a file":               {one, env.With("WEBHOOK_IDS_FILE", "ids"), "C02ADA --webhook 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f08", 0, "\npolicy: default, of the webhook 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f08\n", ""},
		"a file with IDs is missing":     {one, env.With("WEBHOOK_IDS_FILE", "nowhere"), "C02ADA", 0, "\npolicy: staff\n", ""},
		"default, which is not written":  {one, ofEnvironment, "C02ADA", 0, "\npolicy: default (--policy or --webhook chooses another one: staff)\n", ""},
		"several":                        {several, onlyPolicy(), "C02ADA", 64, "", "lookup: which policy? accepted: kinds, staff; --policy or --webhook chooses one\nTry "},
		"no such policy":                 {several, onlyPolicy(), "C02ADA --policy stuff", 64, "", "--policy: unknown policy; did you mean staff?; accepted: kinds, staff\nTry "},
		"no such webhook":                {several, onlyPolicy(), "C02ADA --webhook device", 64, "", "--webhook: unknown webhook; did you mean devices?; accepted: devices, kinds\nTry "},
		"no webhook":                     {one, env, "C02ADA --webhook device", 64, "", "--webhook: unknown webhook; accepted: none\nTry "},
		"both":                           {several, onlyPolicy(), "C02ADA --policy staff --webhook devices", 64, "", "--policy and --webhook are given together; accepted: one of the two"},
		"an empty name":                  {several, onlyPolicy(), "C02ADA --policy staff --webhook=", 64, "", "--webhook: it is empty; "},
		"no device":                      {several, onlyPolicy(), "--policy staff", 64, "", "lookup: which device? Usage: step-posture-connector lookup IDENTIFIER... [--policy NAME | --webhook NAME] [--from FILE] "},
		"a wrong mode":                   {several, onlyPolicy(), "C02ADA --policy staff --mode laptop", 64, "", "--mode: mode is not one of mobiledevice, computer, any"},
		"no policy file":                 {one, env.With("POLICY_PATH", ""), "C02ADA --policy staff", 64, "", "--policy: there is no policy file; POLICY_PATH names one\nTry "},
		"a list without a policy file":   {one, program.Environment{"PROVIDER": "file", "FILE_PATH": "macs.json", "FILE_TYPE": "json"}, "--from owned.csv", 64, "", "--from: there is no policy file"},
		"several without a policy file":  {one, program.Environment{"PROVIDER": "file", "FILE_PATH": "macs.json", "FILE_TYPE": "json"}, "A B", 64, "", "lookup: one device at a time, 2 were given. "},
		"an empty POLICY_PATH":           {one, env.With("POLICY_PATH", ""), "C02ADA", 1, "", "configuration:\nPOLICY_PATH: it is set, but empty; "},
		"a broken policy file":           {lookupFolder(t, "policies: {staff: {inventory: [a]}}\n"), onlyPolicy(), "A B", 1, "", "policies.staff.inventory: unknown key; did you mean inventories?"},
		"a broken policy file, as JSON":  {lookupFolder(t, "policies: {staff: {inventory: [a]}}\n"), onlyPolicy(), "--json A B", 1, `{"decision":"error","error":"configuration: `, ""},
		"a secret of an inventory":       {lookupFolder(t, strings.Replace(lookupPolicy, "{provider: file, path: spare.csv, type: csv}", "{provider: jamf, base_url: https://127.0.0.1:1, client_id: x, client_secret: {file: does-not-exist}}", 1)), onlyPolicy(), "A", 1, "", "inventories.spare.client_secret.file: "},
		"an inventory that is not there": {lookupFolder(t, strings.Replace(lookupPolicy, "spare.csv", "nowhere.csv", 1)), onlyPolicy(), "A", 1, "", "nowhere.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, test.env, test.folder, append([]string{"lookup"}, strings.Fields(test.args)...)...)
			if r.Code != test.code || !strings.Contains(r.Stdout, test.stdout) || !strings.Contains(r.Stderr, test.stderr) || test.stdout == "" && r.Stdout != "" {
				t.Errorf("exit %d, want %d\n%s%s\nwant %q and %q", r.Code, test.code, r.Stdout, r.Stderr, test.stdout, test.stderr)
			}
		})
	}
}

// The names of policies and webhooks are no files.
func TestLookupCompletion(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"__complete lookup --po":             "--policy\t",
		"__complete lookup --policy=":        ":4\n",
		"__complete lookup --mode=":          "mobiledevice\ncomputer\nany\n:4\n",
		"__complete lookup --from=":          ":0\n",
		"__complete lookup --policy=staff C": ":0\n",
	} {
		if r := program.Run(t, onlyPolicy(), t.TempDir(), strings.Fields(args)...); r.Code != 0 || !strings.Contains(r.Stdout, want) {
			t.Errorf("%s: exit %d, %q, want %q in it", args, r.Code, r.Stdout, want)
		}
	}
}
