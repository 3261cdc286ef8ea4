package doors

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// readRADIUS reads the attributes of a login, as FreeRADIUS' module rest writes them.
func (q *question) readRADIUS(w http.ResponseWriter, r *http.Request) *problem {
	// ReadBody does this for HTTP/1.1 alone; on HTTP/2 the server's own limit is longer than the budget.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(RADIUSBudget)); err != nil {
		return problemf(outcome.Internal, "set read deadline: %w", err)
	}
	body, err := inbound.ReadBody(w, r, maxBody, RADIUSBudget)
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
	q.shown, q.fingerprint, q.expires = known, known.Fingerprint, known.Names.NotAfter
	return nil
}

// readAttributes decodes a body. With duplicate members or invalid UTF-8 two readers could see two different logins: both are
// refused.
func readAttributes(body []byte) (devicecert.Attributes, error) {
	var read map[string]struct {
		Value []jsontext.Value `json:"value"`
	}
	if err := json.Unmarshal(body, &read); err != nil {
		// Its text may be a password of another EAP method.
		return nil, errors.New("the body is not the JSON of FreeRADIUS' module rest: an object of attributes, each with a list value")
	}
	if read == nil { // null
		return nil, errors.New("the body is no object of attributes")
	}
	all := make(devicecert.Attributes, len(read))
	for name, attribute := range read {
		values := make([]string, 0, len(attribute.Value))
		for _, value := range attribute.Value {
			switch value.Kind() {
			case '"':
				var text string
				if err := json.Unmarshal(value, &text); err != nil {
					return nil, errors.New("the body has a text that is not UTF-8")
				}
				values = append(values, text)
			case '0', 't', 'f':
				values = append(values, string(value))
			default:
				return nil, errors.New("the body has an attribute whose value is neither a text nor a number")
			}
		}
		all[name] = values
	}
	return all, nil
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

// attribute is one in an answer. The long form says that FreeRADIUS must not expand %{…} in the value, as it does by default.
// https://www.freeradius.org/documentation/freeradius-server/3.2.9/ (rlm_rest)
type attribute struct {
	Op     string   `json:"op"`
	DoXlat bool     `json:"do_xlat"`
	Value  []string `json:"value"`
}

func newAttribute(value string) attribute { return attribute{":=", false, []string{value}} }

// accept lets a device in.
func accept(vlan string, timeout time.Duration) answer {
	type reply struct {
		AuthType    attribute  `json:"control:Auth-Type"`
		TunnelType  *attribute `json:"reply:Tunnel-Type,omitempty"`
		Medium      *attribute `json:"reply:Tunnel-Medium-Type,omitempty"`
		Group       *attribute `json:"reply:Tunnel-Private-Group-Id,omitempty"`
		Timeout     attribute  `json:"reply:Session-Timeout"`
		Termination attribute  `json:"reply:Termination-Action"`
	}
	r := reply{
		AuthType: newAttribute("Accept"), Timeout: newAttribute(strconv.FormatInt(int64(timeout/time.Second), 10)),
		Termination: newAttribute("RADIUS-Request"), // ask again, and do not disconnect
	}
	if vlan != "" {
		kind, medium, group := newAttribute("VLAN"), newAttribute("IEEE-802"), newAttribute(vlan) // RFC 3580 section 3.31
		r.TunnelType, r.Medium, r.Group = &kind, &medium, &group
	}
	return jsonAnswer(http.StatusOK, r)
}

// deny refuses a login. FreeRADIUS reads the body of a 401 alone.
func deny(message, reference string) answer {
	return jsonAnswer(http.StatusUnauthorized, map[string]attribute{"reply:Reply-Message": newAttribute(replyMessage(message, reference))})
}

// replyMessage is a message with its reference, which is never cut.
func replyMessage(message, reference string) string {
	end := " (ref " + reference + ")"
	message = strings.ReplaceAll(plainText(message), "%", "")
	return message[:min(len(message), maxText-len(end))] + end
}
