package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// symptom is what a fault shows. The keys are the words after the three backticks of a
// block in docs/troubleshooting.md: the error that the device gets, the logs of step-ca
// and the connector, the output of a command, and /readyz.
type symptom map[string]func() string

// TestTroubleshooting reproduces every entry of docs/troubleshooting.md, and finds each
// line that it quotes; an ellipsis stands for any text.
func TestTroubleshooting(t *testing.T) {
	l := newLab(t)
	if err := l.programs.BuildFakeJamf(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(l.programs.Repository(), "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]func(*testing.T, *lab) symptom{
		"Not in the inventory":                                   reproduceUnknown,
		"The CA cannot reach the connector":                      reproduceDown,
		"The CA does not trust the connector's certificate":      reproduceUntrusted,
		"The connector does not accept the CA's certificate":     reproduceWrongName,
		"The signature is wrong":                                 reproduceWrongSecret,
		"The webhook's URL is wrong":                             reproduceWrongURL,
		"The common name is another one":                         reproduceOtherName,
		"The template refuses":                                   reproduceTemplate,
		"The inventory does not answer":                          reproduceNoAnswer,
		"The certificate was renewed, and the old one is served": reproduceBrokenPair,
		"A device was added, and is refused":                     reproduceBrokenInventory,
		"A rule was changed, and nothing changes":                reproduceBrokenPolicy,
		"Decisions are missing in the audit log":                 reproduceFullDisk,
		"It does not start":                                      reproduceNoStart,
		"Its port is taken":                                      reproducePortTaken,
		"Jamf Pro refuses the API client":                        reproduceWrongClient,
	}
	sections := regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(string(page), -1)
	for _, section := range sections {
		// An entry without a block is a table of codes; other tests compare it.
		if entries[section[1]] == nil && strings.Contains(entryOf(string(page), section[1]), "```") {
			t.Errorf("%q is in the document, and no function reproduces it", section[1])
		}
	}
	for title, reproduce := range entries {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			text := entryOf(string(page), title)
			if text == "" {
				t.Fatal("the document has no such entry")
			}
			expectQuotes(t, text, reproduce(t, l))
		})
	}
}

// entryOf returns what follows a heading of the third level.
func entryOf(page, title string) string {
	_, text, _ := strings.Cut(page, "\n### "+title+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	text, _, _ = strings.Cut(text, "\n### ")
	return text
}

// expectQuotes checks the blocks of an entry.
func expectQuotes(t *testing.T, text string, shown symptom) {
	t.Helper()
	blocks := regexp.MustCompile("(?ms)^```([a-z-]+)\\n(.*?)^```$").FindAllStringSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Error("the entry quotes no line")
	}
	for _, block := range blocks {
		source := shown[block[1]]
		if source == nil {
			t.Errorf("a block is of the kind %q, which the fault does not show", block[1])
			continue
		}
		for line := range strings.Lines(block[2]) {
			parts := strings.Split(strings.TrimSpace(line), "…")
			for i, part := range parts {
				parts[i] = regexp.QuoteMeta(part)
			}
			form := regexp.MustCompile("(?m)" + strings.Join(parts, ".*"))
			// A line may be logged a moment after the answer.
			deadline := time.Now().Add(answerTimeout)
			for !form.MatchString(source()) && time.Now().Before(deadline) {
				time.Sleep(20 * time.Millisecond)
			}
			if !form.MatchString(source()) {
				t.Errorf("%s has no line like\n%sit has\n%s", block[1], line, source())
			}
		}
	}
}

// shownOf is the text of an error that a device gets.
func shownOf(err error) func() string {
	var problem *acme.Error
	if !errors.As(err, &problem) {
		return func() string { return fmt.Sprint(err) }
	}
	text := fmt.Sprintf("%d %s\n%s\n", problem.StatusCode, problem.ProblemType, problem.Detail)
	for _, sub := range problem.Subproblems {
		text += fmt.Sprintf("%s %s\n", sub.Type, sub.Detail)
	}
	return func() string { return text }
}

