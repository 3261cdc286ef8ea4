package e2e_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.step.sm/crypto/x509util"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The devices of the demo, and its credentials.
const (
	demoSerial   = "C02DEMO00001"
	demoUDID     = "00008030-C02DEMO00001" // that of lab.device
	demoOther    = "C02DEMO00002"          // listed, too
	demoUnlisted = "C02DEMO00003"
	demoWebhook  = "credential-of-the-webhook"
	demoKeys     = "credential-of-the-keys"
)

// copyTemplate does what the demo's does: the certificate has the subject of the CSR, and no SAN.
const copyTemplate = `{"subject": {{ toJson .Insecure.CR.Subject }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["clientAuth"]}`

// demoCA is a provisioner as mdmsecuritydemo has it, and a connector in place of its dynamicacme.
type demoCA struct {
	*lab
	*connector.Connector
	config      connector.Config
	provisioner string
	webhook     stepca.Credentials
}

// openDemo sets the provisioner up as the demo does: an ENRICHING webhook of the name webhook, with a bearer token.
func (l *lab) openDemo(t *testing.T, template string) *demoCA {
	t.Helper()
	d := &demoCA{lab: l, provisioner: provisionerName(t)}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"roots.crt": string(l.maker.RootPEM()), "template.json": template, "webhook-key": demoWebhook, "inventory.txt": demoSerial + "\n\n" + demoOther + "\n",
	} {
		writeFile(t, filepath.Join(dir, name), content)
	}
	certificate, key, err := l.ca.IssueServer(t.Context(), dir, stepca.EC)
	if err != nil {
		t.Fatal(err)
	}
	d.config = connector.Config{
		Binary: l.programs.Connector(), Dir: dir, Certificate: certificate, Key: key, Inventory: connector.Policies{},
		More: []string{
			"COMPAT_MDMSECURITYDEMO=1", "WEBHOOK_KEY=" + demoWebhook, "API_KEY=" + demoKeys, "DEVICE_INVENTORY_API_KEY=credential-of-the-queries",
			"INVENTORY_PATH=inventory.txt", "STATE_URL=sqlite:" + filepath.Join(dir, "state.db"),
		},
	}
	d.start(t)
	webhooks, err := people.SetUp(t.Context(), l.ca, dir, `step ca provisioner add `+d.provisioner+` --type ACME
step ca provisioner update `+d.provisioner+` --challenge device-attest-01 --attestation-format apple --attestation-roots roots.crt --x509-template template.json
step ca provisioner webhook add `+d.provisioner+` webhook --bearer-token-file webhook-key --url https://`+d.address()+`/webhook
`)
	if err != nil {
		t.Fatal(err)
	}
	d.webhook = webhooks["webhook"]
	return d
}

// start runs the connector until the test ends.
func (d *demoCA) start(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	err := process.RetryPort(ctx, func(ctx context.Context, port int) (err error) {
		d.config.Port = port
		d.Connector, err = connector.Start(ctx, d.config)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	running := d.Connector
	t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			t.Errorf("stop connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", running.Log())
		}
	})
}

func (d *demoCA) address() string { return "127.0.0.1:" + strconv.Itoa(d.config.Port) }

// key is what enrollhandler asks for.
func (d *demoCA) key(t *testing.T, udid string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+d.address()+"/api/key/"+udid, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+demoKeys)
	response, err := d.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Key string }
	if err := json.Unmarshal(body, &answer); err != nil || response.StatusCode != http.StatusOK || len(answer.Key) != 43 {
		t.Fatalf("got %d %s, want a key", response.StatusCode, body)
	}
	return answer.Key
}

// demoSubject is the subject of the demo's profile: four attributes in this order.
func demoSubject(serial, udid, key string) pkix.Name {
	return pkix.Name{SerialNumber: serial, ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 5, 4, 13}, Value: "Mac15,12"}, {Type: udidOID(), Value: udid}, {Type: tokenOID(), Value: key},
	}}
}

// with finalizes a new order of a device.
func (d *demoCA) with(t *testing.T, of *device.Device, subject pkix.Name) (*x509.Certificate, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	order, err := of.Order(ctx, d.client, d.ca.DirectoryURL(d.provisioner))
	if err != nil {
		t.Fatal(err)
	}
	return order.FinalizeWith(ctx, subject)
}

