package apple_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple"
	"step-posture-connector/internal/provider/apple/appletest"
)

func inPEM(t *testing.T, label string, key any, encode func(any) ([]byte, error)) string {
	t.Helper()
	der, err := encode(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// TestProblems: a configuration that cannot be meant is refused at load, with what is accepted.
func TestProblems(t *testing.T) {
	t.Parallel()
	client, err := appletest.NewClient("BUSINESSAPI.")
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const (
		id      = "; accepted: BUSINESSAPI.… of Apple Business, or SCHOOLAPI.… of Apple School Manager"
		key     = "; accepted: the private key of an API account, in PEM"
		api     = "; accepted: https://… of the API"
		token   = "; accepted: https://… of the token endpoint"
		clientV = "APPLE_BUSINESS_CLIENT_ID: is no client ID of an API account"
	)
	secret := func(text string) func(*apple.Config) {
		return func(c *apple.Config) { c.PrivateKey = config.NewSecret([]byte(text)) }
	}
	for name, row := range map[string]struct {
		change func(*apple.Config)
		want   string
	}{
		"sound":                   {func(*apple.Config) {}, ""},
		"school":                  {func(c *apple.Config) { c.ClientID = "SCHOOLAPI.9703f56c" }, ""},
		"another prefix":          {func(c *apple.Config) { c.ClientID = "SEARCHADS.9703f56c" }, clientV + id},
		"lower case":              {func(c *apple.Config) { c.ClientID = "businessapi.9703f56c" }, clientV + id},
		"prefix alone":            {func(c *apple.Config) { c.ClientID = "BUSINESSAPI." }, clientV + id},
		"a space behind it":       {func(c *apple.Config) { c.ClientID = "BUSINESSAPI.9703f56c " }, clientV + id},
		"a key in its place":      {secret("not a key"), "APPLE_BUSINESS_PRIVATE_KEY: it is no private key in PEM" + key},
		"an RSA key":              {secret(inPEM(t, "PRIVATE KEY", rsaKey, x509.MarshalPKCS8PrivateKey)), "APPLE_BUSINESS_PRIVATE_KEY: it holds a key that is not of the curve P-256, as those of API accounts are" + key},
		"another curve":           {secret(inPEM(t, "PRIVATE KEY", p384, x509.MarshalPKCS8PrivateKey)), "APPLE_BUSINESS_PRIVATE_KEY: it holds a key of another curve than P-256" + key},
		"label PRIVATE KEY":       {secret(strings.ReplaceAll(client.PrivateKey, "EC PRIVATE KEY", "PRIVATE KEY")), ""},
		"API over http":           {func(c *apple.Config) { c.BaseURL = "http://api.example" }, "APPLE_BUSINESS_BASE_URL: does not begin with https://" + api},
		"API with a query":        {func(c *apple.Config) { c.BaseURL = "https://api.example?x=1" }, "APPLE_BUSINESS_BASE_URL: has a query or a fragment" + api},
		"API with its version":    {func(c *apple.Config) { c.BaseURL = "https://api.example/v1/" }, ""},
		"API of the other":        {func(c *apple.Config) { c.BaseURL = "https://api-school.apple.com/v1" }, "APPLE_BUSINESS_BASE_URL: api-school.apple.com is not the API of Apple Business, to which the client ID belongs; accepted: https://api-business.apple.com"},
		"token over http":         {func(c *apple.Config) { c.TokenURL = "http://account.example/token" }, "APPLE_BUSINESS_TOKEN_URL: does not begin with https://" + token},
		"token without a host":    {func(c *apple.Config) { c.TokenURL = "https:///token" }, "APPLE_BUSINESS_TOKEN_URL: has no host" + token},
		"token with a user in it": {func(c *apple.Config) { c.TokenURL = "https://a:b@account.example/token" }, "APPLE_BUSINESS_TOKEN_URL: holds a user name or password" + token},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := apple.Config{
				ClientID: client.ID, KeyID: client.KeyID, PrivateKey: config.NewSecret([]byte(client.PrivateKey)),
				TokenURL: "https://account.apple.com/auth/oauth2/token", Timeout: 10,
			}
			row.change(&c)
			got := ""
			if problems := c.Problems(); len(problems) > 0 {
				got = problems.Error()
			}
			if got != row.want {
				t.Errorf("Problems = %s\nwant %s", got, row.want)
			}
			if _, err := apple.New(c); (err != nil) != (row.want != "") {
				t.Errorf("New = %v", err)
			}
		})
	}
}

