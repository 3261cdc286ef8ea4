package audit_test

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

func line(e audit.Event) string {
	var out bytes.Buffer
	audit.NewLog(&out, false).Write(&e)
	return regexp.MustCompile(`^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^ ]+" `).ReplaceAllString(out.String(), "")
}

func TestEventIsOneLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event audit.Event
		want  string
	}{
		"allow": {
			audit.Event{Reference: "7F3K9Q2M", Allowed: true, Reason: "in the inventory", Identifier: "C02", Provider: "file", ProviderTime: 1500, Status: 200, Duration: 2 * time.Millisecond},
			`level=info msg="[ALLOW] C02" reason="in the inventory" reference=7F3K9Q2M decision=allow identifier=C02 provider=file provider_ms=0.002 duration_ms=2.000 status=200` + "\n",
		},
		"deny": {
			audit.Event{Reference: "7F3K9Q2M", Code: "deviceNotFound", Reason: "no such device", Identifier: "C02", Mode: "computer", Status: 200, WebhookID: "id", Provisioner: "acme-da", RequestID: "r1"},
			`level=info msg="[DENY] C02" code=deviceNotFound reason="no such device" reference=7F3K9Q2M decision=deny identifier=C02 mode=computer duration_ms=0.000 status=200 webhook_id=id provisioner=acme-da request_id=r1` + "\n",
		},
		"no valid request": {
			audit.Event{Reference: "7F3K9Q2M", Code: "notFound", Reason: "unknown path", Status: 404, Method: "GET", RemoteAddress: "[::1]:5", Path: "/a\nlevel=info msg=[ALLOW]"},
			`level=warning msg="[DENY]" code=notFound reason="unknown path" reference=7F3K9Q2M decision=deny duration_ms=0.000 status=404 method=GET path="/a?level=info msg=[ALLOW]" remote_address="[::1]:5"` + "\n",
		},
		"a policy": {
			audit.Event{
				Reference: "7F3K9Q2M", Allowed: true, Reason: "in the inventory", Provider: "jamf", Policy: "staff", Inventory: "jamf_eu", Status: 200,
				Verdict: posture.Verdict{Unmet: []string{"not shown here"}, WouldDeny: []string{"os", "seen"}}, DataUnknown: []string{"vlan", "email"},
			},
			`level=info msg="[ALLOW]" reason="in the inventory" reference=7F3K9Q2M decision=allow provider=jamf policy=staff inventory=jamf_eu would-deny=os,seen data-unknown=vlan,email duration_ms=0.000 status=200` + "\n",
		},
		"a copy": {
			audit.Event{
				Reference: "7F3K9Q2M", Allowed: true, Policy: "staff", Inventory: "jamf", Status: 200, ProviderTime: 1500,
				Evidence: &posture.Evidence{Answers: []posture.Answer{{Recalled: true, Age: 61999 * time.Millisecond}, {}, {Recalled: true, Age: time.Second}}},
			},
			`level=info msg="[ALLOW]" reference=7F3K9Q2M decision=allow policy=staff inventory=jamf snapshot-age=61 provider_ms=0.002 duration_ms=0.000 status=200` + "\n",
		},
		"a copy that was fetched this second": {
			audit.Event{Reference: "7F3K9Q2M", Policy: "staff", Status: 200, ProviderTime: 1500, Evidence: &posture.Evidence{Answers: []posture.Answer{{Recalled: true}}}},
			`level=info msg="[DENY]" reference=7F3K9Q2M decision=deny policy=staff snapshot-age=0 duration_ms=0.000 status=200` + "\n",
		},
		"inventories themselves": {
			audit.Event{Reference: "7F3K9Q2M", Policy: "staff", Status: 200, Evidence: &posture.Evidence{Answers: []posture.Answer{{Age: time.Hour}}}},
			`level=info msg="[DENY]" reference=7F3K9Q2M decision=deny policy=staff duration_ms=0.000 status=200` + "\n",
		},
		"names that are no words": {
			audit.Event{Reference: "7F3K9Q2M", Policy: "staff", Status: 200, DataUnknown: []string{"a b", "c\n\""}},
			`level=info msg="[DENY]" reference=7F3K9Q2M decision=deny policy=staff data-unknown="a b,c?\"" duration_ms=0.000 status=200` + "\n",
		},
		"an issued certificate": {
			audit.Event{
				Reference: "7F3K9Q2M", Allowed: true, Reason: "SCEP transaction t1: the certificate 0a was issued", Identifier: "C02", Door: "webhook", Caller: "scep", Status: 200,
				Notification: &audit.Notification{Issued: true, TransactionID: "t1", CommonName: "C02", SerialNumber: "0a"},
			},
			`level=info msg="[NOTE] C02" event=scep_notification reason="SCEP transaction t1: the certificate 0a was issued" reference=7F3K9Q2M identifier=C02 door=webhook caller=scep duration_ms=0.000 status=200` + "\n",
		},
		"an answer of a RADIUS server": {
			audit.Event{
				Reference: "7F3K9Q2M", Authenticated: true, Allowed: true, Identifier: "C02", Policy: "wifi", Inventory: "owned", Door: "radius",
				Caller: "cn:radius of the lab", NAS: "ap\n1", VLAN: "42", Status: 200,
			},
			`level=info msg="[ALLOW] C02" reference=7F3K9Q2M decision=allow identifier=C02 policy=wifi inventory=owned door=radius caller="cn:radius of the lab" nas="ap?1" vlan=42 duration_ms=0.000 status=200` + "\n",
		},
		"a refusal that is repeated": {
			audit.Event{Reference: "7F3K9Q2M", Authenticated: true, Code: "deviceNotFound", Identifier: "C02", Policy: "web", Door: "forward_auth", Caller: "proxy.example.com", Repeats: true, Status: 403},
			`level=info msg="[DENY] C02" code=deviceNotFound reference=7F3K9Q2M decision=deny identifier=C02 policy=web door=forward_auth caller=proxy.example.com repeats=true duration_ms=0.000 status=403` + "\n",
		},
		"a caller that is not known": {
			audit.Event{Reference: "7F3K9Q2M", Code: "unauthenticated", Door: "radius", Status: 403},
			`level=warning msg="[DENY]" code=unauthenticated reference=7F3K9Q2M decision=deny door=radius duration_ms=0.000 status=403` + "\n",
		},
		"fault": {
			audit.Event{Reference: "7F3K9Q2M", Code: "unavailable", Reason: "line one\nline two", Status: 503, Identifier: strings.Repeat("A", 300)},
			`level=error msg="[DENY] ` + strings.Repeat("A", 256) + `..." code=unavailable reason="line one?line two" reference=7F3K9Q2M decision=deny identifier=` + strings.Repeat("A", 256) + `... duration_ms=0.000 status=503` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := line(test.event); got != test.want {
				t.Errorf("got  %swant %s", got, test.want)
			}
		})
	}
}

