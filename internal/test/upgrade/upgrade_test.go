// Package upgrade starts the connector with configurations and inventory files of v1.0.0, unchanged, and compares it with what v1.0.0
// did. The differences are those of docs/upgrade.md.
package upgrade_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

const (
	upgradeFolder  = "internal/test/upgrade/testdata"
	upgradeRecords = upgradeFolder + "/answers.json"
	// originalVariable names a build of v1.0.0, whose answers are then compared with those that are recorded, or recorded where
	// recordVariable is 1.
	originalVariable = "STEP_POSTURE_CONNECTOR_V1"
	recordVariable   = "STEP_POSTURE_CONNECTOR_V1_RECORD"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// trial is a configuration of v1.0.0 that both programs are started with, unchanged.
type trial struct {
	name    string
	env     program.Environment // beside the env file
	files   map[string]string   // in the folder, in place of those of upgradeFolder
	args    []string
	compose bool // the environment is that of the compose file, and there is no env file
	jamf    jamftest.Options
	jamfURL func(*testing.T, *jamftest.Server) string // by default that of the server
	pki     func(*testing.T, *program.PKI)
	orders  []order
	exits   string // what the output has where the program exits now
	code    int    // the exit status then, by default 1
	warns   string // what the output has where the program serves now
	differs string // the row of docs/upgrade.md, where one of the programs exits and the other does not
}

// record is what v1.0.0 did: its exit status, or its answers.
type record struct {
	Exit    int               `json:"exit,omitempty"`
	Answers map[string]answer `json:"answers,omitempty"`
}

// TestUpgrade starts the connector with configurations and files of v1.0.0, and compares it with what v1.0.0 answered.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	recorded := readRecords(t)
	for _, tr := range upgradeTrials(t) {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			before, found := recorded[tr.name]
			if !found {
				t.Fatalf("%s does not have what v1.0.0 did", upgradeRecords)
			}
			now, output := tr.run(t, ours)
			tr.compareStart(t, before.Exit, now.Exit, output)
			tr.wantFoundByCheck(t)
			for _, o := range tr.orders {
				if answer, sent := now.Answers[o.title()]; sent {
					o.want(t, answer)
				}
				if then, sent := before.Answers[o.title()]; sent && now.Exit == 0 {
					o.compare(t, then, now.Answers[o.title()])
				}
			}
		})
	}
}

