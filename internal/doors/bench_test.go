package doors

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/test/testca"
)

// known is an inventory that has every device.
type known struct{}

func (known) Lookup(_ context.Context, q posture.Query) (posture.Device, error) {
	return posture.Device{Identifier: q.Identifier.String(), Facts: posture.Facts{Managed: posture.Known(true)}}, nil
}

// deadlines accepts time limits, as a real connection does.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetReadDeadline(time.Time) error { return nil }

// BenchmarkRADIUS is a whole question of a RADIUS server without network and TLS, its log line included.
func BenchmarkRADIUS(b *testing.B) {
	ca := testca.New(b, "Device CA")
	entry := &Entry{
		Door: posture.RADIUSDoor, Callers: []string{"radius.example.com"},
		Gate:   &posture.Gate{Join: posture.Join{Inventories: []posture.Source{{Kind: "all", Provider: known{}}}}},
		RADIUS: RADIUS{SessionTimeout: time.Hour, VLAN: func(*posture.Evidence) (string, error) { return "42", nil }},
	}
	h := &Handler{Now: time.Now, Record: audit.NewLog(io.Discard, false).Write}
	h.Use(New(&devicecert.Trust{Issuers: []*x509.Certificate{ca.Certificate}, Provisioners: []string{"acme-da"}}, []*Entry{entry}))
	caller, _ := ca.Issue(b, &x509.Certificate{Subject: pkix.Name{CommonName: "radius"}, DNSNames: []string{"radius.example.com"}})
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{caller}}
	body := []byte(login(ca.Certificate))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, RADIUSPath, bytes.NewReader(body))
		r.TLS = state
		w := deadlines{httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"Accept"`) {
			b.Fatalf("got %d %s, want an accept", w.Code, w.Body)
		}
	}
}

// attribute is one in an answer to FreeRADIUS.
type attribute struct {
	Op     string   `json:"op"`
	DoXlat bool     `json:"do_xlat"`
	Value  []string `json:"value"`
}

// The answers are written by hand: they are what the JSON of their attributes is.
func TestAttributesOfAnswers(t *testing.T) {
	t.Parallel()
	one := func(value string) attribute { return attribute{":=", false, []string{value}} }
	base := map[string]attribute{"control:Auth-Type": one("Accept"), "reply:Session-Timeout": one("3600"), "reply:Termination-Action": one("RADIUS-Request")}
	withVLAN := maps.Clone(base)
	withVLAN["reply:Tunnel-Type"], withVLAN["reply:Tunnel-Medium-Type"], withVLAN["reply:Tunnel-Private-Group-Id"] = one("VLAN"), one("IEEE-802"), one(`a"\b`)
	for name, test := range map[string]struct {
		answer answer
		status int
		want   map[string]attribute
	}{
		"no VLAN":          {accept("", time.Hour), http.StatusOK, base},
		"VLAN with quotes": {accept(`a"\b`, time.Hour), http.StatusOK, withVLAN}, // such a VLAN is refused before
		"refusal":          {deny(`Say "no"`, "ABCD1234"), http.StatusUnauthorized, map[string]attribute{"reply:Reply-Message": one(`Say "no" (ref ABCD1234)`)}},
	} {
		var got map[string]attribute
		if err := json.Unmarshal(test.answer.body, &got); err != nil || !reflect.DeepEqual(got, test.want) || test.answer.status != test.status {
			t.Errorf("%s: got %d %s (%v), want %d %v", name, test.answer.status, test.answer.body, err, test.status, test.want)
		}
	}
}

// login is what FreeRADIUS says of a login with a certificate of ca.
func login(ca *x509.Certificate) string {
	const asn1Time = "060102150405Z"
	now := time.Now().UTC()
	members := []string{`"Framed-MTU":{"type":"integer","value":[1400]}`}
	for _, a := range [][2]string{
		{"User-Name", "anything"},
		{"NAS-IP-Address", "127.0.0.1"},
		{"Service-Type", "Framed-User"},
		{"Called-Station-Id", "AA-BB-CC-DD-EE-FF:corp"},
		{"Calling-Station-Id", "02-00-00-00-00-01"},
		{"NAS-Identifier", "ap1"},
		{"NAS-Port-Type", "Wireless-802.11"},
		{"Connect-Info", "CONNECT 11Mbps 802.11b"},
		{"Message-Authenticator", "0xba976f6d94dc220b4c32f4dee7022b1f"},
		{"EAP-Type", "TLS"},
		{"TLS-Cert-Serial", "688b9c480ae2fa6fd09496050618c8c3c789c7a3"},
		{"TLS-Cert-Issuer", "/CN=Root"},
		{"TLS-Cert-Subject", "/CN=Device CA"},
		{"TLS-Cert-Common-Name", "Device CA"},
		{"TLS-Client-Cert-Serial", "0c2c77718228293034cf488d6d038921ae46342c"},
		{"TLS-Client-Cert-Expiration", now.Add(time.Hour).Format(asn1Time)},
		{"TLS-Client-Cert-Valid-Since", now.Add(-time.Hour).Format(asn1Time)},
		{"TLS-Client-Cert-Issuer", "/CN=Device CA"},
		{"TLS-Client-Cert-Subject", "/CN=K3Q7XH2N9P"},
		{"TLS-Client-Cert-Common-Name", "K3Q7XH2N9P"},
		{"TLS-Client-Cert-X509v3-Extended-Key-Usage", "TLS Web Client Authentication"},
		{"TLS-Client-Cert-X509v3-Authority-Key-Identifier", hex.EncodeToString(ca.SubjectKeyId)},
		{"TLS-Client-Cert-X509v3-Basic-Constraints", "CA:FALSE"},
		{"TLS-Client-Cert-X509v3-Extended-Key-Usage-OID", "1.3.6.1.5.5.7.3.2"},
		{"TLS-Client-Cert-1.3.6.1.4.1.37476.9000.64.1", "0x300e020106040761636d652d64610400"},
	} {
		members = append(members, fmt.Sprintf(`%q:{"type":"string","value":[%q]}`, a[0], a[1]))
	}
	return "{" + strings.Join(members, ",") + "}"
}
