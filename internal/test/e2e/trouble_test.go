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

// symptom is what shows where something is wrong, by the words after the three
// marks of a block in docs/troubleshooting.md: what the device is told, what
// step-ca logs, what the connector logs or prints, and what /readyz says.
type symptom map[string]func() string

// TestTroubleshooting plays every entry of docs/troubleshooting.md: each line that
// is quoted there shows, but for what stands as an ellipsis.
func TestTroubleshooting(t *testing.T) {
	l := newLab(t)
	page, err := os.ReadFile(filepath.Join(l.programs.Repository(), "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]func(*testing.T, *lab) symptom{
		"Not in the inventory":                                   playUnknown,
		"The CA cannot reach the connector":                      playDown,
		"The CA does not trust the connector's certificate":      playUntrusted,
		"The connector does not accept the CA's certificate":     playWrongName,
		"The signature is wrong":                                 playWrongSecret,
		"The webhook's URL is wrong":                             playWrongURL,
		"The common name is another one":                         playOtherName,
		"The template refuses":                                   playTemplate,
		"The inventory does not answer":                          playNoAnswer,
		"The certificate was renewed, and the old one is served": playBrokenPair,
		"A device was added, and is refused":                     playBrokenInventory,
		"Decisions are missing in the audit log":                 playFullDisk,
		"It does not start":                                      playNoStart,
		"Its port is taken":                                      playPortTaken,
		"Jamf Pro refuses the API client":                        playWrongClient,
	}
	sections := regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(string(page), -1)
	for _, section := range sections {
		// One without a quotation is a table of codes, which tests of the codes hold.
		if entries[section[1]] == nil && strings.Contains(entryOf(string(page), section[1]), "```") {
			t.Errorf("%q is in the document, and nobody plays it", section[1])
		}
	}
	for title, play := range entries {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			text := entryOf(string(page), title)
			if text == "" {
				t.Fatal("it is not in the document")
			}
			expectQuotes(t, text, play(t, l))
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
		t.Error("it quotes nothing")
	}
	for _, block := range blocks {
		source := shown[block[1]]
		if source == nil {
			t.Errorf("a block is marked %q, which is none of what shows", block[1])
			continue
		}
		for line := range strings.Lines(block[2]) {
			parts := strings.Split(strings.TrimSpace(line), "…")
			for i, part := range parts {
				parts[i] = regexp.QuoteMeta(part)
			}
			form := regexp.MustCompile("(?m)" + strings.Join(parts, ".*"))
			// A log may come a moment after the answer.
			deadline := time.Now().Add(answerTimeout)
			for !form.MatchString(source()) && time.Now().Before(deadline) {
				time.Sleep(20 * time.Millisecond)
			}
			if !form.MatchString(source()) {
				t.Errorf("%s says nothing like\n%sbut\n%s", block[1], line, source())
			}
		}
	}
}

// told is what a device is shown of an error.
func told(err error) func() string {
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

// afterOrder is what shows when an order was finalized behind a gate.
func (l *lab) afterOrder(t *testing.T, g *gate.Gate, order *device.Order) symptom {
	t.Helper()
	cert, err := finalize(t, order)
	if cert != nil {
		err = nil
	}
	return symptom{
		"device": told(err), "step-ca": l.ca.Log, "connector": g.Connector().Log,
		"readyz": func() string {
			_, text, err := g.Connector().Health(context.WithoutCancel(t.Context()), "/readyz")
			return text + fmt.Sprint(err)
		},
	}
}

func playUnknown(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), unknownSerial))
}

func playDown(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, g, order)
}

func playUntrusted(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{DisableTLSClientAuth: true})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func playWrongName(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{MutualTLS: true, AllowedNames: "ca.example.com"})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func playWrongSecret(t *testing.T, l *lab) symptom {
	other := strings.Repeat("Q", 43) + "="
	g := l.open(t, gate.Config{More: []string{"WEBHOOK_SECRETS=" + other}})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func playWrongURL(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	webhook := stepca.Webhook{Name: gate.WebhookName, URL: g.URL() + "/"}
	if err := l.ca.MoveWebhook(t.Context(), provisionerName(t), webhook); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func playOtherName(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	_, err := l.order(t, g.DirectoryURL(), knownSerial).FinalizeAs(t.Context(), strings.ToLower(knownSerial))
	return symptom{"device": told(err)}
}

func playTemplate(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Inventory: `{"devices": [{"identifier": "C02E2EKNOWN1", "data": {"Department": "Design"}}]}`, InventoryType: "json"})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	_, _ = finalize(t, order)
	if err := g.RemoveWebhook(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, g, order)
}

func playNoAnswer(t *testing.T, l *lab) symptom {
	s := l.openJamf(t, connector.Jamf{Enrich: true}, gate.Config{Health: true, Modes: []string{"any"}})
	order := s.order(t, "any", memberMac)
	if err := s.server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.afterOrder(t, s.gate, order)
}

func playBrokenPair(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Health: true})
	writeFile(t, g.Certificate(), "-----BEGIN CERTIFICATE-----\n")
	expectLog(t, g.Connector(), "reload failed")
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

func playBrokenInventory(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Health: true, Inventory: csvInventory, InventoryType: "csv"})
	setInventory(t, g, csvInventory+"C02E2ENOBODY,Design\n", "reload failed")
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), unknownSerial))
}

func playFullDisk(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{Health: true, More: []string{"AUDIT_LOG_PATH=/dev/full"}})
	return l.afterOrder(t, g, l.order(t, g.DirectoryURL(), knownSerial))
}

// printed is what a command of the connector prints that cannot do its work.
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

func playNoStart(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	return printed(t, g, []string{"PORT=https", "TLS_CERT_PATH=none.crt", "WEBHOOK_SECRET=x", "WEBHOOK_SECRETS="}, "serve")
}

func playPortTaken(t *testing.T, l *lab) symptom {
	g := l.open(t, gate.Config{})
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	both := printed(t, g, nil, "serve") // its own port, which the running one has
	free, err := process.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	health := printed(t, g, []string{fmt.Sprintf("PORT=%d", free), "HEALTH_ADDRESS=" + taken.Addr().String()}, "serve")
	return symptom{"connector": func() string { return both["connector"]() + health["connector"]() }}
}

func playWrongClient(t *testing.T, l *lab) symptom {
	s := l.openJamf(t, connector.Jamf{}, gate.Config{Modes: []string{"any"}})
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, "another")
	return printed(t, s.gate, []string{"JAMF_CLIENT_SECRET_FILE=" + secret}, "check")
}
