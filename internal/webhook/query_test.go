package webhook_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// A query is accepted only if it can be read in one way and has each parameter of the webhook once; neither the answer nor the
// log repeats a value.
func TestQueries(t *testing.T) {
	t.Parallel()
	const secret = "Hidden7"
	form, template := "not of the form name=value", "| urlquery"
	for query, want := range map[string]struct {
		identifier, reason string
	}{
		"?email=ada%40example.com&group=db":             {"ada@example.com", ""},
		"?group=db&email=ada@example.com":               {"ada@example.com", ""},
		"?group=db&email=Ada+Byron":                     {"Ada Byron", ""},
		"?group=a%26email%3Droot&email=ada":             {"ada", ""}, // what urlquery makes of a claim with & and =
		"?%65mail=ada&group=db":                         {"ada", ""},
		"?email=%C3%A4da&group=db":                      {"äda", ""},
		"":                                              {"", "no parameter email"},
		"?":                                             {"", "no parameter email"},
		"?email=ada":                                    {"", "no parameter group"},
		"?group=db":                                     {"", "no parameter email"},
		"?email=&group=Hidden7":                         {"", `parameter "email" without a value`},
		"?email=Hidden7&email=Hidden7&group=db":         {"", `parameter "email" more than once`},
		"?email=ada&email=Hidden7&group=db":             {"", `parameter "email" more than once`},
		"?email=ada&%65mail=Hidden7&group=db":           {"", `parameter "email" more than once`},
		"?email=ada&group=db&admin=Hidden7":             {"", `parameter "admin", which params`},
		"?email=ada&group=db&mode=computer":             {"", `parameter "mode", which params`},
		"?Email=Hidden7&group=db":                       {"", `parameter "Email", which params`},
		"?email=ada&group=db&%0Aroot=Hidden7":           {"", `parameter "?root", which params`},
		"?email=ada&group=db&=Hidden7":                  {"", `parameter "", which params`},
		"?email=%3Cno+value%3E&group=db":                {"", "<no value>"},
		"?email=<no%20value>&group=db":                  {"", "<no value>"},
		"?email=Hidden7%3Cno%20value%3E&group=db":       {"", "<no value>"},
		"?email=Hidden7%00&group=db":                    {"", "control character"},
		"?email=Hidden7%0A&group=db":                    {"", "control character"},
		"?email=Hidden7%7F&group=db":                    {"", "control character"},
		"?email=Hidden7%C2%85&group=db":                 {"", "control character"},
		"?email=Hidden7%FF&group=db":                    {"", "not UTF-8"},
		"?email=Hidden7;group=db":                       {"", form},
		"?email=ada&group=Hidden7;x":                    {"", template},
		"?email=Hidden7%&group=db":                      {"", "an escape that is none"},
		"?email=Hidden7%4&group=db":                     {"", "an escape that is none"},
		"?email=Hidden7%zz&group=db":                    {"", "an escape that is none"},
		"?email%zz=Hidden7&group=db":                    {"", "an escape that is none"},
		"?Hidden7&group=db":                             {"", form},
		"?email=ada&group=db&":                          {"", form},
		"?&email=ada&group=db":                          {"", form},
		"?email=ada&&group=db":                          {"", form},
		"?email=a=Hidden7&group=db":                     {"", form},
		"?email=%20ada&group=db":                        {"", "identify of the webhook gives no identifier: it begins or ends with a space"},
		"?email=%E2%80%AEada&group=db":                  {"", "identify of the webhook gives no identifier: it has"},
		"?group=db&email=" + strings.Repeat("a", 513):   {"", "longer than 512 bytes"},
		"?group=db&email=" + strings.Repeat("a", 512):   {strings.Repeat("a", 512), ""},
		"?email=ada&group=db&email[]=Hidden7":           {"", `parameter "email[]", which params`},
		"?email=ada&group=db#email=Hidden7":             {"", form},
		"?email=ada%26group%3Ddb":                       {"", "no parameter group"},
		"?email=ada&group=%26%23%59%3d":                 {"ada", ""},
		"?email=ada&group=" + strings.Repeat("g", 8000): {"ada", ""},
	} {
		for name, path := range map[string]string{"k8ssa-x509-enriching": webhook.CertificatePath, "k8ssa-sshuser-authorizing": webhook.SSHPath} {
			s := readSample(t, name)
			c := caller{accepts: acceptsOf(name), identify: "request.url.email", params: []string{"email", "group"}}
			d := newDoor(c.hookFor(t), true).at(timeOf(t, s.body))
			w := d.ask(path+query, s.body)
			got, code := d.allowed(w)
			wantCode := map[bool]string{true: "", false: "requestUnexpected"}[want.reason == ""]
			if strings.HasPrefix(want.reason, "identify") || strings.HasPrefix(want.reason, "longer") {
				wantCode = "identifierMissing"
			}
			if got != want.identifier || code != wantCode || !strings.Contains(d.last.Reason, want.reason) {
				t.Errorf("%.60s: got %q, code %q with reason %q, want %q, %q and %q", query, got, code, d.last.Reason, want.identifier, wantCode, want.reason)
			}
			if told := w.Body.String() + d.last.Reason + d.last.Remedy + d.last.Path; strings.Contains(told, secret) {
				t.Errorf("%s: a value is told: %s", query, told)
			}
		}
	}
}