// afterOrder finalizes an order behind a gate, and returns its symptom.
func (l *lab) afterOrder(t *testing.T, g *gate.Gate, order *device.Order) symptom {
	t.Helper()
	cert, err := finalize(t, order)
	if cert != nil {
		err = nil
	}
	return symptom{
		"device": shownOf(err), "step-ca": l.ca.Log, "connector": g.Connector().Log,
		"readyz": func() string {
			_, text, err := g.Connector().Health(context.WithoutCancel(t.Context()), "/readyz")
			return text + fmt.Sprint(err)
		},
	}
}

func reproduceUnknown(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), unknownSerial))
}

func reproduceDown(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, g, order)
}

func reproduceUntrusted(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{DisableTLSClientAuth: true})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func reproduceWrongName(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{MutualTLS: true, AllowedNames: "ca.example.com"})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func reproduceWrongSecret(t *testing.T, l *lab) symptom {
	other := strings.Repeat("Q", 43) + "="
	g := l.open(t, gate.Config{More: []string{"WEBHOOK_SECRETS=" + other}})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func reproduceWrongURL(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	webhook := stepca.Webhook{Name: gate.WebhookName, URL: g.URL() + "/"}
	if err := l.ca.MoveWebhook(t.Context(), provisionerName(t), webhook); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func reproduceOtherName(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	_, err := l.order(t, g.DirectoryURL(), knownSerial).FinalizeAs(t.Context(), strings.ToLower(knownSerial))
	return symptom{"device": shownOf(err)}
}

func reproduceTemplate(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Inventory: `{"devices": [{"identifier": "C02E2EKNOWN1", "data": {"Department": "Design"}}]}`, InventoryType: "json"})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	_, _ = finalize(t, order)
	if err := g.RemoveWebhook(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, g, order)
}

func reproduceNoAnswer(t *testing.T, l *lab) symptom {
	s := l.openJamf(t, connector.Jamf{Enrich: true}, gate.Config{Health: true, Modes: []string{"any"}})
	order := s.order(t, "any", memberMac)
	if err := s.server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, s.gate, order)
}

func reproduceBrokenPair(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Health: true})
	writeFile(t, g.Certificate(), "-----BEGIN CERTIFICATE-----\n")
	expectLog(t, g.Connector(), "reload failed")
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func reproduceBrokenInventory(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Health: true, Inventory: csvInventory, InventoryType: "csv"})
	setInventory(t, g, csvInventory+"C02E2ENOBODY,Design\n", "reload failed")
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), unknownSerial))
}

func reproduceBrokenPolicy(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Health: true, Modes: []string{"staff"}, Policies: staffPolicy})
	if err := g.SetPolicies(strings.Replace(staffPolicy, "attributes", "attribute", 1)); err != nil {
		t.Fatal(err)
	}
	expectLog(t, g.Connector(), "reload failed")
	return l.afterOrder(t, g, l.order(t, g.DirectoryURLOf("staff"), knownSerial))
}

func reproduceFullDisk(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Health: true, More: []string{"AUDIT_LOG_PATH=/dev/full"}})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

// printed runs a command of the connector that must fail, and returns its output.
func printed(t *testing.T, g *gate.Gate, more []string, args ...string) symptom {
	t.Helper()
	result, err := g.Run(t.Context(), more, args...)
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 1 {
		t.Errorf("exit status %d, want 1", result.Status)
	}
	return symptom{"connector": func() string { return result.Stderr }}
}

func reproduceNoStart(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	return printed(t, g, []string{"PORT=https", "TLS_CERT_PATH=none.crt", "WEBHOOK_SECRET=x", "WEBHOOK_SECRETS="}, "serve")
}

func reproducePortTaken(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	both := printed(t, g, nil, "serve") // on the port of the running one
	free, err := process.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	health := printed(t, g, []string{fmt.Sprintf("PORT=%d", free), "HEALTH_ADDRESS=" + taken.Addr().String()}, "serve")
	return symptom{"connector": func() string { return both["connector"]() + health["connector"]() }}
}

func reproduceWrongClient(t *testing.T, l *lab) symptom {
	s := l.openJamf(t, connector.Jamf{}, gate.Config{Modes: []string{"any"}})
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, "another")
	return printed(t, s.gate, []string{"JAMF_CLIENT_SECRET_FILE=" + secret}, "check")
}
