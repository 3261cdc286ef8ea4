package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

// What is known of a certificate that a device shows, and of the connection for which it does.
func TestShownCertificate(t *testing.T) {
	t.Parallel()
	s, e := tableScope(t), tableEvidence(t)
	from, until := e.Now.Add(-time.Hour), e.Now.Add(time.Hour)
	e.Request = posture.Request{
		Door:        posture.RADIUSDoor,
		Certificate: &posture.CertificateNames{SerialNumber: "0a1b", NotBefore: from, NotAfter: until, Provisioner: "acme-da", ProvisionerType: "ACME"},
		RADIUS:      &posture.RADIUSRequest{NAS: "ap-1", SSID: "staff", CallingStation: "02-00-00-00-00-01"},
	}
	empty, none := *e, *e
	empty.Request = posture.Request{Certificate: &posture.CertificateNames{}, RADIUS: &posture.RADIUSRequest{}}
	none.Request = posture.Request{}
	moment := func(at time.Time) string { return `timestamp("` + at.UTC().Format(time.RFC3339Nano) + `")` }
	for path, value := range map[string]string{
		"request.certificate.serial": `"0a1b"`, "request.certificate.serial_number": `"0a1b"`,
		"request.certificate.not_before": moment(from), "request.certificate.not_after": moment(until),
		"request.certificate.provisioner": `"acme-da"`, "request.certificate.provisioner_type": `"ACME"`,
		"request.radius.nas": `"ap-1"`, "request.radius.ssid": `"staff"`, "request.radius.calling_station": `"02-00-00-00-00-01"`,
	} {
		check(t, s, e, path+" == "+value, posture.Met)
		check(t, s, e, "has("+path+")", posture.Met)
		for _, unknown := range []*posture.Evidence{&empty, &none} {
			check(t, s, unknown, path+" == "+value, posture.Unknown)
			check(t, s, unknown, path+" != "+value, posture.Unknown)
			check(t, s, unknown, "has("+path+")", posture.Unmet)
		}
	}
	check(t, s, e, "request.certificate.not_after - now < duration('2h')", posture.Met)
	for text, want := range map[string]string{
		`request.certificate.provisioner_type == ""`:     `request.certificate.provisioner_type is never ""`,
		`request.certificate.provisioner_type == "acme"`: `did you mean "ACME"?`,
		`request.door == "wifi"`:                         `1:17: request.door is never "wifi"; accepted: "webhook", "radius", "forward_auth"`,
		`has(request.x5c.serial)`:                        `unknown name in request.x5c "serial"`,
		`has(request.csr.not_after)`:                     `unknown name in request.csr "not_after"`,
		`has(request.radius)`:                            `request.radius is no value by itself`,
		`request.radius.sid == "a"`:                      `did you mean ssid?; accepted: calling_station, nas, ssid`,
	} {
		if _, faults := s.CompileCondition(text); !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %v, want %s", text, faults, want)
		}
	}
}
