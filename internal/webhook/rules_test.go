package webhook_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

const (
	ruleCode    = "requestNotFit"
	ruleMessage = `Open "Self Service" and ask for another certificate`
)

// rulesOf are hooks whose gate has a rule for each condition. The inventory takes a query without a mode for a mobile device.
func rulesOf(t *testing.T, hook webhook.Hook, conditions ...string) *webhook.Hooks {
	t.Helper()
	scope, err := policy.NewScope("devices")
	if err != nil {
		t.Fatal(err)
	}
	p := &policy.Policy{Name: "staff", Inventories: []string{"devices"}}
	for i, text := range conditions {
		condition, faults := scope.CompileCondition(text)
		if faults != nil {
			t.Fatalf("%s: %v", text, faults)
		}
		p.Rules = append(p.Rules, &policy.Rule{Name: fmt.Sprintf("rule_%d", i), Require: condition, Code: ruleCode, Message: ruleMessage})
	}
	hook.Name = "staff_devices"
	hook.Gate = &posture.Gate{
		Join: posture.Join{Inventories: []posture.Source{{
			Name: "devices", Kind: "test", DefaultType: posture.MobileDevice,
			Provider: inventory(func(_ context.Context, q posture.Query) (posture.Device, error) {
				return posture.Device{Identifier: q.Identifier.String(), Facts: posture.Facts{Managed: posture.Known(true)}}, nil
			}),
		}}},
		Policy: p.Authority(nil),
	}
	return webhook.NewHooks([]webhook.Hook{hook}, true)
}

// asked is a request with what rules must see of it.
type asked struct {
	hook       webhook.Hook
	header     http.Header
	body       []byte
	query      string
	conditions []string
}

// ofSample is a recorded request, which has no name of the provisioner.
func ofSample(t *testing.T, name, query string, conditions ...string) asked {
	t.Helper()
	s := readSample(t, name)
	return asked{s.hook(t), s.headers(), s.body, query, append(conditions, `!has(request.provisioner)`)}
}

// ofKey is a request that the test signs, about a key.
func ofKey(t *testing.T, authorizing bool, key crypto.Signer, conditions ...string) asked {
	t.Helper()
	object := ""
	if authorizing {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		object = fmt.Sprintf(`"x509Certificate":{"subject":{"commonName":%q},"sans":[{"type":"dns","value":"mac.example.com"}],"publicKey":%q}`,
			wanted, base64.StdEncoding.EncodeToString(der))
		conditions = append(conditions, `request.kind == "authorizing"`)
	} else {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: wanted}, DNSNames: []string{"mac.example.com"}}, key)
		if err != nil {
			t.Fatal(err)
		}
		object = fmt.Sprintf(`"x509CertificateRequest":{"raw":%q}`, base64.StdEncoding.EncodeToString(der))
		conditions = append(conditions, `request.kind == "enriching"`)
	}
	body := []byte(`{` + stamp + `,"provisionerName":"acme devices",` + data + `,` + object + `}`)
	conditions = append(conditions, `request.names == ["C02HARNESS01", "mac.example.com"]`, `request.provisioner == "acme devices"`, `request.mode == "mobiledevice"`)
	return asked{testHook(), signed(testHook(), body), body, "", conditions}
}

