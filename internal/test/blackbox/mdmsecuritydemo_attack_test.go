package blackbox_test

import (
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"step-posture-connector/internal/test/program"
)

// TestDemoAtOnce: of many orders of a key with public keys of their own, one is allowed; and then that one again.
func TestDemoAtOnce(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	key := d.key(t, demoUDID)
	orders := make([]*order, 20)
	var allowed atomic.Int64
	send := func() {
		var all sync.WaitGroup
		for _, o := range orders {
			body := o.body(t)
			all.Go(func() {
				status, _, text := ask(t, d.clients[0], http.MethodPost, "https://"+demoHost+"/webhook", body, "Authorization", "Bearer "+demoWebhook)
				switch {
				case status == http.StatusOK && strings.HasPrefix(text, `{"allow":true,`):
					allowed.Add(1)
				case status != http.StatusOK || !strings.Contains(text, `"tokenInvalid"`):
					t.Errorf("got %d %s, want allow or tokenInvalid", status, text)
				}
			})
		}
		all.Wait()
	}
	for i := range orders {
		orders[i] = &order{attested: demoSerial, udid: demoUDID, key: key}
	}
	for round := int64(1); round <= 2; round++ {
		if send(); allowed.Load() != round {
			t.Errorf("round %d: %d allowed in all, want one each", round, allowed.Load())
		}
	}
}

// TestDemoAttacks: a listed device cannot bend a key that it has seen, and none of its attempts uses the key up.
func TestDemoAttacks(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	key := d.key(t, demoUDID)
	serial, product, udid, right := rdn(5, demoSerial), rdn(13, "Mac15,12"), rdn(45, demoUDID), rdn(35, key)
	o := func(csr []byte) *order { return &order{attested: demoSerial, udid: demoUDID, key: key, csr: csr} }
	wide := make([]byte, 0, 2*len(key)) // a BMPString
	for _, c := range []byte(key) {
		wide = append(wide, 0, c)
	}
	for what, csr := range map[string][]byte{
		"the key in the JSON alone":   csrWith(t, serial, product, udid),
		"the key twice":               csrWith(t, serial, product, udid, right, right),
		"a wrong key before it":       csrWith(t, serial, product, udid, rdn(35, strings.Repeat("A", 43)), right),
		"an empty key behind it":      csrWith(t, serial, product, udid, right, rdn(35, "")),
		"the key as a BMPString":      csrWith(t, serial, product, udid, rdn(35, asn1.RawValue{Tag: asn1.TagBMPString, Bytes: wide})),
		"the key as an octet string":  csrWith(t, serial, product, udid, rdn(35, []byte(key))),
		"a blank behind the key":      csrWith(t, serial, product, udid, rdn(35, key+" ")),
		"the key in another case":     csrWith(t, serial, product, udid, rdn(35, strings.ToLower(key))),
		"padding":                     csrWith(t, serial, product, udid, rdn(35, key+"=")),
		"the key as UDID, and back":   csrWith(t, serial, product, rdn(45, key), rdn(35, demoUDID)),
		"the UDID in the JSON alone":  csrWith(t, serial, product, right),
		"the UDID twice":              csrWith(t, serial, product, udid, udid, right),
		"another UDID too":            csrWith(t, serial, product, udid, rdn(45, "X"), right),
		"an empty UDID":               csrWith(t, serial, product, rdn(45, ""), right),
		"hyphens as UDID":             csrWith(t, serial, product, rdn(45, "---"), right),
		"the UDID as an octet string": csrWith(t, serial, product, rdn(45, []byte(demoUDID)), right),
	} {
		d.want(t, what, o(csr), 200, "tokenInvalid")
	}
	d.want(t, "the common name of another device", o(csrWith(t, serial, product, udid, right, rdn(3, demoOther))), 200, "commonNameMismatch")
	d.want(t, "a UDID attested that is not listed", &order{attested: "00008030-001C2D8E0F90802E", udid: demoUDID, key: key}, 200, "deviceNotFound")
	d.wantOf(t, "an empty attestation", []byte(strings.Replace(string(o(nil).body(t)), `"permanentIdentifier":"`+demoSerial, `"permanentIdentifier":"`, 1)), 200, "attestationMissing", "Authorization", "Bearer "+demoWebhook)
	d.wantOf(t, "an old body", []byte(strings.Replace(string(o(nil).body(t)), `{"timestamp":"20`, `{"timestamp":"19`, 1)), 200, "requestExpired", "Authorization", "Bearer "+demoWebhook)
	for _, credential := range []string{demoQueries, demoKeys, "", key, demoWebhook + " ", demoWebhook + "x", strings.ToUpper(demoWebhook)} {
		d.want(t, fmt.Sprintf("the credential %q", credential), o(nil), 401, "unauthenticated", "Authorization", "Bearer "+credential)
	}
	d.want(t, "Basic", o(nil), 401, "unauthenticated", "Authorization", "Basic "+demoWebhook)
	d.want(t, "the key after all this", o(csrWith(t, serial, product, udid, right)), 200, "allow")

	// Who revokes a key takes it from the device that has used it, too.
	used := o(nil)
	used.key = d.key(t, demoUDID)
	d.want(t, "another key", used, 200, "allow")
	list := program.Run(t, d.env, "", "token", "list", "--json")
	var listed struct {
		Tokens []struct{ ID, Policy, UDID, Client string }
	}
	if err := json.Unmarshal([]byte(list.Stdout), &listed); err != nil || len(listed.Tokens) != 2 || strings.Contains(list.Stdout+list.Stderr, used.key) {
		t.Fatalf("token list: exit code %d, %v\n%s%s", list.Code, err, list.Stdout, list.Stderr)
	}
	for _, token := range listed.Tokens {
		if token.Policy != "default" || token.UDID != demoUDID || token.Client != "mdmsecuritydemo" {
			t.Errorf("token list has %+v", token)
		}
		if r := program.Run(t, d.env, "", "token", "revoke", token.ID); r.Code != 0 {
			t.Fatalf("token revoke: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
		}
	}
	d.want(t, "a revoked key", used, 200, "tokenInvalid")
}