// TestUpgradeRecords compares what is recorded with the trials, and with v1.0.0 where there is a build of it.
func TestUpgradeRecords(t *testing.T) {
	t.Parallel()
	recorded, found := readRecords(t), map[string]record{}
	original := os.Getenv(originalVariable)
	for _, tr := range upgradeTrials(t) {
		if original == "" {
			found[tr.name] = recorded[tr.name]
			tr.wantWhole(t, recorded[tr.name])
			continue
		}
		found[tr.name], _ = tr.run(t, v1(original))
		tr.wantWhole(t, found[tr.name])
		if got, want := marshal(t, found[tr.name]), marshal(t, recorded[tr.name]); os.Getenv(recordVariable) == "" && !bytes.Equal(got, want) {
			t.Errorf("%s: v1.0.0 did %s, %s has %s", tr.name, got, upgradeRecords, want)
		}
	}
	if os.Getenv(recordVariable) == "1" {
		if err := os.WriteFile(upgradeRecords, append(marshal(t, found), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := slices.Sorted(maps.Keys(recorded)), slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("%s has %q, the trials are %q", upgradeRecords, got, want)
	}
}

// wantFoundByCheck wants check to find what keeps the daemon from starting, but for arguments, which it has itself.
func (tr trial) wantFoundByCheck(t *testing.T) {
	t.Helper()
	if tr.exits == "" || tr.args != nil {
		return
	}
	tr.args, tr.orders = []string{"check"}, nil
	if did, output := tr.run(t, ours); did.Exit != 1 || !strings.Contains(output, tr.exits) {
		t.Errorf("check exits with %d, want 1 and %q:\n%s", did.Exit, tr.exits, output)
	}
}

// run starts a program and sends the orders of the trial.
func (tr trial) run(t *testing.T, s starter) (did record, output string) {
	t.Helper()
	pki := program.NewPKI(t)
	if tr.pki != nil {
		tr.pki(t, pki)
	}
	folder := t.TempDir()
	env, jamf := tr.environment(t, folder, pki)
	r := s.start(t, folder, env, tr.args...)
	if r.address == "" {
		return record{Exit: r.code}, r.output.String()
	}
	did.Answers = map[string]answer{}
	client := stepCA(t, pki)
	for _, o := range tr.orders {
		if o.before != nil {
			o.before(jamf)
		}
		did.Answers[o.title()] = o.send(t, client, r.address)
	}
	return did, r.output.String()
}

// environment fills the folder, and returns the environment, and the Jamf Pro server if there is one.
func (tr trial) environment(t *testing.T, folder string, pki *program.PKI) (env program.Environment, jamf *jamftest.Server) {
	t.Helper()
	files := map[string]string{".env": "v1.env", "devices.csv": "devices.csv", "devices.json": "devices.json"}
	for name, source := range files {
		files[name] = readFile(t, filepath.Join(upgradeFolder, source))
	}
	for name, path := range map[string]string{"server.pem": pki.ServerCert, "server.key": pki.ServerKey, "ca.pem": pki.CACert} {
		files[name] = readFile(t, path)
	}
	maps.Copy(files, tr.files)
	env = program.Environment{}
	if tr.compose {
		delete(files, ".env")
		env = composeEnvironment(t, folder)
		jamf = tr.startJamf(t, env)
	}
	maps.Copy(env, tr.env)
	for name, text := range files {
		program.ReplaceFile(t, filepath.Join(folder, name), text)
	}
	return env, jamf
}

// composeEnvironment is that of the compose file; the folder is what it mounts.
func composeEnvironment(t *testing.T, folder string) program.Environment {
	t.Helper()
	text := readFile(t, upgradeFolder+"/docker-compose.yml")
	mount := regexp.MustCompile(`(?m)^ +- "[^:"]+:(/[^:"]+)"$`).FindStringSubmatch(text)
	env := program.Environment{}
	for _, line := range regexp.MustCompile(`(?m)^ +- ([A-Z_]+)=(.*)$`).FindAllStringSubmatch(text, -1) {
		env[line[1]] = strings.Replace(line[2], mount[1]+"/", folder+"/", 1)
	}
	delete(env, "PORT") // the start chooses one
	return env
}

// startJamf starts a Jamf Pro server that knows the API client of the environment, and puts it there.
func (tr trial) startJamf(t *testing.T, env program.Environment) *jamftest.Server {
	t.Helper()
	options := tr.jamf
	if options.Clients == nil {
		options.Clients = []jamftest.Client{{
			ID: env["JAMF_CLIENT_ID"], Secret: env["JAMF_CLIENT_SECRET"], ExpiresIn: 600,
			Privileges: []string{jamftest.ReadComputers, jamftest.ReadMobileDevices, jamftest.ReadDepartments},
		}}
	}
	server, err := jamftest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	roots := filepath.Join(t.TempDir(), "jamf.pem")
	if err := os.WriteFile(roots, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	env["JAMF_BASE_URL"], env["SSL_CERT_FILE"] = server.BaseURL(), roots
	if tr.jamfURL != nil {
		env["JAMF_BASE_URL"] = tr.jamfURL(t, server)
	}
	return server
}

func readRecords(t *testing.T) map[string]record {
	t.Helper()
	var records map[string]record
	if err := json.Unmarshal([]byte(readFile(t, upgradeRecords)), &records); err != nil {
		t.Fatal(err)
	}
	return records
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
