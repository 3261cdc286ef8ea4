package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"howett.net/plist"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/tokenapi"
)

const enrolment = "docs/enrolment.md"

// The table of errors has every code of the API.
func TestErrorsOfTokens(t *testing.T) {
	t.Parallel()
	got, want := sorted(inSection(t, enrolment, "### Errors", "(?m)^\\| [0-9, ]+ \\| `([A-Za-z]+)` \\|")), sorted(tokenapi.Codes())
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the page has %q, the API %q", got, want)
	}
}

// The part of a profile is a property list, with the attributes of the policy file.
func TestProfileOfTokens(t *testing.T) {
	t.Parallel()
	parts := matches(t, enrolment, "(?ms)^```xml\n(.*?)^```$")
	if len(parts) != 1 {
		t.Fatalf("the page has %d parts of a profile", len(parts))
	}
	var profile struct{ Subject [][][]string }
	if _, err := plist.Unmarshal([]byte("<plist version=\"1.0\"><dict>"+parts[0]+"</dict></plist>"), &profile); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range profile.Subject {
		for _, attribute := range name {
			got = append(got, attribute[0])
		}
	}
	want := append([]string{"CN"}, matches(t, enrolment, `token: \{required: true, in: ([0-9.]+),`)...)
	want = append(want, matches(t, enrolment, `udid_in: ([0-9.]+),`)...)
	if !slices.Equal(got, want) {
		t.Errorf("the profile has the attributes %q, the policy %q", got, want)
	}
}

// The table of limits has those of the product.
func TestLimitsOfTokens(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, enrolment), "\n## Limits\n")
	table, _, _ = strings.Cut(table, "\n## ")
	const day = 24 * time.Hour
	for _, want := range []string{
		fmt.Sprintf("| %d characters of base64url,", posture.TokenLength),
		fmt.Sprintf("%d minutes by default, or less if the client says so; from %d second to %d days |",
			enroll.DefaultLifetime/time.Minute, enroll.MinLifetime/time.Second, enroll.MaxLifetime/day),
		fmt.Sprintf("| %d minutes, or until it expires", enroll.KeyLifetime/time.Minute),
		fmt.Sprintf("| %d days |", enroll.Kept/day),
		fmt.Sprintf("| %d |", enroll.MaxLive),
		fmt.Sprintf("| the %d newest |", enroll.MaxListed),
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the limits have no %q", want)
		}
	}
}