// TestHosts: the client ID decides which API is asked; no output shows a key or a token.
func TestHosts(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"BUSINESSAPI.": "https://api-business.apple.com", "SCHOOLAPI.": "https://api-school.apple.com"} {
		client, err := appletest.NewClient(prefix)
		if err != nil {
			t.Fatal(err)
		}
		p := opened(t, apple.Config{
			ClientID: client.ID, KeyID: client.KeyID, PrivateKey: config.NewSecret([]byte(client.PrivateKey)),
			TokenURL: "https://account.apple.com/auth/oauth2/token", Timeout: 10,
		})
		if got := p.Server(); got != want {
			t.Errorf("%s… asks %s, want %s", prefix, got, want)
		}
		if text := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(text, client.KeyID) || strings.Contains(text, "PRIVATE") {
			t.Errorf("the provider shows itself as %s", text)
		}
	}
}

// TestUnmanaged: without a policy file no device would pass, unless the variable says that to be owned is enough.
func TestUnmanaged(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{})
	c := withoutPolicy(configOf(server))
	const want = "APPLE_BUSINESS_ALLOW_UNMANAGED: is 0, and Apple never says that a device is managed, so that none would pass; accepted: " +
		"1: owned is enough; or a policy file (POLICY_PATH) that has this inventory in also_in beside an MDM"
	if _, _, err := apple.Open(c); err == nil || err.Error() != want {
		t.Errorf("Open = %v, want %s", err, want)
	}
	c.AllowUnmanaged = true
	if _, warnings, err := apple.Open(c); err != nil || len(warnings) > 0 || !c.Requirements().AllowUnmanaged {
		t.Errorf("Open = %q, %v, want no error", warnings, err)
	}
	if p, _, err := apple.Open(configOf(server)); err != nil || p == nil {
		t.Errorf("with a policy file, Open = %v", err)
	}
	if c.Facts().Has(posture.MustFacts("device.managed")) {
		t.Error("Facts has device.managed")
	}
}

// TestKeyFile: a key has several lines, in the file that the variable with _FILE names and in the variable itself.
func TestKeyFile(t *testing.T) {
	t.Parallel()
	client, err := appletest.NewClient("BUSINESSAPI.")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	for name, text := range map[string]string{
		"as Apple gives it out": client.PrivateKey,
		"with Windows' lines":   strings.ReplaceAll(client.PrivateKey, "\n", "\r\n"),
		"without the last one":  strings.TrimSpace(client.PrivateKey),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for variable, value := range map[string]string{"APPLE_BUSINESS_PRIVATE_KEY_FILE": path, "APPLE_BUSINESS_PRIVATE_KEY": text} {
			var c apple.Config
			problems := config.Parse(map[string]string{
				"APPLE_BUSINESS_CLIENT_ID": client.ID, "APPLE_BUSINESS_KEY_ID": client.KeyID, variable: value,
			}, &c)
			if problems = append(problems, c.Problems()...); len(problems) > 0 {
				t.Errorf("%s, in %s: %v", name, variable, problems)
			}
			opened(t, c)
		}
	}
	var c apple.Config
	const want = "APPLE_BUSINESS_PRIVATE_KEY: the value is the path of a file, which belongs in the variable with _FILE; accepted: a private key of P-256 in PEM"
	problems := config.Parse(map[string]string{
		"APPLE_BUSINESS_CLIENT_ID": client.ID, "APPLE_BUSINESS_KEY_ID": client.KeyID, "APPLE_BUSINESS_PRIVATE_KEY": path,
	}, &c)
	if len(problems) != 1 || problems[0].Error() != want {
		t.Errorf("the path in place of the key: %v, want %s", problems, want)
	}
}
