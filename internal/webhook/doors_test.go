package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// caller is a webhook as a policy file would have it for a recorded request.
type caller struct {
	accepts     posture.Accepts
	provisioner string
	identify    string
	params      []string
	query       string // with its question mark
}

// samples are the names of all recorded requests.
func samples(tb testing.TB) (names []string) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "samples", "*.meta.json"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".meta.json"))
	}
	const recordings = 83
	if len(names) != recordings {
		tb.Fatalf("there are %d recorded requests, want %d", len(names), recordings)
	}
	return names
}

// acceptsOf is what a webhook must accept for a recorded request.
func acceptsOf(name string) posture.Accepts {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(name, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("-scepchallenge"):
		return posture.SCEPChallenge
	case has("-notifying"):
		return posture.SCEPNotification
	case has("identity-3", "identity-4"):
		return posture.X509
	case has("sshuser"):
		return posture.SSHUser
	case has("sshhost"):
		return posture.SSHHost
	case has("acme-") && !has("http01", "dns01", "acme-ip"):
		return posture.Attested
	default:
		return posture.X509
	}
}

// callerOf is the webhook that accepts a recorded request, with the best identity that its provisioner has.
func callerOf(name string) caller {
	prefix, _, _ := strings.Cut(name, "-")
	c := caller{accepts: acceptsOf(name)}
	if c.accepts != posture.X509 && c.accepts != posture.SSHUser && c.accepts != posture.SSHHost {
		return c
	}
	names := "request.csr.common_name"
	if strings.HasSuffix(name, "-authorizing") {
		names = "request.certificate.common_name"
	}
	switch prefix {
	case "aws", "gcp", "azure", "x5c":
		c.provisioner, c.identify = map[string]string{"aws": "AWS", "gcp": "GCP", "azure": "Azure", "x5c": "X5C"}[prefix], "request.principal"
		if strings.Contains(name, "nocn") {
			c.identify = "request.x5c.dns_names[0]"
		}
	case "oidc":
		c.provisioner, c.identify, c.params, c.query = "OIDC", "request.url.email", []string{"email"}, "?email=ada%40example.com"
	case "k8ssa":
		c.provisioner, c.identify = "K8sSA", `request.url.namespace + "/" + request.url.name`
		c.params, c.query = []string{"namespace", "name"}, "?namespace=default&name=web"
	case "nebula", "acme":
		c.provisioner, c.identify = map[string]string{"nebula": "Nebula", "acme": "ACME"}[prefix], "request.url.name"
		c.params, c.query = []string{"name"}, "?name=web.prov.test"
	case "jwk":
		c.provisioner, c.identify = "JWK", names
		if c.accepts != posture.X509 {
			c.identify = "request.ssh.key_id"
		}
	default:
		c.provisioner, c.identify = "SCEP", names
	}
	return c
}

// pathFor is the path of the specification.
func pathFor(a posture.Accepts) string {
	return map[posture.Accepts]string{
		posture.Attested: "/webhook/device-attest", posture.X509: "/webhook/certificate", posture.SSHUser: "/webhook/ssh", posture.SSHHost: "/webhook/ssh",
		posture.SCEPChallenge: "/webhook/scep-challenge", posture.SCEPNotification: "/webhook/scep-notification", posture.RADIUS: "/webhook/radius",
	}[a]
}

// identifyBy compiles an expression as a policy file's reader does.
func identifyBy(tb testing.TB, expression string, params []string) webhook.Identify {
	tb.Helper()
	text, err := json.Marshal(expression)
	if err != nil {
		tb.Fatal(err)
	}
	d, v, err := document.Parse("identify", text, &document.Shape{Type: document.Text})
	if err != nil {
		tb.Fatal(err)
	}
	identify := policy.ReadIdentify(v, params)
	if faults := d.Faults(); identify == nil || len(faults) > 0 {
		tb.Fatalf("%s: %v", expression, faults)
	}
	return identify.Identifier
}

// allowing is an inventory that knows everybody.
func allowing() inventory {
	return func(_ context.Context, q posture.Query) (posture.Device, error) {
		return posture.Device{Identifier: q.Identifier.String(), Facts: posture.Facts{Managed: posture.Known(true)}}, nil
	}
}

// hookFor makes the webhook, with the ID and secret of the test.
func (c caller) hookFor(tb testing.TB) webhook.Hook {
	tb.Helper()
	hook := testHook()
	hook.Name, hook.Accepts, hook.ProvisionerType, hook.Params, hook.Whole = "caller", []posture.Accepts{c.accepts}, c.provisioner, c.params, true
	if c.identify != "" {
		hook.Identify = map[posture.Accepts]webhook.Identify{c.accepts: identifyBy(tb, c.identify, c.params)}
	}
	if c.accepts != posture.SCEPNotification {
		hook.Gate = gateOf(allowing())
		hook.Gate.Record = true
	}
	return hook
}

// door is a handler without a listener, of which the last event is known. It is not safe for concurrent use.
type door struct {
	handler *webhook.Handler
	hook    webhook.Hook
	last    *audit.Event
}

func newDoor(hook webhook.Hook, policyFile bool) *door {
	d := &door{hook: hook}
	d.handler = &webhook.Handler{Tolerance: 30 * time.Second, Now: recorded, Record: func(e *audit.Event) { d.last = e }}
	d.handler.Use(webhook.NewHooks([]webhook.Hook{hook}, policyFile))
	return d
}

// at lets a door believe that it is the time at which a request was recorded.
func (d *door) at(now time.Time) *door {
	d.handler.Now = func() time.Time { return now }
	return d
}

// ask posts a signed body.
func (d *door) ask(target string, body []byte) *httptest.ResponseRecorder {
	return d.send(http.MethodPost, target, signed(d.hook, body), body)
}

func (d *door) send(method, target string, header http.Header, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, target, bytes.NewReader(body))
	r.ProtoMajor, r.ProtoMinor = 2, 0 // net/http itself bounds the time for a body there
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// allowed is the identifier of the last request if it was allowed, and its code if not.
func (d *door) allowed(w *httptest.ResponseRecorder) (identifier, code string) {
	if strings.HasPrefix(w.Body.String(), `{"allow":true`) {
		return d.last.Identifier, ""
	}
	return "", d.last.Code
}