// What looks like a token is shortened wherever a line has text of a request, before the text itself is cut.
func TestTokensAreHidden(t *testing.T) {
	t.Parallel()
	token := "q7A_" + strings.Repeat("x", 39)
	long := strings.Repeat("y z", 340) + " " // is cut within the token
	e := &audit.Event{
		Time: time.Unix(0, 0), Reference: "7F3K9Q2M", Policy: "p", Identifier: token, Reason: "the name " + token + " is another one " + long + token,
		Mode: token, WebhookID: token, Provisioner: token, Path: "/" + token, Caller: token, Status: 200,
		Notification: &audit.Notification{TransactionID: token, Error: token, CommonName: token},
		Evidence: &posture.Evidence{Request: posture.Request{
			Identifier: token, Names: []string{"a", token}, Principal: token,
			CSR: &posture.CertificateNames{CommonName: token, SubjectSerialNumber: token, Emails: []string{token}, DNSNames: []string{token}, URIs: []string{"urn:x:" + token}},
			SSH: &posture.SSHRequest{KeyID: token, Principals: []string{token}}, SCEP: &posture.SCEPRequest{TransactionID: token},
		}},
	}
	for name, text := range map[string]string{"log": line(*e), "text": e.Notification.Text(), "audit log": appended(t, e, true)} {
		if strings.Contains(text, token[:5]) || !strings.Contains(text, "q7A_...") {
			t.Errorf("the %s has %s", name, text)
		}
	}
}

// A notification is no decision, in the audit log and for whom reads it.
func TestLineOfANotification(t *testing.T) {
	t.Parallel()
	e := event()
	e.Door, e.Caller, e.Notification = "webhook", "scep_result", &audit.Notification{TransactionID: "t\n1", Error: "no", Issued: false}
	text := appended(t, e, true)
	const want = `"policy":"","inventory":"","caller":"scep_result","door":"webhook","unmet":[],"would_deny":[],"event":"scep_notification","result":"failure","transaction_id":"t?1","serial_number":"","facts":null}` + "\n"
	if !strings.HasSuffix(text, want) || !strings.Contains(text, `"decision":""`) {
		t.Errorf("got  %swant …%s", text, want)
	}
	read, err := audit.NewReader().Read([]byte(text))
	if err != nil || read.Event != audit.EventNotification {
		t.Errorf("read %+v, %v", read, err)
	}
	for _, broken := range []string{strings.Replace(text, `"event":"scep_notification"`, `"event":""`, 1), strings.Replace(text, `"decision":""`, `"decision":"allow"`, 1)} {
		if _, err := audit.NewReader().Read([]byte(broken)); err == nil {
			t.Errorf("a line of neither kind is read: %s", broken)
		}
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		reference := audit.NewReference()
		if !regexp.MustCompile(`^[0-9A-Z]{8}$`).MatchString(reference) || seen[reference] {
			t.Fatalf("got reference %q, want a new one of eight digits and capital letters", reference)
		}
		seen[reference] = true
	}
}

