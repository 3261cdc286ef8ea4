package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/config"
)

type exported struct {
	Name   string
	Secret config.Secret
	List   []config.Secret
	Map    map[string]config.Secret
	Ptr    *config.Secret
	Any    any
}

type unexported struct {
	name   string
	secret config.Secret
	list   []config.Secret
	byName map[string]config.Secret
	ptr    *config.Secret
	any    any
	inner  struct{ secret config.Secret }
}

// holders are values that contain a secret.
func holders(s config.Secret, all config.Config) map[string]any {
	list, byName := []config.Secret{s}, map[string]config.Secret{"a": s}
	hidden := unexported{"n", s, list, byName, &s, s, struct{ secret config.Secret }{s}}
	return map[string]any{
		"itself":               s,
		"pointer":              &s,
		"pointer to pointer":   func() any { p := &s; return &p }(),
		"slice":                list,
		"array":                [1]config.Secret{s},
		"map":                  byName,
		"exported fields":      exported{"n", s, list, byName, &s, s},
		"pointer to exported":  &exported{"n", s, list, byName, &s, s},
		"unexported fields":    hidden,
		"pointer to hidden":    &hidden,
		"slice of hidden":      []unexported{hidden},
		"the list of secrets":  all.WebhookSecrets,
		"its elements":         all.WebhookSecrets.List(),
		"the configuration":    all,
		"pointer to the whole": &all,
		"an error":             fmt.Errorf("with %v, %w", s, errors.New(fmt.Sprint(s))),
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	const bare = "Tr0ub4dor&3-correct-horse-battery"
	all, problems := config.Load(environ(map[string]string{"WEBHOOK_SECRETS": base64.StdEncoding.EncodeToString([]byte(bare))}))
	wantLines(t, "problems", lines(problems), nil)
	for name, holder := range holders(config.NewSecret([]byte(bare)), all) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown := printed(holder)
			for _, how := range slices.Sorted(maps.Keys(shown)) {
				for form, part := range formsOf(bare) {
					if strings.Contains(shown[how], part) {
						t.Fatalf("%s shows the secret (%s): %s", how, form, shown[how])
					}
				}
			}
		})
	}
}

// printed formats and encodes value in the usual ways.
func printed(value any) map[string]string {
	shown := map[string]string{}
	for _, flags := range []string{"", "+", "#", "0", "-", " ", "100", ".5", "+#"} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspwz" {
			format := "%" + flags + string(verb)
			shown[format] = fmt.Sprintf(format, value)
		}
	}
	shown["Sprintln"] = fmt.Sprintln(value)
	if text, err := json.Marshal(value); err == nil {
		shown["json"] = string(text)
	}
	if text, err := xml.Marshal(value); err == nil {
		shown["xml"] = string(text)
	}
	for name, formatter := range map[string]logrus.Formatter{"logrus text": &logrus.TextFormatter{}, "logrus JSON": &logrus.JSONFormatter{}} {
		var out bytes.Buffer
		log := logrus.New()
		log.SetOutput(&out)
		log.SetFormatter(formatter)
		log.WithField("field", value).WithError(fmt.Errorf("about %v", value)).Info("message ", value)
		shown[name] = out.String()
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("message", "field", value)
	shown["slog"] = out.String()
	return shown
}

// formsOf returns the forms in which the bytes could be visible.
func formsOf(bare string) map[string]string {
	return map[string]string{
		"as it is":       bare,
		"its beginning":  bare[:5],
		"decimal bytes":  strings.Trim(fmt.Sprint([]byte(bare[:5])), "[]"),
		"with commas":    strings.ReplaceAll(strings.Trim(fmt.Sprint([]byte(bare[:5])), "[]"), " ", ", "),
		"hexadecimal":    fmt.Sprintf("%x", bare[:5]),
		"HEXADECIMAL":    fmt.Sprintf("%X", bare[:5]),
		"spaced hex":     fmt.Sprintf("% x", bare[:5]),
		"Go syntax":      strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(bare[:5])), "[]byte{"), "}"),
		"standard":       base64.StdEncoding.EncodeToString([]byte(bare))[:8],
		"URL-safe":       base64.URLEncoding.EncodeToString([]byte(bare))[:8],
		"the whole JSON": `"` + bare,
	}
}

func TestSecretIsRedacted(t *testing.T) {
	t.Parallel()
	s := config.NewSecret([]byte("x"))
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for how, got := range map[string]string{"%v": fmt.Sprintf("%v", s), "%d": fmt.Sprintf("%d", s), "JSON": strings.Trim(string(text), `"`)} {
		if got != "(secret)" {
			t.Errorf("%s of a Secret is %q, want %q", how, got, "(secret)")
		}
	}
}

func TestSecretKeepsItsOwnBytes(t *testing.T) {
	t.Parallel()
	given := []byte("abc")
	s := config.NewSecret(given)
	given[0] = 'X'
	if got := string(s.Reveal()); got != "abc" || !s.IsSet() {
		t.Errorf("Reveal() = %q, set %v, want abc, true", got, s.IsSet())
	}
	var zero config.Secret
	if zero.IsSet() || zero.Reveal() != nil || fmt.Sprint(zero) != "(secret)" {
		t.Errorf("the zero Secret is set or has bytes: %q", zero.Reveal())
	}
	if config.NewSecret(nil).IsSet() {
		t.Error("IsSet() of a Secret without bytes = true")
	}
}
