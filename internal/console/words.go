package console

import (
	"cmp"
	"slices"
	"strings"

	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// verdict is a decision in the words of people who do not know the connector.
type verdict struct {
	Tone     string // allowed, refused, failed or noted: a class of the style sheet
	Word     string
	Sentence string
	// Told is what the person at the device has read, and Remedy what can be done where no rule says it. Both are empty of what was
	// allowed.
	Told, Remedy string
	refusing     []journal.Rule // the rules that refuse
}

// verdictOf says what was decided.
func verdictOf(d *journal.Decision) verdict {
	v := verdict{Tone: "refused", Word: "Refused"}
	for _, r := range d.Rules {
		if r.Enforced && notMet(r) {
			v.refusing = append(v.refusing, r)
		}
	}
	device := deviceWord(d)
	switch {
	case d.Event != "":
		v.Tone, v.Word, v.Sentence = "noted", "Notification", "step-ca has told what became of a request. Nothing was decided."
	case d.Allowed():
		v.Tone, v.Word, v.Sentence = "allowed", "Allowed", device+" "+may(d)+"."
	case isFault(d.Code):
		v.Tone, v.Word, v.Sentence = "failed", "Could not be decided", "Nothing could be decided, so "+lower(device)+" "+mayNot(d)+" for now. It may try again."
	default:
		v.Sentence = device + " " + mayNot(d)
		if because := reasonOf(d, v.refusing); because != "" {
			v.Sentence += " because " + because
		}
		v.Sentence += "."
	}
	if d.Event == "" && !d.Allowed() {
		v.explain(d)
	}
	return v
}

// explain adds what the code means to the person at the device, and what can be done.
func (v *verdict) explain(d *journal.Decision) {
	if ruleRefuses(d, v.refusing) {
		v.Told = v.refusing[0].Message
		return
	}
	text := outcome.Of(posture.Code(d.Code))
	v.Told, v.Remedy, v.refusing = text.Message, upper(withoutCommand(text.Remedy)), nil
}

// withoutCommand is a remedy without the hint at a command that shows the same as the page: who reads the page has no shell there.
func withoutCommand(remedy string) string {
	before, _, _ := strings.Cut(remedy, "; `step-posture-connector lookup`")
	return before
}

// lookupTells reports whether looking a device up can show that the reason of a refusal is gone. What only a request has, such as names
// and tokens, is in no look-up: that would allow before anything was put right.
func lookupTells(code string) bool {
	switch posture.Code(code) {
	case posture.DeviceNotFound, posture.DeviceAmbiguous, posture.DeviceNotManaged, posture.DeviceNotInGroup, posture.DeviceNotCompliant, posture.IdentifierInvalid:
		return true
	default:
		return false
	}
}

// notMet reports whether a rule would refuse, if it may.
func notMet(r journal.Rule) bool {
	return r.Result == posture.Unmet.String() || r.Result == posture.Unknown.String()
}

// whatFor is the reason of a rule without what stands beside it.
func whatFor(r journal.Rule) string {
	return strings.TrimPrefix(r.Reason, "rule "+r.Name+" is "+r.Result+": ")
}

// ruleRefuses reports whether the code is that of a rule. What an inventory itself requires comes first, with a code that a rule may
// have too: then the reason begins with it.
func ruleRefuses(d *journal.Decision, refusing []journal.Rule) bool {
	return len(refusing) > 0 && refusing[0].Code == d.Code && (strings.HasPrefix(d.Reason, refusing[0].Reason) || !slices.Contains(outcome.Codes(), posture.Code(d.Code)) && d.Code != string(posture.DeviceNotCompliant))
}

// isFault reports whether a code says that nothing could be decided.
func isFault(code string) bool {
	return code == string(outcome.Unavailable) || code == string(outcome.Internal)
}

// deviceWord says what the device is, as far as that is known.
func deviceWord(d *journal.Decision) string {
	switch fact(d, "device.os") {
	case "macOS":
		return "This Mac"
	case "iOS":
		return "This iPhone"
	case "iPadOS":
		return "This iPad"
	}
	switch posture.DeviceType(d.Mode) {
	case posture.Computer:
		return "This computer"
	case posture.MobileDevice:
		return "This mobile device"
	default:
		return "This device"
	}
}

// fact is what the deciding inventory says; empty where it is unknown.
func fact(d *journal.Decision, name string) string {
	if d.Facts == nil {
		return ""
	}
	for _, r := range d.Facts.Records {
		if r.Inventory != d.Inventory && d.Inventory != "" {
			continue
		}
		for _, f := range r.Device {
			if f.Name == name && f.Known {
				return f.Text()
			}
		}
	}
	return ""
}

func lower(text string) string { return strings.ToLower(text[:1]) + text[1:] }

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// may is what a device may that is allowed, and mayNot what one may not that is refused, by the door at which it was asked.
func may(d *journal.Decision) string {
	switch d.Door {
	case posture.RADIUSDoor:
		if d.VLAN != "" {
			return "may join the network, in VLAN " + d.VLAN
		}
		return "may join the network"
	case posture.ForwardAuthDoor:
		return "may open the web site"
	default:
		return "may have a certificate"
	}
}

func mayNot(d *journal.Decision) string {
	switch d.Door {
	case posture.RADIUSDoor:
		if d.VLAN != "" {
			return "is put into the network VLAN " + d.VLAN + " for devices that are refused"
		}
		return "may not join the network"
	case posture.ForwardAuthDoor:
		return "may not open the web site"
	default:
		return "gets no certificate"
	}
}

// reasonOf is why a device is refused, as the end of a sentence. It is empty where only the message of the code says it.
func reasonOf(d *journal.Decision, refusing []journal.Rule) string {
	if ruleRefuses(d, refusing) {
		names := make([]string, len(refusing))
		unknown := true
		for i, r := range refusing {
			names[i] = r.Name
			unknown = unknown && r.Result == posture.Unknown.String()
		}
		rules := "the rule "
		if len(names) > 1 {
			rules = "the rules "
		}
		rules += joined(names)
		if unknown {
			return "too little is known of it to say whether it meets " + rules
		}
		return "it does not meet " + rules
	}
	switch posture.Code(d.Code) {
	case posture.DeviceNotFound:
		return "it is not in the inventory"
	case posture.DeviceAmbiguous:
		return "the inventory has it more than once"
	case posture.DeviceNotManaged:
		return "device management has a record of it, but does not manage it any more"
	case posture.DeviceNotInGroup:
		return "it is not a member of the required group"
	case posture.DeviceNotCompliant:
		return "it does not meet a requirement"
	case posture.IdentifierInvalid, posture.IdentifierMissing:
		return "the request does not say which device it is, in a form that can be looked up"
	case posture.CommonNameMismatch, posture.SANMismatch:
		return "it has asked for a certificate with the name of another device"
	case outcome.RequestExpired:
		return "the request was too old, or a clock is wrong"
	case outcome.TokenInvalid:
		return "its enrolment token is not valid"
	case posture.CertificateMissing:
		return "it has shown no certificate"
	case posture.CertificateUntrusted:
		return "the certificate that it has shown is not accepted"
	case outcome.VLANUnknown:
		return "it is not known which network it belongs to"
	default:
		return ""
	}
}

// joined is a list in a sentence.
func joined(names []string) string {
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}

// short is why, in a cell of a list. The name of a rule alone would read as its opposite: "refused: encrypted".
func short(d *journal.Decision, v *verdict) string {
	switch {
	case d.Event != "":
		return cmp.Or(d.Result, d.Event)
	case d.Allowed():
		return ""
	case len(v.refusing) > 0:
		return reasonOf(d, v.refusing)
	}
	if why := reasonOf(d, nil); why != "" {
		return why + " (" + d.Code + ")"
	}
	return d.Code
}

// meaning is what a code means to the person at the device. Codes of rules have the messages of the rules.
func (p *Pages) meaning(code string) string {
	if slices.Contains(outcome.Codes(), posture.Code(code)) || code == string(posture.DeviceNotCompliant) {
		return outcome.Of(posture.Code(code)).Message
	}
	for _, policy := range p.Live.Policies() {
		for _, r := range policy.Rules {
			if r.Code == code {
				return r.Message
			}
		}
	}
	return "A rule of the policy file has refused with this code; no rule in effect has it any more"
}
