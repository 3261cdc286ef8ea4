package policy

import (
	"slices"
	"strings"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// Use says who asks for decisions by a policy. The zero value, nobody yet, is judged as webhooks of step-ca are.
type Use struct {
	// Webhook means webhooks of step-ca before it signs, RADIUS and ForwardAuth the doors of these names.
	Webhook, RADIUS, ForwardAuth bool
	// Smallstep are the webhooks that accept radius: their door is radius, and they say nothing of the connection.
	Smallstep []string
}

// situation is a kind of request of which only what is set is known, and which lacks these parts.
type situation struct {
	request posture.Request
	lacks   []string // the beginnings of paths
	where   string
	accept  string // the condition that leaves it out
}

const (
	onlyRADIUS  = `when: request.door == "radius"`
	onlyDoors   = `when: request.door != "webhook"`
	onlyWebhook = `when: request.door == "webhook"`

	nothingIssued  = "so that nothing would ever be issued"
	nothingAllowed = "so that no device would ever be allowed"
)

// situations are the kinds of requests that the policy must be able to decide.
func (u Use) situations() (all []situation) {
	if u.Webhook || !u.RADIUS && !u.ForwardAuth && len(u.Smallstep) == 0 {
		enriching, authorizing, challenging := ofKind(posture.Enriching, ""), ofKind(posture.Authorizing, ""), ofKind(posture.Challenging, "")
		const certificate, csr = `when: request.kind == "authorizing"`, `when: request.kind == "enriching"`
		all = append(all,
			situation{enriching, []string{certificatePath}, "in ENRICHING, " + nothingIssued, certificate},
			situation{challenging, []string{certificatePath}, "in ENRICHING, " + nothingIssued, certificate},
			situation{authorizing, []string{csrPath}, "in AUTHORIZING, " + nothingIssued, csr},
			situation{authorizing, shownPaths(), "of a certificate that is not signed yet, " + nothingIssued, onlyDoors},
		)
		for _, r := range []posture.Request{enriching, authorizing, challenging} {
			all = append(all, situation{r, []string{radiusPath}, "where step-ca asks, " + nothingIssued, onlyRADIUS})
		}
	}
	notAtDoors := []string{csrPath, urlPath, x5cPath, sshPath, scepPath, "request.principal"}
	if u.RADIUS {
		all = append(all, situation{posture.Request{Door: posture.RADIUSDoor}, notAtDoors, "at the door radius, " + nothingAllowed, onlyWebhook})
	}
	for _, name := range u.Smallstep {
		r := posture.Request{Door: posture.RADIUSDoor, Caller: name}
		all = append(all, situation{r, notAtDoors, "at the door radius, " + nothingAllowed, onlyWebhook},
			situation{r, []string{radiusPath}, "in requests of the webhook " + name + ", " + nothingAllowed, `when: request.caller != "` + name + `"`})
	}
	if u.ForwardAuth {
		r := posture.Request{Door: posture.ForwardAuthDoor}
		all = append(all, situation{r, notAtDoors, "at the door forward_auth, " + nothingAllowed, onlyWebhook},
			situation{r, []string{radiusPath}, "at the door forward_auth, " + nothingAllowed, onlyRADIUS})
	}
	return all
}

// shownPaths are what is known only of a certificate that a device shows.
func shownPaths() []string {
	return []string{certificatePath + "not_before", certificatePath + "not_after", certificatePath + "provisioner"}
}

func (s *situation) lack(path string) bool {
	return slices.ContainsFunc(s.lacks, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// checkKinds reports a rule that reads what one of the kinds of requests does not have, and applies to it: the rule would be
// unknown there, and so nothing would ever be issued or allowed.
func (r *Rule) checkKinds(v document.Value, use Use) {
	situations := use.situations()
	for _, read := range r.reads() {
		for _, s := range situations {
			if s.lack(read.Path) && r.mayApply(s.request) {
				v.Fault(s.accept, "%s is unknown %s", read.Path, s.where)
				return
			}
		}
	}
}

// checkKinds reports a value that is required, and unknown in one of the kinds of requests: nothing would ever be issued.
func (d *Datum) checkKinds(v document.Value, use Use) {
	if !d.Required || d.Value == nil {
		return
	}
	situations := use.situations()
	for _, read := range d.Value.reads {
		for _, s := range situations {
			if !s.lack(read.Path) {
				continue
			}
			where := s.where
			if strings.HasSuffix(s.where, nothingIssued) && (strings.HasPrefix(read.Path, certificatePath) || strings.HasPrefix(read.Path, csrPath)) {
				where = "in ENRICHING or in AUTHORIZING, " + nothingIssued
			}
			v.Fault("a value that is not required, or one that every request has", "%s is unknown %s", read.Path, where)
			return
		}
	}
}
