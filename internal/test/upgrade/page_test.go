package upgrade_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The rows of docs/upgrade.md under "What differs": how they begin. Each is shown by a trial.
const (
	refusals     = "A device is refused"
	failures     = "Jamf Pro does not answer"
	noData       = "A device has no data"
	unknownID    = "A call has an unknown webhook ID"
	oldRequest   = "A call is 10 to 30 seconds old"
	future       = "A call is from the future"
	noCommonName = "A CSR has no common name"
	otherSAN     = "A CSR has the permanent identifier of another device as a SAN"
	authorizing  = "A webhook is AUTHORIZING"
	trailing     = "Something follows the JSON of a call"
	otherMode    = "`mode` has an unknown word"
	typeQuery    = "The URL has `type`"
	bothKinds    = "The URL has `mode=any`"

	letterCase   = "An identifier differs in upper and lower case"
	spaces       = "An identifier in a file has spaces around it"
	numbers      = "A number has more than 15 digits"
	memberCase   = "A member of a JSON file has other letters than `devices`, `identifier` and `data`"
	duplicates   = "A file has an identifier twice, with other data"
	noIdentifier = "A file has a row or a device without an identifier, or with one that no device can have"
	notUTF8      = "A file is not UTF-8"
	memberTwice  = "A JSON file has a member of an object twice"
	columns      = "A CSV file has two columns of one name, or one without a name"
	columnSpaces = "A CSV column has spaces around its name"
	noDevices    = "A JSON file has no `devices`"
	excel        = "A file begins with a byte-order mark, or a CSV file with `identifier`"

	unmanaged   = "Jamf has a record of a device, but does not manage it"
	twice       = "Jamf has two records with one serial number"
	oneKind     = "Only one of `JAMF_DEVICE_ENRICH` and `JAMF_COMPUTER_ENRICH` is `1`"
	groupData   = "No group is required"
	department  = "The API client lacks `Read Departments`"
	revoked     = "Jamf has revoked the token"
	jamfDown    = "Jamf Pro cannot be reached at start"
	clientID    = "`JAMF_CLIENT_ID` is not a UUID"
	plainHTTP   = "`JAMF_BASE_URL` begins with `http://`"
	noTimeout   = "`TIMEOUT` is `0`"
	longTimeout = "`TIMEOUT` has three digits"
	shortSecret = "A webhook secret has less than 32 bytes"
	sameID      = "`WEBHOOK_IDS` has an ID twice"
	listSpaces  = "`WEBHOOK_IDS` or `WEBHOOK_SECRETS` has spaces"
	envLine     = "A line of `.env` cannot be read, and the environment has all variables"
	envDollar   = "A value in `.env` has a `$`"
	envHash     = "A value in `.env` has a `#` after a space"
	quotes      = "A value has quotation marks around it"
	pemPart     = "A PEM file has a part that cannot be read"
	noServer    = "The server certificate is not for servers"
	noCA        = "`TLS_CA_PATH` names no file, without mutual TLS"
	arguments   = "The program gets arguments"
)

// TestUpgradePage compares the tables of docs/upgrade.md with the trials: each row is shown by one, each difference has a row, and
// the heading of its table says what kind of difference it is.
func TestUpgradePage(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readFile(t, "docs/upgrade.md"), "\n## What differs\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows, heading := map[string]string{}, ""
	for line := range strings.Lines(section) {
		if after, found := strings.CutPrefix(line, "### "); found {
			heading = strings.TrimSpace(after)
		} else if row := regexp.MustCompile(`^\| (.+?) \| .+ \| .+ \| .+ \|$`).FindStringSubmatch(strings.TrimSpace(line)); row != nil && row[1] != "when" {
			if rows[row[1]] != "" {
				t.Errorf("docs/upgrade.md has a row twice: %q", row[1])
			}
			rows[row[1]] = heading
		}
	}
	shown := kindsOfDifferences(t)
	for row, heading := range rows {
		if !slices.Contains(shown[row], heading) {
			t.Errorf("docs/upgrade.md has the row %q below %q; the trials show %q", row, heading, shown[row])
		}
	}
	for row := range shown {
		if rows[row] == "" {
			t.Errorf("docs/upgrade.md lacks the row %q", row)
		}
	}
}

// kindsOfDifferences are the headings below which a row may be, by what v1.0.0 did and what the trials want now.
func kindsOfDifferences(t *testing.T) map[string][]string {
	t.Helper()
	const notStarted, before = "Not started now", "Refused or not started before"
	shown := map[string][]string{}
	recorded := readRecords(t)
	for _, tr := range upgradeTrials(t) {
		if kind := before; tr.differs != "" {
			if tr.exits != "" {
				kind = notStarted
			}
			shown[tr.differs] = append(shown[tr.differs], kind)
		}
		for _, o := range tr.orders {
			if o.differs == "" {
				continue
			}
			kind, then := "Other data", recorded[tr.name].Answers[o.title()]
			switch {
			case !then.Allow && o.now != "allow":
				kind = "Refused as before, in other words"
			case !then.Allow:
				kind = before
			case o.now != "allow":
				kind = "Refused now"
			}
			shown[o.differs] = append(shown[o.differs], kind)
		}
	}
	return shown
}
