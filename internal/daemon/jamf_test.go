package daemon_test

import (
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// Errors in a configuration for Jamf Pro are reported without a request to the server, and never with the secret.
func TestJamfConfiguration(t *testing.T) {
	t.Parallel()
	const accepted = "; accepted: https://… of the Jamf Pro server"
	good := map[string]string{
		"PROVIDER": "jamf", "FILE_PATH": "", "FILE_TYPE": "",
		"JAMF_BASE_URL": "https://example.jamfcloud.com", "JAMF_CLIENT_ID": "id", "JAMF_CLIENT_SECRET": "hidden",
	}
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"nothing set": {map[string]string{"JAMF_BASE_URL": "", "JAMF_CLIENT_ID": "", "JAMF_CLIENT_SECRET": ""}, []string{
			"JAMF_BASE_URL: not set" + accepted,
			"JAMF_CLIENT_ID: not set; accepted: the client ID of a Jamf API client",
			"JAMF_CLIENT_SECRET: not set; accepted: the client secret of the API client",
		}},
		"switches and words": {map[string]string{"JAMF_DEVICE_ENRICH": "yes", "JAMF_COMPUTER_ENRICH": "2", "JAMF_ALLOW_UNMANAGED": "true", "JAMF_API": "Classic"}, []string{
			`JAMF_DEVICE_ENRICH: "yes" is not accepted; accepted: 0 or 1`,
			`JAMF_COMPUTER_ENRICH: "2" is not accepted; accepted: 0 or 1`,
			`JAMF_API: "Classic" is not accepted; accepted: pro or classic`,
			`JAMF_ALLOW_UNMANAGED: "true" is not accepted; accepted: 0 or 1`,
		}},
		"secret twice": {map[string]string{"JAMF_CLIENT_SECRET_FILE": "x"}, []string{
			"JAMF_CLIENT_SECRET: given together with JAMF_CLIENT_SECRET_FILE; accepted: one of the two",
		}},
		"secret's file not there": {map[string]string{"JAMF_CLIENT_SECRET": "", "JAMF_CLIENT_SECRET_FILE": "DIR/none"}, []string{
			"JAMF_CLIENT_SECRET_FILE: cannot open DIR/none: no such file or directory; accepted: the path of a file with the secret",
		}},
		"one mistake in a shared variable": {map[string]string{"TIMEOUT": "0"}, []string{
			`TIMEOUT: "0" is not accepted; accepted: a whole number from 1 to 300`,
		}},
		"everything at once": {map[string]string{"JAMF_BASE_URL": "http://x", "JAMF_CLIENT_SECRET": "", "JAMF_API": "q", "PORT": "x"}, []string{
			`PORT: "x" is not accepted; accepted: a whole number from 1 to 65535`,
			"JAMF_CLIENT_SECRET: not set; accepted: the client secret of the API client",
			`JAMF_API: "q" is not accepted; accepted: pro or classic`,
			"JAMF_BASE_URL: does not begin with https://" + accepted,
		}},
		"http":            {map[string]string{"JAMF_BASE_URL": "http://example.jamfcloud.com"}, []string{"JAMF_BASE_URL: does not begin with https://" + accepted}},
		"no scheme":       {map[string]string{"JAMF_BASE_URL": "example.jamfcloud.com"}, []string{"JAMF_BASE_URL: does not begin with https://" + accepted}},
		"no host":         {map[string]string{"JAMF_BASE_URL": "https:///jamf"}, []string{"JAMF_BASE_URL: has no host" + accepted}},
		"with a password": {map[string]string{"JAMF_BASE_URL": "https://admin:hidden@example.jamfcloud.com"}, []string{"JAMF_BASE_URL: holds a user name or password" + accepted}},
		"with a query":    {map[string]string{"JAMF_BASE_URL": "https://example.jamfcloud.com?a=b"}, []string{"JAMF_BASE_URL: has a query or a fragment" + accepted}},
		"https:// twice":  {map[string]string{"JAMF_BASE_URL": "https://https://example.jamfcloud.com"}, []string{"JAMF_BASE_URL: has https:// twice, or a colon without a port" + accepted}},
		"no port":         {map[string]string{"JAMF_BASE_URL": "https://example.jamfcloud.com:/"}, []string{"JAMF_BASE_URL: has https:// twice, or a colon without a port" + accepted}},
		"no such port":    {map[string]string{"JAMF_BASE_URL": "https://example.jamfcloud.com:84430"}, []string{"JAMF_BASE_URL: has a port that is none" + accepted}},
		"a path as the secret": {map[string]string{"JAMF_CLIENT_SECRET": "DIR/devices.csv"}, []string{
			"JAMF_CLIENT_SECRET: the value is the path of a file, which belongs in the variable with _FILE; accepted: the client secret of the API client",
		}},
		"a line as the secret": {map[string]string{"JAMF_CLIENT_SECRET": "JAMF_CLIENT_SECRET=hidden"}, []string{
			"JAMF_CLIENT_SECRET: the value begins with the name of a variable and =; only the part after it belongs here; accepted: the client secret of the API client",
		}},
		"no URL": {map[string]string{"JAMF_BASE_URL": "https://exa mple"}, []string{"JAMF_BASE_URL: not a URL" + accepted}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := map[string]string{}
			for _, set := range []map[string]string{good, test.changes} {
				for variable, value := range set {
					changes[variable] = value
				}
			}
			wantLines(t, "Load", install(t).refused(t, changes), test.want)
		})
	}
}

// In single quotes a # is part of the value. In a value from docker run --env-file, it may be a comment.
func TestHashInTheNameOfAGroup(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.write(t, "my.env", "JAMF_COMPUTER_GROUP='Lab # 2'\nJAMF_DEVICE_GROUP='Lab # 2'\nPROVIDER=jamf\nJAMF_BASE_URL=https://x\nJAMF_CLIENT_ID=x\nJAMF_CLIENT_SECRET=x\n")
	for process, want := range map[string][]string{
		"A=b": nil,
		"JAMF_DEVICE_GROUP=Lab # 2": {
			"JAMF_DEVICE_GROUP: the value has a # between spaces, which begins no comment for docker run --env-file and systemd; remove that, unless it is meant",
		},
	} {
		environ, err := config.Environ([]string{process}, in.path("my.env"), true)
		if err != nil {
			t.Fatal(err)
		}
		inventory, err := daemon.LoadProvider(environ)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, process, inventory.Warnings, want)
	}
}