// expectSubject wants a certificate with exactly these attributes, in any order.
func expectSubject(t *testing.T, cert *x509.Certificate, err error, want ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("Finalize() = %v, want a certificate", err)
	}
	var got []string
	for _, attribute := range cert.Subject.Names {
		value, _ := attribute.Value.(string)
		got = append(got, attribute.Type.String()+"="+value)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the subject has %q, want %q", got, want)
	}
	if !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
		t.Errorf("the extended key usage is %v, want that of a client", cert.ExtKeyUsage)
	}
}

// TestMDMSecurityDemo: a real step-ca, set up as mdmsecuritydemo does, and the connector in place of dynamicacme.
func TestMDMSecurityDemo(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	t.Run("its own template", func(t *testing.T) { t.Parallel(); testDemoTemplate(t, l) })
	t.Run("the template of the page", func(t *testing.T) { t.Parallel(); testDemoPage(t, l) })
}

// testDemoTemplate: the demo as it is, until the signature is verified too.
func testDemoTemplate(t *testing.T, l *lab) {
	d := l.openDemo(t, copyTemplate)
	mac, key := l.device(t, demoSerial), d.key(t, demoUDID)
	for range 2 { // a further order of the same key
		cert, err := d.with(t, mac, demoSubject(demoSerial, demoUDID, key))
		expectSubject(t, cert, err, "2.5.4.5="+demoSerial, "2.5.4.13=Mac15,12", "2.5.4.45="+demoUDID, "2.5.4.35="+key)
		if len(cert.DNSNames)+len(cert.EmailAddresses)+len(cert.IPAddresses)+len(cert.URIs) > 0 {
			t.Errorf("the certificate has names beside its subject")
		}
	}
	refused := func(code string, of *device.Device, udid, key string) {
		t.Helper()
		cert, err := d.with(t, of, demoSubject(of.Serial, udid, key))
		expectRefused(t, d.Connector, code, of.Serial, cert, err)
	}
	refused("tokenInvalid", l.device(t, demoSerial), demoUDID, key) // it starts over, with another key
	refused("tokenInvalid", mac, demoUDID, strings.Repeat("A", 43))
	unused := d.key(t, demoUDID)
	refused("deviceNotFound", l.device(t, demoUnlisted), demoUDID, unused)
	refused("tokenInvalid", l.device(t, demoSerial), "00008030-"+demoOther, unused)

	// Step 6 of the page: the signature is verified beside the bearer token, and the keys outlive the restart.
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	d.config.Webhooks = []stepca.Credentials{d.webhook}
	d.start(t)
	if err := l.ca.MoveWebhook(t.Context(), d.provisioner, stepca.Webhook{Name: "webhook", URL: "https://" + d.address() + "/webhook"}); err != nil {
		t.Fatal(err)
	}
	cert, err := d.with(t, l.device(t, demoSerial), demoSubject(demoSerial, demoUDID, unused))
	expectSubject(t, cert, err, "2.5.4.5="+demoSerial, "2.5.4.13=Mac15,12", "2.5.4.45="+demoUDID, "2.5.4.35="+unused)
	expectNoToken(t, "the log", []byte(d.Log()), key)
	expectNoToken(t, "the log", []byte(d.Log()), unused)
}

// testDemoPage: with the template that the page recommends, no certificate has the key, nor a serial number that was not attested.
func testDemoPage(t *testing.T, l *lab) {
	d := l.openDemo(t, readGuide(t, l, "../mdmsecuritydemo.md").block(t, "## The certificate template", ""))
	for _, serial := range []string{demoSerial, demoOther} { // the first one lies
		key := d.key(t, demoUDID)
		cert, err := d.with(t, l.device(t, serial), demoSubject(demoOther, demoUDID, key))
		expectSubject(t, cert, err, "2.5.4.5="+serial, "2.5.4.13=Mac15,12", "2.5.4.45="+demoUDID)
		sans, err := x509util.ParseSubjectAlternativeNames(cert)
		if err != nil || len(sans.PermanentIdentifiers) != 1 || sans.PermanentIdentifiers[0].Identifier != serial {
			t.Errorf("the permanent identifiers are %+v, %v; want %s", sans.PermanentIdentifiers, err, serial)
		}
		expectNoToken(t, "the certificate", cert.Raw, key)
	}
	if err := l.ca.RemoveWebhook(t.Context(), d.provisioner, "webhook"); err != nil {
		t.Fatal(err)
	}
	cert, err := d.with(t, l.device(t, demoUnlisted), demoSubject(demoUnlisted, demoUDID, ""))
	expectProblem(t, cert, err, http.StatusInternalServerError, "urn:ietf:params:acme:error:serverInternal")
}
