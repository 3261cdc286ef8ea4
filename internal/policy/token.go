package policy

import (
	"slices"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// defaultTokenIn is userPassword of X.520: no certificate has a use for it, so that no template writes it by itself.
const defaultTokenIn = "2.5.4.35"

// An OID as step-ca and Go write it: of three to twenty numbers, none with a leading zero. Below 0 and 1 the second one is 39 at
// most (X.660 section 7.6): no CSR can have another one.
const (
	oidPattern  = `^(?:[01]\.(?:[0-9]|[12][0-9]|3[0-9])|2\.(?:0|[1-9][0-9]{0,9}))(?:\.(?:0|[1-9][0-9]{0,9})){1,18}$`
	acceptedOID = "the dotted OID of an attribute of the subject, such as 2.5.4.35"

	acceptedRequired = "true, or no section token"
)

// The attributes of a subject that name a device.
const (
	commonNameOID   = "2.5.4.3"
	serialNumberOID = "2.5.4.5"
)

func tokenShape() *document.Shape {
	oid := func(about string) *document.Shape {
		return &document.Shape{Type: document.Text, Pattern: oidPattern, Accepted: acceptedOID, About: about}
	}
	in := oid("The attribute of the CSR's subject that has the token. A SCEP challenge is in no attribute.")
	in.Default = defaultTokenIn
	lifetime := document.DurationShape("How long a token can be redeemed, and the most that a client may ask for; at most 30d.")
	lifetime.Default = "5m"
	token := document.MapOf(
		document.Required("required", &document.Shape{Type: document.Bool, Accepted: acceptedRequired, About: "true: only an order with a token is allowed."}),
		document.Optional("in", in),
		document.Optional("udid_in", oid("The attribute of the CSR's subject that has the UDID of the device; by default, none is read.")),
		document.Optional("lifetime", lifetime),
	)
	token.Name, token.About = "token", "An enrolment token that the order needs, beside what the inventories and rules say."
	return token
}

// readToken reads the sections "token" and "scep".
func (p *Policy) readToken(m document.Mapping) {
	v, scep := m.Get("token"), m.Get("scep")
	otherNames, _ := scep.Mapping().Get("other_names").Bool()
	if !v.IsSet() {
		if scep.IsSet() {
			scep.Key().Fault("token beside scep", "it is about the names of a CSR whose challenge is an enrolment token, and the policy has no token")
		}
		return
	}
	of := v.Mapping()
	t := &posture.TokenRequirement{Policy: p.Name, In: defaultTokenIn, Lifetime: enroll.DefaultLifetime, OtherNames: otherNames}
	if required, ok := of.Get("required").Bool(); ok && !required {
		of.Get("required").Fault(acceptedRequired, "a token that is not required protects nothing")
	}
	if in, ok := of.Get("in").Text(); ok {
		if t.In = in; in == commonNameOID || in == serialNumberOID {
			of.Get("in").Fault("another attribute", "this one names the device")
		}
	}
	if in, ok := of.Get("udid_in").Text(); ok {
		if t.UDIDIn = in; in == t.In {
			of.Get("udid_in").Fault("another attribute than in", "one attribute cannot have both the token and the UDID")
		}
	}
	if lifetime, ok := of.Get("lifetime").Duration(); ok {
		if t.Lifetime = lifetime; lifetime < enroll.MinLifetime || lifetime > enroll.MaxLifetime {
			of.Get("lifetime").Fault("from 1s to 30d", "it is out of bounds")
		}
	}
	if otherNames && !p.refusesNames() {
		scep.Mapping().Get("other_names").Fault("a rule over request.names that refuses, without enforce", "no rule that reads request.names refuses, so that a certificate could have any name")
	}
	p.Token = t
}

// refusesNames reports whether a rule reads request.names and refuses. Fail closed: a rule that only reports, or does so until
// a day, does not count, because it lets any name pass.
func (p *Policy) refusesNames() bool {
	return !p.ReportOnly && slices.ContainsFunc(p.Rules, func(r *Rule) bool {
		return !r.ReportOnly && r.EnforcedFrom.IsZero() && r.readsNames()
	})
}

func (r *Rule) readsNames() bool {
	// One with a fault counts: that was reported.
	return r.Require == nil || slices.ContainsFunc(r.Require.reads, func(read Read) bool { return read.Path == namesPath })
}

// TokenFacts are the facts of each record that are compared with the enrolment token. They are none of FactsOf: a recorded request
// is decided again without its token, and so without them.
func (p *Policy) TokenFacts() (facts posture.FactSet) {
	if p.Token != nil && !p.Token.UnpairedUDID {
		facts = posture.MustFacts("device.udid")
	}
	return facts
}
