package webhook_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// bodyKinds are a recorded request of each kind that step-ca sends.
func bodyKinds() []string {
	return []string{
		"acme-da-x509-enriching", "acme-da-x509-authorizing", "k8ssa-x509-enriching", "k8ssa-x509-authorizing",
		"k8ssa-sshuser-enriching", "k8ssa-sshuser-authorizing", "k8ssa-sshhost-enriching", "k8ssa-sshhost-authorizing",
		"scep-x509-scepchallenge", "scep-renewal-scepchallenge", "scep-x509-notifying", "scep-enrich503-notifying",
	}
}

// verdictOf is the code for a body at a path by a webhook, as the specification has it, and what the reason names; "" and "" are
// an allow.
func verdictOf(path string, accepts posture.Accepts, name string) (code, names string) {
	sent := acceptsOf(name)
	switch {
	case name == "scep-x509-notifying" && path == pathFor(posture.Attested):
		return "malformed", "2 certificate objects, want one" // a body is read before it is compared with the webhook
	case path != pathFor(accepts):
		return "requestUnexpected", pathFor(accepts)
	case accepts == posture.RADIUS && name == "k8ssa-x509-authorizing":
		return "certificateMissing", "not signed" // what step-ca is about to sign is told by its missing DER alone
	case accepts == posture.RADIUS:
		return "requestUnexpected", "Smallstep's RADIUS server"
	case accepts == posture.Attested && sent != posture.Attested:
		return "attestationMissing", "device-attest-01"
	case sent == posture.Attested && accepts != posture.Attested:
		return "requestUnexpected", pathFor(posture.Attested)
	case sent == accepts && sent == posture.SCEPChallenge:
		return "tokenInvalid", "challenge"
	case sent == accepts:
		return "", ""
	case accepts == posture.SCEPChallenge:
		return "requestUnexpected", "SCEPCHALLENGE"
	case accepts == posture.SCEPNotification:
		return "requestUnexpected", "NOTIFYING"
	case sent == posture.SCEPChallenge || sent == posture.SCEPNotification:
		return "requestUnexpected", "scep_challenge and scep_notification"
	case accepts == posture.X509:
		return "requestUnexpected", pathFor(posture.SSHUser)
	case sent == posture.X509:
		return "requestUnexpected", pathFor(posture.X509)
	default:
		return "requestUnexpected", "and the webhook accepts " + string(accepts)
	}
}

// Each kind of body at each path, by a webhook that accepts each kind: one of them is right, and all others are refused with a
// reason that says what is.
func TestEveryBodyAtEveryPath(t *testing.T) {
	t.Parallel()
	paths := []string{webhook.AttestPath, webhook.CertificatePath, webhook.SSHPath, webhook.SCEPChallengePath, webhook.SCEPNotificationPath, webhook.RADIUSPath}
	for _, word := range posture.AllAccepts() {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			accepts := posture.Accepts(word)
			c := caller{accepts: accepts}
			if accepts == posture.X509 || accepts == posture.SSHUser || accepts == posture.SSHHost {
				c.params, c.identify = []string{"name"}, "request.url.name"
			}
			d := newDoor(c.hookFor(t), true)
			right := 0
			for _, path := range paths {
				for _, name := range bodyKinds() {
					body := readSample(t, name).body
					target := path
					if len(c.params) > 0 {
						target += "?name=x"
					}
					_, code := d.at(timeOf(t, body)).allowed(d.ask(target, body))
					want, names := verdictOf(path, accepts, name)
					if code != want || !strings.Contains(d.last.Reason, names) {
						t.Errorf("%s at %s: got code %q (%s), want %q and %q in the reason", name, path, code, d.last.Reason, want, names)
					}
					if code == "requestUnexpected" && !strings.Contains(d.last.Remedy, "policy file") {
						t.Errorf("%s at %s: got remedy %q, want it to name the policy file", name, path, d.last.Remedy)
					}
					if code == "" || code == "tokenInvalid" {
						right++
					}
				}
			}
			wanted := 2
			if accepts == posture.RADIUS {
				wanted = 0 // step-ca sends none
			}
			if right != wanted {
				t.Errorf("%d bodies are right somewhere, want %d of each kind", right, wanted)
			}
		})
	}
}

// Without a policy file there is one path, and the log says why the others are not there.
func TestPathsWithoutPolicyFile(t *testing.T) {
	t.Parallel()
	for _, word := range posture.AllAccepts() {
		accepts := posture.Accepts(word)
		if accepts == posture.Attested {
			continue
		}
		s := readSample(t, "k8ssa-x509-enriching")
		d := newDoor(caller{accepts: accepts}.hookFor(t), false).at(timeOf(t, s.body))
		w := d.ask(pathFor(accepts), s.body)
		if w.Code != 404 || d.last.Code != "notFound" || !strings.Contains(d.last.Reason, "policy file") {
			t.Errorf("got %d, code %s with reason %q at %s, want 404 and the policy file in the reason", w.Code, d.last.Code, d.last.Reason, pathFor(accepts))
		}
	}
	for _, path := range []string{"/webhook/certificate/", "/webhook/Certificate", "/webhook/%63ertificate", "/webhook", "/webhook/scep"} {
		s := readSample(t, "k8ssa-x509-enriching")
		d := newDoor(caller{accepts: posture.X509}.hookFor(t), true).at(timeOf(t, s.body))
		if w := d.ask(path, s.body); w.Code != 404 || d.last.Code != "notFound" {
			t.Errorf("got %d %s at %s, want 404", w.Code, w.Body, path)
		}
	}
}
