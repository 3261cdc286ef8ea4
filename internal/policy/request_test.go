package policy_test

import (
	"fmt"
	"testing"

	"step-posture-connector/internal/posture"
)

// What is known of the request and of the records themselves.
func TestRequestAndRecords(t *testing.T) {
	t.Parallel()
	s, e := tableScope(t), tableEvidence(t)
	e.Request = posture.Request{
		Door: "webhook", Caller: "devices", Kind: "enriching", Provisioner: "acme", Mode: "computer", Identifier: "C02", KeyType: "EC", KeyBits: 256, Names: []string{"a", "b"},
	}
	empty := *e
	empty.Request = posture.Request{}
	for path, text := range map[string][2]string{
		"request.door": {`"webhook"`, `"radius"`}, "request.caller": {`"devices"`, `"others"`}, "request.kind": {`"enriching"`, `"authorizing"`},
		"request.provisioner": {`"acme"`, `"x"`}, "request.mode": {`"computer"`, `"any"`}, "request.identifier": {`"C02"`, `"C03"`},
		"request.key_type": {`"EC"`, `"RSA"`}, "request.key_bits": {"256", "384"}, "request.names": {`["a", "b"]`, `["a"]`},
	} {
		check(t, s, e, path+" == "+text[0], posture.Met)
		check(t, s, e, path+" != "+text[0], posture.Unmet)
		check(t, s, e, path+" == "+text[1], posture.Unmet)
		check(t, s, e, "has("+path+")", posture.Met)
		for _, op := range []string{" == ", " != "} {
			check(t, s, &empty, path+op+text[0], posture.Unknown)
			check(t, s, &empty, "!("+path+op+text[0]+")", posture.Unknown)
		}
		check(t, s, &empty, "has("+path+")", posture.Unmet)
	}
	for name, want := range map[string]posture.Result{
		"jamf": posture.Met, "full": posture.Met, "bare": posture.Met, "absent": posture.Unmet, "nothing": posture.Unmet, "foreign": posture.Unmet,
		"down": posture.Unknown, "several": posture.Unknown, "late": posture.Unknown,
	} {
		check(t, s, e, "records."+name+".found", want)
		check(t, s, e, "!records."+name+".found", not(want))
		check(t, s, e, fmt.Sprintf("records.%s.found == false", name), not(want))
		has := posture.Met
		if want == posture.Unknown {
			has = posture.Unknown
		}
		check(t, s, e, "has(records."+name+".found)", has)
	}
}