func TestCleanRequestID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                     "",
		"4f6ef7eb-8a6b-4487-96aa-855ab3011601": "4f6ef7eb-8a6b-4487-96aa-855ab3011601",
		"a.B_1:2-3":                            "a.B_1:2-3",
		"a b\n\"c\"\u212a":                     "abc",
		strings.Repeat("x", 65):                strings.Repeat("x", 64),
	} {
		if got := audit.CleanRequestID(text); got != want {
			t.Errorf("CleanRequestID(%q) = %q, want %q", text, got, want)
		}
	}
}

// Values are quoted as logrus quotes them in the other lines, so that one parser reads all.
func TestQuotedAsByLogrus(t *testing.T) {
	t.Parallel()
	values := []string{"é", "\u2028", "\xff", "two words", `"`, `\`}
	for c := range 128 {
		values = append(values, string(rune(c)))
	}
	for _, value := range values {
		plain := &logrus.TextFormatter{DisableColors: true, DisableTimestamp: true}
		theirs, err := plain.Format(&logrus.Entry{Data: logrus.Fields{audit.KeyRequestID: value}})
		if err != nil {
			t.Fatal(err)
		}
		_, want, _ := strings.Cut(string(theirs), " ")
		if got := line(audit.Event{Status: 200, RequestID: value}); !strings.HasSuffix(got, " "+want) {
			t.Errorf("%q is written as %s, want %s", value, got, want)
		}
	}
}

// A key of the audit log has the same spelling in the log. There it lacks the required groups and the rules that refuse, which
// the reason names, who called, and the facts. would_deny and snapshot_age are would-deny and snapshot-age in the log: the
// specification gives both spellings.
func TestOneSpellingOfKeys(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	audit.NewLog(&out, true).Write(&audit.Event{
		Policy: "x", Inventory: "x", Verdict: posture.Verdict{WouldDeny: []string{"x"}}, DataUnknown: []string{"x", "y"},
		Allowed: true, Code: "x", Reason: "x", Identifier: "x", Mode: "x", Provider: "x", WebhookID: "x", RequestID: "x", Duration: 1234567, ProviderTime: 1500, Status: 200,
		Evidence: &posture.Evidence{Answers: []posture.Answer{{Recalled: true, Age: time.Minute}, {}}},
	})
	var inLog map[string]any
	if err := json.Unmarshal(out.Bytes(), &inLog); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail := openTrail(t, path)
	trail.RecordFacts()
	recalled := judged()
	recalled.Evidence.Answers[0].Recalled = true
	if err := trail.Append(recalled); err != nil {
		t.Fatal(err)
	}
	var inTrail map[string]any
	if err := json.Unmarshal([]byte(content(t, path)), &inTrail); err != nil {
		t.Fatal(err)
	}
	for key := range inTrail {
		switch key {
		case "would_deny":
			key = audit.KeyWouldDeny
		case "snapshot_age":
			key = audit.KeySnapshotAge
		}
		if _, has := inLog[key]; !has && !slices.Contains([]string{"groups", "unmet", "caller", "door", "facts"}, key) {
			t.Errorf("the log has no key %s", key)
		}
	}
	if unknown := inLog[audit.KeyDataUnknown]; !reflect.DeepEqual(unknown, []any{"x", "y"}) {
		t.Errorf("%s is %#v, want a list", audit.KeyDataUnknown, unknown)
	}
	for key, want := range map[string]float64{audit.KeyDurationMS: 1.235, audit.KeyProviderMS: 0.002, audit.KeyStatus: 200, audit.KeySnapshotAge: 60} {
		if inLog[key] != want {
			t.Errorf("%s is %#v, want the number %v", key, inLog[key], want)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	for name, asJSON := range map[string]bool{"text": false, "JSON": true} {
		b.Run(name, func(b *testing.B) {
			log := audit.NewLog(io.Discard, asJSON)
			e := event()
			e.Status, e.Method, e.Path, e.RemoteAddress = 200, "POST", "/webhook/device-attest", "127.0.0.1:55366"
			b.ReportAllocs()
			for b.Loop() {
				log.Write(e)
			}
		})
	}
}
