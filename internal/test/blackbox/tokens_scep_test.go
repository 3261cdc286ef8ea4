package blackbox_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// challengeCSR is the CSR of a SCEP client: a common name, and a challengePassword.
func challengeCSR(t *testing.T, key crypto.Signer, name, challenge string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	var request struct {
		Info struct {
			Version      int
			Subject, Key asn1.RawValue
			Attributes   []asn1.RawValue `asn1:"tag:0,set"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &request); err != nil {
		t.Fatal(err)
	}
	attribute, err := asn1.Marshal(struct {
		Type   asn1.ObjectIdentifier
		Values []string `asn1:"set"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}, []string{challenge}})
	if err != nil {
		t.Fatal(err)
	}
	request.Info.Attributes = append(request.Info.Attributes, asn1.RawValue{FullBytes: attribute})
	if der, err = asn1.Marshal(request); err != nil { // step-ca has verified the signature, which fits no more
		t.Fatal(err)
	}
	return der
}

// A SCEP challenge is a token: its webhook redeems it for the key, and those for ENRICHING and AUTHORIZING know the device by it.
func TestSCEPChallenges(t *testing.T) {
	t.Parallel()
	l := newTokenLab(t)
	webhooks := fmt.Sprintf(`  - {name: challenge, id: %s, secret: {file: challenge.secret}, accepts: scep_challenge, policy: enrolment}
  - {name: posture, id: %s, secret: {file: posture.secret}, accepts: x509, policy: enrolment, provisioner: {type: SCEP, name: scep}}
`, program.HookID(2), program.HookID(3))
	l.Append(t, webhooks)
	secrets := map[int]string{2: program.NewSecret(), 3: program.NewSecret()}
	l.WriteFile(t, "challenge.secret", secrets[2])
	l.WriteFile(t, "posture.secret", secrets[3])
	l.start(t)
	send := func(hook int, path string, members map[string]any) string {
		t.Helper()
		members["timestamp"], members["provisionerName"] = time.Now().Format(time.RFC3339Nano), "scep"
		body, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		_, text, err := program.NewStepCA(t, l.pki, l.daemon.Address, nil).As(t, program.HookID(hook), secrets[hook]).SendTo(t, path, body)
		if err != nil {
			t.Fatal(err)
		}
		l.written.WriteString(text)
		return text
	}
	challenging := func(key crypto.Signer, name, challenge string) string {
		t.Helper()
		return send(2, "/webhook/scep-challenge", map[string]any{
			"x509CertificateRequest": map[string]any{"raw": challengeCSR(t, key, name, challenge)}, "scepChallenge": challenge, "scepTransactionID": "1",
		})
	}
	enriching := func(key crypto.Signer, name, challenge string) string {
		t.Helper()
		return send(3, "/webhook/certificate", map[string]any{"x509CertificateRequest": map[string]any{"raw": challengeCSR(t, key, name, challenge)}})
	}
	authorizing := func(key crypto.Signer, subject map[string]any) string {
		t.Helper()
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		return send(3, "/webhook/certificate", map[string]any{"x509Certificate": map[string]any{"subject": subject, "publicKey": public}})
	}
	key, other := program.NewECKey(t), program.NewECKey(t)
	subject := map[string]any{"commonName": enrolled}
	token := l.issue(t, `{"policy":"enrolment","identifier":"`+enrolled+`"}`)
	const allowed = `{"allow":true,"data":{"n":1}}`
	invalid := program.Refused("tokenInvalid")
	wantAnswer(t, "ENRICHING before", enriching(key, enrolled, token.Token), invalid)
	wantAnswer(t, "no challenge", challenging(key, enrolled, ""), invalid)
	wantAnswer(t, "another device", challenging(key, "DMPVLX9QHG5D", token.Token), invalid)
	wantAnswer(t, "challenge", challenging(key, enrolled, token.Token), allowed)
	l.kill(t)
	l.start(t)
	wantAnswer(t, "challenge again", challenging(key, enrolled, token.Token), allowed)
	wantAnswer(t, "ENRICHING", enriching(key, enrolled, token.Token), allowed)
	wantAnswer(t, "ENRICHING with another challenge", enriching(key, enrolled, strings.Repeat("x", 43)), invalid)
	wantAnswer(t, "ENRICHING of another device", enriching(key, "DMPVLX9QHG5D", token.Token), invalid)
	wantAnswer(t, "AUTHORIZING", authorizing(key, subject), allowed)
	wantAnswer(t, "AUTHORIZING with the challenge", authorizing(key, map[string]any{"commonName": token.Token}), program.Refused("tokenInCertificate"))
	wantAnswer(t, "another key", challenging(other, enrolled, token.Token), invalid)
	wantAnswer(t, "AUTHORIZING of another key", authorizing(other, subject), invalid)
	l.kill(t)
	l.wantNoToken(t)
}
