package docs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy"
	"step-posture-connector/internal/provider/apple"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/mosyle"
)

// TestComparison: the table of the MDMs says of each fact what the providers say: whether lookups have it, and whether lists have
// it too.
func TestComparison(t *testing.T) {
	t.Parallel()
	const page = "docs/providers/README.md"
	secret := config.NewSecret([]byte("secret"))
	all := map[string]given{
		"addigy": gives(t, addigy.Open, addigy.Config{BaseURL: "https://api.addigy.com", Token: secret}),
		"apple_business": gives(t, apple.Open, apple.Config{
			ClientID: "BUSINESSAPI.a", KeyID: "b", PrivateKey: config.NewSecret(ecKey(t)), AllowUnmanaged: true,
			TokenURL: "https://account.apple.com/auth/oauth2/token",
		}),
		"fleet":  gives(t, fleet.Open, fleet.Config{BaseURL: "https://fleet.example.com", Token: secret}),
		"intune": gives(t, intune.Open, intune.Config{TenantID: "example.com", ClientID: "a", ClientSecret: secret, Cloud: "worldwide"}),
		"iru":    gives(t, iru.Open, iru.Config{BaseURL: "https://example.api.iru.com", Token: secret}),
		"jamf":   gives(t, jamf.Open, jamf.Config{BaseURL: "https://example.jamfcloud.com", ClientID: "a", ClientSecret: secret, API: "pro"}),
		"mosyle": gives(t, mosyle.Open, mosyle.Config{Product: "business", AccessToken: secret, Email: "a@example.com", Password: secret}),
	}
	rows := inSection(t, page, "## Compare the MDMs", "(?m)^\\| (.+) \\|$")
	header := strings.Split(strings.TrimPrefix(rows[0], "| "), " | ") // its first cell is empty
	if len(header) != len(all) {
		t.Fatalf("%s compares %d MDMs, want %d", page, len(header), len(all))
	}
	fact := regexp.MustCompile("^`((?:device|user)\\.[a-z_]+)`$")
	compared := 0
	for _, row := range rows {
		cells := strings.Split(row, " | ")
		name := fact.FindStringSubmatch(cells[0])
		if name == nil {
			continue
		}
		compared++
		for i, cell := range cells[1:] {
			of := strings.Trim(header[i], "`")
			want := "no"
			switch set := posture.MustFacts(name[1]); {
			case all[of].lookups.Has(set) && all[of].lists.Has(set):
				want = "both"
			case all[of].lookups.Has(set):
				want = "lookup"
			}
			word := regexp.MustCompile(`^(always true|[a-z]+)`).FindString(cell)
			if word != want && !(word == "always true" && want == "both") {
				t.Errorf("%s says of %s and %s: %q; the code says %q", page, name[1], of, cell, want)
			}
		}
	}
	if compared < 8 {
		t.Errorf("%s compares %d facts, want more", page, compared)
	}
}

// given are the facts that an inventory gives.
type given struct{ lookups, lists posture.FactSet }

func gives[C interface{ Facts() posture.FactSet }](t *testing.T, open func(C) (posture.Provider, []string, error), c C) given {
	t.Helper()
	p, _, err := open(c)
	if err != nil {
		t.Fatal(err)
	}
	lister, ok := p.(posture.Lister)
	if !ok {
		t.Fatalf("%T has no lists", p)
	}
	if closing, ok := p.(interface{ Close() }); ok {
		t.Cleanup(closing.Close)
	}
	return given{c.Facts(), lister.ListGives()}
}

// ecKey is a new key, as Apple gives it out.
func ecKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
