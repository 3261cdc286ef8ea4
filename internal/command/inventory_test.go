package command_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/export"
	"step-posture-connector/internal/posture"
)

// severalInventories is a folder with a policy file and its inventories. The server of one does not answer.
func severalInventories(t *testing.T) (folder string, environ []string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	folder = t.TempDir()
	for name, content := range map[string]string{
		"posture.yaml": `inventories:
  macs: {provider: file, path: macs.json, type: json}
  spare: {provider: file, path: spare.csv, type: csv}
  mdm: {provider: jamf, base_url: "https://` + address + `", client_id: x, client_secret: {file: secret}}
policies:
  staff:
    inventories: [macs, spare, mdm]
webhooks:
  - {name: devices, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {env: NOT_SET}, policy: staff}
`,
		"secret":    "not-a-real-one\n",
		"macs.json": `{"devices":[{"identifier":"C02ADA","data":{"asset":"A-1"},"facts":{"device":{"os":"macOS","groups":["a;b"]}}},{"identifier":"C02BEN","data":{}}]}`,
		"spare.csv": "Identifier,asset,device.name,device.managed\n'=C02,x,'+49,false\nC02DOT,,,\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := time.Now().Add(-2*time.Hour - 5*time.Minute)
	if err := os.Chtimes(filepath.Join(folder, "macs.json"), hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	return folder, []string{"POLICY_PATH=" + filepath.Join(folder, "posture.yaml")}
}

// The table has a line for each inventory. One that fails its check is 1, and the others are listed all the same.
func TestInventoryList(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, inventory(t), "inventory", "list")
	if want := regexp.MustCompile(`^NAME  PROVIDER  DEVICES  AGE  CHECK\nfile  file      1        \d+s   ok: 1 device in /[^\n]*devices\.csv, with the column name\n$`); code != command.ExitOK || !want.MatchString(stdout) || stderr != "" {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
	_, environ := severalInventories(t)
	code, stdout, _ = run(t, environ, "inventory", "list")
	want := regexp.MustCompile(`^NAME +PROVIDER +DEVICES +AGE +CHECK
macs +file +2 +2h5m +ok: 2 devices in /[^\n]*
spare +file +2 +\d+s +ok: 2 devices in /[^\n]*
mdm +jamf +asked live +- +error: [^\n]*refused[^\n]*
$`)
	if code != command.ExitError || !want.MatchString(stdout) {
		t.Errorf("exit status %d\n%s", code, stdout)
	}
}

func TestInventoryListJSON(t *testing.T) {
	t.Parallel()
	type list struct {
		OK          bool
		Inventories []struct {
			Name, Provider, Check string
			AnswersFrom           string `json:"answers_from"`
			Devices               *int
			AgeSeconds            *int `json:"age_seconds"`
			OK                    bool
		}
		Warnings, Problems []string
	}
	_, environ := severalInventories(t)
	code, stdout, stderr := run(t, environ, "inventory", "list", "--json")
	var got list
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != command.ExitError || got.OK || len(got.Inventories) != 3 || stderr != "" {
		t.Fatalf("exit status %d, %s%s (%v)", code, stdout, stderr, err)
	}
	if macs := got.Inventories[0]; macs.Name != "macs" || macs.AnswersFrom != "memory" || *macs.Devices != 2 || *macs.AgeSeconds < 7500 || !macs.OK {
		t.Errorf("macs: %+v", macs)
	}
	if mdm := got.Inventories[2]; mdm.Provider != "jamf" || mdm.AnswersFrom != "live" || mdm.Devices != nil || mdm.AgeSeconds != nil || mdm.OK || mdm.Check == "" {
		t.Errorf("mdm: %+v", mdm)
	}

	code, stdout, stderr = run(t, nil, "inventory", "list", "--json")
	got = list{}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != command.ExitError || got.OK || stderr != "" || len(got.Problems) != 1 || !strings.HasPrefix(got.Problems[0], "PROVIDER: not set") {
		t.Errorf("exit status %d, %s%s (%v)", code, stdout, stderr, err)
	}
}

// allColumns is the header of the export of an inventory that is a file, which may have every fact.
const allColumns = "Identifier,device.serial_number,device.udid,device.name,device.model,device.type,device.os,device.os_version,device.managed," +
	"device.supervised,device.compliant,device.encrypted,device.ownership,device.last_seen,device.enrolled_at,device.groups,device.attributes," +
	"user.username,user.realname,user.email_address,user.position,user.department"

// A wrong command line is 64, an inventory that cannot be exported 1. Without an error there is one line on standard error.
func TestInventoryExport(t *testing.T) {
	t.Parallel()
	folder, environ := severalInventories(t)
	if err := os.WriteFile(filepath.Join(folder, "devices.JSON"), []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args           string
		code           int
		stdout, stderr string // regular expressions
	}{
		"CSV": {
			"export spare", 0,
			`^` + allColumns + `\n(C02DOT,{16}\{\},{5}\n|'=C02,{3}'\+49,{5}false,{8}"\{""asset"":""x""\}",{5}\n){2}$`,
			`^spare: 2 devices exported\n$`,
		},
		"JSON": {
			"export macs --format json", 0,
			`^\{"devices":\[\n(?s:.*)\{"identifier":"C02ADA","data":\{"asset":"A-1"\},"facts":\{"device":\{"os":"macOS","managed":true,"groups":\["a;b"\],"attributes":\{"asset":"A-1"\}\}\}\},?\n`,
			`^macs: 2 devices exported\n$`,
		},
		"extension":      {"export macs --output " + folder + "/devices.JSON", 0, `^$`, `^macs: 2 devices exported\n$`},
		"format wins":    {"export macs --format csv --output " + folder + "/csv.json", 0, `^$`, `^macs: 2 devices exported\n$`},
		"nothing":        {"", 64, `^$`, `^inventory: what should be done\? Usage: step-posture-connector inventory list, or step-posture-connector inventory export NAME\n`},
		"unknown":        {"exprt", 64, `^$`, `unknown command "exprt"`},
		"no name":        {"export", 64, `^$`, `^inventory export: one inventory, 0 were given\. Usage: step-posture-connector inventory export NAME \[--format csv\|json\] \[--output FILE\]\n`},
		"unknown name":   {"export mac", 64, `^$`, `^inventory export: unknown inventory; did you mean macs\?; accepted: macs, spare, mdm\n`},
		"unknown format": {"export macs --format xml", 64, `^$`, `^--format: "xml" is not a format; accepted: csv or json\n`},
		"empty output":   {"export macs --output=", 64, `^$`, `^--output: it is empty; accepted: the path of a file, or - for standard output\n`},
		"dash":           {"export macs --format json --output -", 0, `^\{"devices":\[\n`, `^macs: 2 devices exported\n$`},
		"a folder":       {"export macs --output " + folder, 1, `^$`, `^inventory export: macs: write [^\n]*: it is no regular file; nothing is written\n$`},
		"no folder":      {"export macs --output " + folder + "/no/devices.csv", 1, `^$`, `^inventory export: macs: write [^\n]*/no/devices.csv: no such file or directory; nothing is written\n$`},
		"list with args": {"list macs", 64, `^$`, `unknown command "macs" for "step-posture-connector inventory list"`},
	} {
		code, stdout, stderr := run(t, environ, append([]string{"inventory"}, strings.Fields(test.args)...)...)
		if code != test.code || !regexp.MustCompile(test.stdout).MatchString(stdout) || !regexp.MustCompile(test.stderr).MatchString(stderr) {
			t.Errorf("%s: exit status %d\nstandard output %s\nstandard error %s\nwant %d, %s, %s", name, code, stdout, stderr, test.code, test.stdout, test.stderr)
		}
	}
	content := map[string]string{}
	for _, name := range []string{"devices.JSON", "csv.json"} {
		path := filepath.Join(folder, name)
		text, err := os.ReadFile(path)
		info, errStat := os.Stat(path)
		if err != nil || errStat != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v, %v", name, info, err, errStat)
		}
		content[name], _, _ = strings.Cut(string(text), "\n")
	}
	if want := map[string]string{"devices.JSON": `{"devices":[`, "csv.json": allColumns}; !reflect.DeepEqual(content, want) {
		t.Errorf("the files begin with %q, want %q", content, want)
	}
}

// Without a policy file the inventory of the environment has facts too.
func TestInventoryExportOfEnvironment(t *testing.T) {
	t.Parallel()
	environ := []string{"PROVIDER=file", "FILE_TYPE=csv", "FILE_PATH=" + file(t, "devices.csv", "Identifier,name,device.os\nC02ADA,ada,macOS\n")}
	code, stdout, stderr := run(t, environ, "inventory", "export", "file")
	if want := allColumns + "\nC02ADA,,,,,,macOS,,true,,,,,,,,\"{\"\"name\"\":\"\"ada\"\"}\",,,,,\n"; code != 0 || stdout != want || stderr != "file: 1 device exported\n" {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
}

// An export that was interrupted leaves no file.
func TestInventoryExportInterrupted(t *testing.T) {
	t.Parallel()
	folder, environ := severalInventories(t)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out, errs strings.Builder
	code := command.Run(ctx, command.Process{
		Args:    []string{"inventory", "export", "macs", "--output", filepath.Join(folder, "devices.csv"), "--env-file", emptyFile(t)},
		Environ: environ, Stdout: &out, Stderr: &errs,
	})
	after, err := os.ReadDir(folder)
	if want := "inventory export: interrupted; nothing is written\n"; code != command.ExitError || out.String() != "" || errs.String() != want || err != nil || len(after) != len(entries) {
		t.Errorf("exit status %d, %q, %q; %d files, before %d (%v)", code, out.String(), errs.String(), len(after), len(entries), err)
	}
}

// The line on a terminal changes seldom, and is removed. Nothing is removed that was not shown.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	now := time.Unix(1_800_000_000, 0)
	show, remove := command.Progress(&out, "mdm", func() time.Time { return now })
	remove()
	for _, records := range []int{1, 2, 500, 501} {
		show(records)
		now = now.Add(150 * time.Millisecond)
	}
	remove()
	if want := "\rmdm: 1 record listed\rmdm: 500 records listed\r" + strings.Repeat(" ", 27) + "\r"; out.String() != want {
		t.Errorf("the terminal gets %q, want %q", out.String(), want)
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]export.Summary{
		"mdm: 1 device exported": {Devices: 1},
		"mdm: 0 devices exported; left out: 2 twice, 1 no identifier": {Twice: 2, NoIdentifier: 1},
		"mdm: 9 devices exported; left out: 3 damaged, 4 not to be written: data or text that is not valid; the list did not give device.udid": {
			Devices: 9, Damaged: 3, Unwritable: 4, Lacking: posture.MustFacts("device.udid"),
		},
	} {
		if got := command.Summarize("mdm", s); got != want {
			t.Errorf("Summarize(%+v) = %q, want %q", s, got, want)
		}
	}
}