// The mode is a parameter like others: where it is listed, it chooses the kind of devices.
func TestModeAsParameter(t *testing.T) {
	t.Parallel()
	s := readSample(t, "k8ssa-x509-enriching")
	for query, want := range map[string]string{
		"?name=x&mode=computer": "", "?name=x&mode=any": "", "?mode=mobiledevice&name=x": "",
		"?name=x&mode=laptop": "modeUnsupported", "?name=x&mode=": "requestUnexpected", "?name=x": "requestUnexpected",
		"?name=x&mode=any&mode=any": "requestUnexpected", "?name=x&type=any": "requestUnexpected",
	} {
		c := caller{accepts: posture.X509, identify: "request.url.name", params: []string{"name", "mode"}}
		hook := c.hookFor(t)
		asked := posture.DeviceType("not asked")
		hook.Gate = gateOf(inventory(func(ctx context.Context, q posture.Query) (posture.Device, error) {
			asked = q.Type
			return allowing()(ctx, q)
		}))
		d := newDoor(hook, true).at(timeOf(t, s.body))
		_, code := d.allowed(d.ask(webhook.CertificatePath+query, s.body))
		if code != want {
			t.Errorf("%s: got code %q (%s), want %q", query, code, d.last.Reason, want)
		}
		if want == "" && !strings.Contains(query, "mode="+string(asked)) || want != "" && asked != "not asked" {
			t.Errorf("%s: the inventory was asked for %q", query, asked)
		}
	}
}

// A request that is wrong in every respect is refused for the first one in the order of the specification; with that one
// corrected, for the next.
func TestOrderOfRefusals(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"k8ssa-x509-enriching": webhook.CertificatePath, "k8ssa-sshhost-enriching": webhook.SSHPath} {
		s := readSample(t, name)
		c := caller{accepts: acceptsOf(name), identify: "request.url.name", params: []string{"name"}}
		hook := c.hookFor(t)
		hook.Gate = gateOf(answering(posture.Device{}, posture.ErrNotFound))
		stranger := c
		stranger.accepts, stranger.identify = posture.SCEPChallenge, ""
		elsewhere, never := stranger.hookFor(t), timeOf(t, s.body).AddDate(1, 0, 0)
		attested := readSample(t, "acme-da-x509-enriching").body
		now, large := timeOf(t, s.body), bytes.Repeat([]byte(" "), webhook.MaxBody+1)
		broken, query := []byte(`{"timestamp":7}`), path+"?name="
		for _, step := range []struct {
			want, method, target string
			hook                 webhook.Hook
			expired, signed      bool
			body                 []byte
		}{
			{"notFound", http.MethodGet, "/webhook/unknown?name=", elsewhere, true, false, large},
			{"methodNotAllowed", http.MethodGet, query, elsewhere, true, false, large},
			{"tooLarge", http.MethodPost, query, elsewhere, true, false, large},
			{"unauthenticated", http.MethodPost, query, elsewhere, true, false, broken},
			{"malformed", http.MethodPost, query, elsewhere, true, true, broken},
			{"requestExpired", http.MethodPost, query, elsewhere, true, true, attested},
			{"requestUnexpected: the webhook accepts", http.MethodPost, query, elsewhere, false, true, attested},
			{"requestUnexpected: the body has attestationData", http.MethodPost, query, hook, false, true, attested},
			{"requestUnexpected: the query", http.MethodPost, query, hook, false, true, s.body},
			{"identifierMissing", http.MethodPost, path + "?name=%20x", hook, false, true, s.body},
			{"deviceNotFound", http.MethodPost, path + "?name=x", hook, false, true, s.body},
		} {
			d := newDoor(step.hook, true).at(now)
			if bytes.Equal(step.body, attested) {
				d.at(timeOf(t, attested))
			}
			if step.expired {
				d.at(never)
			}
			header := signed(step.hook, step.body)
			if !step.signed {
				header = signed(step.hook, []byte("other"))
			}
			d.send(step.method, step.target, header, step.body)
			if got := d.last.Code + ": " + d.last.Reason; !strings.HasPrefix(got, step.want) {
				t.Errorf("at %s: got %s, want %s", path, got, step.want)
			}
		}
	}
}