// Rules see the request as it is, for each kind of webhook, key and mode. Each condition is met, and its opposite refuses with the
// rule's own code and message.
func TestRulesSeeTheRequest(t *testing.T) {
	t.Parallel()
	onRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	onP384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, onEd25519, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const p256, isRSA, isP384, isEd25519 = `request.key_type == "EC" && request.key_bits == 256`, `request.key_type == "RSA" && request.key_bits == 2048`,
		`request.key_type == "EC" && request.key_bits == 384`, `request.key_type == "OKP" && request.key_bits == 256`
	const enriching, authorizing = `request.kind == "enriching"`, `request.kind == "authorizing"`
	for name, test := range map[string]asked{
		"recorded, enriching": ofSample(t, "acme-da-x509-enriching", "?mode=computer", enriching, p256,
			`request.names == ["C02HARNESS01"]`, `request.mode == "computer"`),
		"recorded, authorizing": ofSample(t, "acme-da-x509-authorizing", "?type=any", authorizing, p256,
			`request.names == ["C02HARNESS01", "lab@example.com"]`, `request.mode == "any"`),
		"more in the CSR, enriching": ofSample(t, "acme-apple-extras-x509-enriching", "", enriching, p256,
			`request.names == ["C02HARNESS01", "spoofed.example.net", "ceo@example.com"]`, `request.mode == "mobiledevice"`),
		"more in the CSR, authorizing": ofSample(t, "acme-apple-extras-x509-authorizing", "", authorizing, p256,
			`request.names.all(n, sameIdentifier(n, request.identifier))`, `request.mode == "mobiledevice"`),
		"RSA, enriching":       ofKey(t, false, onRSA, isRSA),
		"RSA, authorizing":     ofKey(t, true, onRSA, isRSA),
		"P-384, enriching":     ofKey(t, false, onP384, isP384),
		"P-384, authorizing":   ofKey(t, true, onP384, isP384),
		"Ed25519, enriching":   ofKey(t, false, onEd25519, isEd25519),
		"Ed25519, authorizing": ofKey(t, true, onEd25519, isEd25519),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conditions := append(test.conditions, `request.door == "webhook"`, `request.caller == "staff_devices"`, `request.identifier == "C02HARNESS01"`)
			c := startWith(t, rulesOf(t, test.hook, conditions...), func(h *webhook.Handler) { h.Now = func() time.Time { return timeOf(t, test.body) } })
			send := func() reply {
				t.Helper()
				return c.send(t, c.request(t, http.MethodPost, webhook.AttestPath+test.query, test.header, test.body))
			}
			if r := send(); r.text != `{"allow":true,"data":{}}` {
				t.Errorf("got %s, want an allow by %q: %v", r.text, conditions, c.log.event(t))
			}
			refusal := regexp.MustCompile(`^{"allow":false,"error":{"code":"requestNotFit","message":"Open \\"Self Service\\" and ask for another certificate \(ref [0-9A-Z]{8}\)"}}$`)
			for _, condition := range conditions {
				c.handler.Use(rulesOf(t, test.hook, "!("+condition+")"))
				r := send()
				wantRefusal(t, r, http.StatusOK, ruleCode)
				if !refusal.MatchString(r.text) {
					t.Errorf("got %s where %s must not be, want %s", r.text, condition, refusal)
				}
			}
		})
	}
}

func timeOf(t *testing.T, body []byte) time.Time {
	t.Helper()
	var sent struct {
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	return sent.Timestamp
}

// One name that cannot be read makes all unknown: a rule about every name is not met by the others, and neither is its opposite.
func TestRulesDoNotSeeHalfTheNames(t *testing.T) {
	t.Parallel()
	unreadable := base64.StdEncoding.EncodeToString([]byte("\x30\x03\x89\x01x"))
	body := []byte(`{` + stamp + `,` + data + `,"x509Certificate":{"subject":{"commonName":"C02HARNESS01"},"extensions":[{"id":"2.5.29.17","value":"` + unreadable + `"}]}}`)
	for _, condition := range []string{
		`request.names.all(n, n == request.identifier)`, `!request.names.all(n, n == request.identifier)`,
		`"C02HARNESS01" in request.names`, `request.names.size() == 1`, `request.key_bits < 4096`, `request.key_type != "RSA"`,
	} {
		c := startWith(t, rulesOf(t, testHook(), condition), nil)
		wantRefusal(t, c.post(t, signed(testHook(), body), body), http.StatusOK, ruleCode)
		if reason := fmt.Sprint(c.log.event(t)["reason"]); !strings.HasPrefix(reason, "rule rule_0 is unknown: request.") {
			t.Errorf("got reason %q for %s, want the rule to be unknown", reason, condition)
		}
	}
}
