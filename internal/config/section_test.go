package config_test

import (
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
)

type vendor struct {
	URL     string        `env:"VENDOR_URL,required" accepted:"https://… of the server"`
	Secret  config.Secret `env:"VENDOR_SECRET,required" accepted:"the secret"`
	Path    config.Path   `env:"VENDOR_PATH" accepted:"a path"`
	Enrich  config.Switch `env:"VENDOR_ENRICH" envDefault:"0"`
	Format  string        `env:"VENDOR_FORMAT" envDefault:"csv" choice:"csv,json"`
	Timeout config.Whole  `env:"TIMEOUT" envDefault:"10" range:"1-300"`
}

func parseSection(t *testing.T, content string, change func(*config.Section)) (vendor, document.Faults) {
	t.Helper()
	d, root, err := document.Parse("p.yaml", []byte(content), config.SectionShape[vendor]("VENDOR_", document.Optional("provider", &document.Shape{Type: document.Text})))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"secret": "hunter2\n", "empty": ""} {
		if err := os.WriteFile(folder+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := config.Section{Value: root, Prefix: "VENDOR_", Secrets: &config.SecretReader{Folder: folder, Environ: map[string]string{"TOKEN": "t0ken"}}}
	if change != nil {
		change(&s)
	}
	var v vendor
	config.ParseSection(s, &v)
	v.Path = config.Path(strings.TrimPrefix(string(v.Path), folder+"/"))
	return v, d.Faults()
}

func TestSection(t *testing.T) {
	t.Parallel()
	v, faults := parseSection(t, "provider: vendor\nurl: https://x\nsecret: {file: secret}\npath: secret\nenrich: true\nformat: json\ntimeout: 5\n", nil)
	if len(faults) > 0 || v.URL != "https://x" || string(v.Secret.Reveal()) != "hunter2" || v.Path != "secret" || !bool(v.Enrich) || v.Format != "json" || v.Timeout != 5 {
		t.Errorf("%+v, %v", v, faults)
	}
	v, faults = parseSection(t, "url: https://x\nsecret: {env: TOKEN}\n", nil)
	if len(faults) > 0 || string(v.Secret.Reveal()) != "t0ken" || v.Format != "csv" || v.Timeout != 10 {
		t.Errorf("%+v, %v", v, faults)
	}
	without := func(s *config.Section) { s.Secrets.Skip = true }
	if _, faults = parseSection(t, "url: https://x\nsecret: {file: /does/not/exist}\n", without); len(faults) > 0 {
		t.Errorf("without secrets: %v", faults)
	}
	for content, want := range map[string]string{
		"secret: {env: TOKEN}\n":                                        `p.yaml:1:1: url: it is missing; accepted: https://… of the server`,
		"url: https://x\n":                                              `p.yaml:1:1: secret: it is missing; accepted: {file: PATH} or {env: NAME}`,
		"url: https://x\nsecret: hunter2\n":                             `p.yaml:2:9: secret: a secret does not belong in this file; accepted: {file: PATH} or {env: NAME}`,
		"url: https://x\nsecret: {file: secret, env: TOKEN}\n":          `secret: it has both file and env`,
		"url: https://x\nsecret: {}\n":                                  `secret: it has neither file nor env`,
		"url: https://x\nsecret: {fiel: secret}\n":                      `secret.fiel: unknown key; did you mean file?`,
		"url: https://x\nsecret: {env: TOKN}\n":                         `2:15: secret.env: the environment variable is not set`,
		"url: https://x\nsecret: {file: empty}\n":                       `secret.file: the file `,
		"url: https://x\nsecret: {env: TOKEN}\nenrich: 1\n":             `enrich: it is neither true nor false`,
		"url: https://x\nsecret: {env: TOKEN}\nformat: xml\n":           `format: unknown format; accepted: csv or json`,
		"url: https://x\nsecret: {env: TOKEN}\ntimeout: 301\n":          `timeout: it is out of range; accepted: a whole number from 1 to 300`,
		"url: https://x\nsecret: {env: TOKEN}\ntimeout: '5'\n":          `timeout: it is no whole number`,
		"url: https://x\nsecret: {env: TOKEN}\nvendor_format: csv\n":    `vendor_format: unknown key; did you mean format?`,
		"url: https://x\nsecret: {env: TOKEN}\nsecret_file: x\n":        `secret_file: unknown key; did you mean secret?`,
		"url: https://x\nsecret: {env: TOKEN}\nurl: https://y\n":        `3:1: url: duplicate key`,
		"url: [https://x]\nsecret: {env: TOKEN}\n":                      `url: it is a list; accepted: https://… of the server`,
		"url: \"\"\nsecret: {env: TOKEN}\n":                             `url: it is empty`,
		"url: https://x\nsecret: {env: TOKEN}\npath: \"-----BEGIN \"\n": `path: not a path`,
	} {
		_, faults := parseSection(t, content, nil)
		if text := faults.Error(); !strings.Contains(text, want) {
			t.Errorf("%q:\n got  %s\n want %s", content, text, want)
		} else if strings.Contains(text, "hunter2") || strings.Contains(text, "t0ken") {
			t.Errorf("%q: a secret is shown: %s", content, text)
		}
	}
	_, faults = parseSection(t, "url: https://x\nsecret: {file: hunter2}\n", without)
	if len(faults) > 0 {
		t.Error(faults)
	}
}

// vendorOfTwo is a vendor with two ways to log in.
type vendorOfTwo struct {
	Secret config.Secret `env:"VENDOR_SECRET" accepted:"the secret"`
	Cert   config.Path   `env:"VENDOR_CERT_PATH" accepted:"a path"`
}

// Problems are those that need both fields.
func (v vendorOfTwo) Problems() config.Problems {
	const ways = "either VENDOR_SECRET, which VENDOR_SECRET_FILE may hold, or VENDOR_CERT_PATH"
	switch {
	case v.Secret.IsSet() && v.Cert != "":
		return config.Problems{{Variable: "VENDOR_CERT_PATH", Text: "there is VENDOR_SECRET beside it", Accepted: ways}}
	case !v.Secret.IsSet() && v.Cert == "":
		return config.Problems{{Variable: "VENDOR_SECRET", Text: "is not set", Accepted: ways}}
	}
	return nil
}

// TestSectionAsAWhole: what the section lacks as a whole is reported too, and texts name keys and not variables.
func TestSectionAsAWhole(t *testing.T) {
	t.Parallel()
	const ways = "accepted: either secret, which secret may hold, or cert_path"
	for content, want := range map[string]string{
		"provider: vendor\n":                      "p.yaml:1:1: secret: it is missing; " + ways,
		"cert_path: x\nsecret: {env: TOKEN}\n":    "p.yaml:1:12: cert_path: there is secret beside it; " + ways,
		"provider: vendor\ncert_path: x\n":        "",
		"provider: vendor\nsecret: {env: TOKN}\n": "p.yaml:2:15: secret.env: the environment variable is not set; accepted: the name of a variable that is set",
	} {
		d, root, err := document.Parse("p.yaml", []byte(content), config.SectionShape[vendorOfTwo]("VENDOR_", document.Optional("provider", &document.Shape{Type: document.Text})))
		if err != nil {
			t.Fatal(err)
		}
		var v vendorOfTwo
		s := config.Section{Value: root, Prefix: "VENDOR_", Secrets: &config.SecretReader{Folder: t.TempDir(), Environ: map[string]string{"TOKEN": "t0ken"}}}
		_, ok := config.ParseSection(s, &v)
		if got := d.Faults(); ok != (want == "") || want != got.Error() {
			t.Errorf("%q: %v\n got  %v\n want %s", content, ok, got, want)
		}
	}
}
