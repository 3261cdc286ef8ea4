package doors

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// readRADIUS reads the attributes of a login, as FreeRADIUS' module rest writes them.
func (q *question) readRADIUS(w http.ResponseWriter, r *http.Request) *problem {
	// The refusal of a body that is late needs the rest of the budget, for the audit log too.
	const patience = RADIUSBudget - writeReserve
	// ReadBody does this for HTTP/1.1 alone; on HTTP/2 the server's own limit is longer than the budget.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience)); err != nil {
		return problemf(outcome.Internal, "set read deadline: %w", err)
	}
	body, err := inbound.ReadBody(w, r, maxBody, patience)
	if over := (*inbound.TooLarge)(nil); errors.As(err, &over) {
		return &problem{outcome.TooLarge, err}
	}
	if err != nil {
		return &problem{outcome.Malformed, err}
	}
	attributes, err := readAttributes(body)
	if err != nil {
		return &problem{outcome.Malformed, err}
	}
	q.radius = attributes.RADIUS()
	q.event.NAS = q.radius.NAS
	q.event.Identifier, _ = attributes.One("TLS-Client-Cert-Common-Name") // for the log, also where it is refused
	known, p := q.doors.trust.CheckAttributes(attributes, q.event.Time)
	if p != nil {
		return &problem{p.Code, p.Err}
	}
	if q.id, p = known.IdentifyStated(); p != nil {
		return &problem{p.Code, p.Err}
	}
	q.shown, q.expires = known, known.Names.NotAfter
	if q.entry.Cache > 0 { // else nothing reads it
		q.fingerprint = attributes.Fingerprint()
	}
	return nil
}

// concludeRADIUS makes the answer of a decision.
func (q *question) concludeRADIUS(decision posture.Decision) answer {
	event, of := q.event, q.entry.RADIUS
	if !decision.Allowed() {
		a := refuseWith(event, &problem{decision.Code(), errors.New(decision.Reason())}, decision.Message())
		if of.Quarantine != "" && slices.Contains(of.QuarantineCodes, decision.Code()) {
			// The operator's explicit wish, and only for what the policy has refused: never for a fault.
			event.VLAN = of.Quarantine
			event.Reason += "; put into the quarantine VLAN"
			return accept(of.Quarantine, of.SessionTimeout)
		}
		return a
	}
	vlan := ""
	if of.VLAN != nil {
		var err error
		vlan, err = of.VLAN(event.Evidence)
		if err == nil && !policy.CheckVLAN(vlan) {
			err = errors.New("it is neither 1 to 4094 nor a name of letters, digits, _, . and -")
		}
		if err != nil {
			// Fail closed: FreeRADIUS accepts a login without a VLAN, and the device would be in the default network.
			return refuse(event, problemf(outcome.VLANUnknown, "the VLAN of the device cannot be determined: %w", err))
		}
	}
	event.Allowed, event.Reason, event.VLAN = true, decision.Reason(), vlan
	return accept(vlan, of.SessionTimeout)
}

// attributes are those of an answer, in JSON. The long form says that FreeRADIUS must not expand %{…} in a value, as it does by
// default.
// https://www.freeradius.org/documentation/freeradius-server/3.2.9/ (rlm_rest)
type attributes []byte

func (a attributes) add(name, value string) attributes {
	separator := byte(',')
	if len(a) == 0 {
		separator = '{'
	}
	a = append(append(append(a, separator, '"'), name...), `":{"op":":=","do_xlat":false,"value":[`...)
	// An error says that the text is not UTF-8; the value is then one of replacement characters.
	quoted, _ := jsontext.AppendQuote(a, value)
	return append(quoted, "]}"...)
}

func (a attributes) answer(status int) answer { return answer{status: status, body: append(a, '}')} }

// accept lets a device in.
func accept(vlan string, timeout time.Duration) answer {
	const usual = 512
	a := make(attributes, 0, usual).add("control:Auth-Type", "Accept")
	if vlan != "" { // RFC 3580 section 3.31
		a = a.add("reply:Tunnel-Type", "VLAN").add("reply:Tunnel-Medium-Type", "IEEE-802").add("reply:Tunnel-Private-Group-Id", vlan)
	}
	a = a.add("reply:Session-Timeout", strconv.FormatInt(int64(timeout/time.Second), 10))
	return a.add("reply:Termination-Action", "RADIUS-Request").answer(http.StatusOK) // ask again, and do not disconnect
}

// deny refuses a login. FreeRADIUS reads the body of a 401 alone.
func deny(message, reference string) answer {
	return attributes(nil).add("reply:Reply-Message", replyMessage(message, reference)).answer(http.StatusUnauthorized)
}

// replyMessage is a message with its reference, which is never cut.
func replyMessage(message, reference string) string {
	end := " (ref " + reference + ")"
	message = strings.ReplaceAll(plainText(message), "%", "")
	return message[:min(len(message), maxText-len(end))] + end
}
