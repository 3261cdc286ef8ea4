package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smallstep/certificates/webhook"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/postgres"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/relay"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/toolchain"
)

// replicas are connectors with one PostgreSQL, behind a balancer. The tests call them as step-ca does.
type replicas struct {
	database    *postgres.Server
	nodes       []*node
	balancer    *relay.Relay
	client      *http.Client
	credentials stepca.Credentials
	tokens      api
}

// node is a replica, with a relay of its own between it and the database.
type node struct {
	config  connector.Config
	running *connector.Connector
	link    *relay.Relay
	cut     atomic.Bool
}

const replicaPolicies = `inventories:
  owned: {provider: file, path: owned.csv, type: csv}
tokens:
  clients:
    - {name: enroll, bearer: {file: secret_enroll}, policies: [enrolment]}
policies:
  enrolment: {inventories: [owned], token: {required: true}}
webhooks:
  - {name: posture, id: ` + webhookID + `, secret: {file: secret_posture}, policy: enrolment, kind: enriching}
`

func startReplicas(t *testing.T) *replicas {
	t.Helper()
	programs, err := toolchain.Locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := programs.BuildConnector(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key, trusted := localCertificate(t, dir)
	r := &replicas{
		credentials: stepca.Credentials{ID: webhookID, Secret: newBearer()},
		// HTTP/1.1: requests at once are on connections of their own, which the balancer distributes.
		client: &http.Client{Timeout: answerTimeout, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13}, MaxIdleConnsPerHost: atOnce,
		}},
	}
	t.Cleanup(r.client.CloseIdleConnections)
	r.tokens = api{client: r.client, bearer: newBearer()}
	for name, content := range map[string]string{
		"owned.csv": "Identifier\n" + enrolledSerial + "\n", "secret_enroll": r.tokens.bearer, "secret_posture": r.credentials.Secret, "posture.yaml": replicaPolicies,
	} {
		writeFile(t, filepath.Join(dir, name), content)
	}
	r.startDatabase(t, programs, certificate, key)
	page := readGuide(t, &lab{programs: programs}, "../enrolment.md")
	state := page.block(t, "## Replicas", "ini")
	for range 2 {
		r.nodes = append(r.nodes, r.startNode(t, strings.TrimSpace(state), connector.Config{
			Binary: programs.Connector(), Dir: dir, Certificate: certificate, Key: key,
			PolicyPath: filepath.Join(dir, "posture.yaml"), Inventory: connector.Policies{}, LoggingLevel: 2,
		}))
	}
	r.balance(t)
	r.tokens.url = "https://" + r.balancer.Address() + "/v1/tokens"
	return r
}

// startDatabase runs PostgreSQL with the user and the database of the page.
func (r *replicas) startDatabase(t *testing.T, programs toolchain.Toolchain, certificate, key string) {
	t.Helper()
	var err error
	if r.database, err = postgres.Start(context.WithoutCancel(t.Context()), certificate, key); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.database.Stop(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	page := readGuide(t, &lab{programs: programs}, "../enrolment.md")
	for statement := range strings.Lines(page.block(t, "## Replicas", "sql")) {
		if _, err := r.database.Query(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// startNode runs a connector whose STATE_URL is that of the page, with the address of a relay.
func (r *replicas) startNode(t *testing.T, state string, config connector.Config) *node {
	t.Helper()
	n := &node{config: config}
	var err error
	n.link, err = relay.Start(context.WithoutCancel(t.Context()), "127.0.0.1:0", func(ctx context.Context) (net.Conn, error) {
		if n.cut.Load() {
			return nil, errors.New("the network is cut")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", r.database.Address())
	})
	if err != nil {
		t.Fatal(err)
	}
	n.config.More = []string{replaceOnce(t, state, map[string]string{
		"db.example.com:5432": n.link.Address(), "/etc/ssl/certs/db-ca.pem": config.Certificate,
	})}
	err = process.RetryPort(t.Context(), func(_ context.Context, port int) error {
		n.config.Port = port
		return n.start(t)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("a connector printed:\n%s", n.running.Log())
		}
		if err := errors.Join(n.running.Stop(), n.link.Close()); err != nil {
			t.Errorf("stop a connector: %v", err)
		}
	})
	return n
}

func (n *node) start(t *testing.T) (err error) {
	t.Helper()
	n.running, err = connector.Start(context.WithoutCancel(t.Context()), n.config)
	return err
}

// crash kills the connector, and runs it again at the same address.
func (n *node) crash(t *testing.T) {
	t.Helper()
	if err := n.running.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := n.start(t); err != nil {
		t.Fatal(err)
	}
}

func (n *node) url() string { return "https://" + n.address() }

func (n *node) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.config.Port)) }

// balance runs a balancer: each connection goes to the next replica, or to the one after it when that does not answer.
func (r *replicas) balance(t *testing.T) {
	t.Helper()
	var turn atomic.Uint64
	var err error
	r.balancer, err = relay.Start(context.WithoutCancel(t.Context()), "127.0.0.1:0", func(ctx context.Context) (server net.Conn, err error) {
		first := turn.Add(1)
		for i := range r.nodes {
			n := r.nodes[(first+uint64(i))%uint64(len(r.nodes))]
			if server, err = new(net.Dialer).DialContext(ctx, "tcp", n.address()); err == nil {
				break
			}
		}
		return server, err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.balancer.Close() })
}

// url is the address of the balancer.
func (r *replicas) url() string { return "https://" + r.balancer.Address() }

// csr makes a CSR of a key with a token.
func csr(t *testing.T, key *ecdsa.PrivateKey, token string) *x509.CertificateRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subjectWith(enrolledSerial, "", token)}, key)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// answered is what a connector has answered.
type answered struct {
	status int
	allow  bool
	code   string
}

// ask sends a connector what step-ca sends before the template runs.
func (r *replicas) ask(ctx context.Context, url string, csr *x509.CertificateRequest) (answered, error) {
	var a answered
	content, err := webhook.NewRequestBody(
		webhook.WithX509CertificateRequest(csr), webhook.WithAttestationData(&webhook.AttestationData{PermanentIdentifier: enrolledSerial}))
	if err != nil {
		return a, err
	}
	content.Timestamp = time.Now()
	body, err := json.Marshal(content)
	if err != nil {
		return a, err
	}
	secret, err := base64.StdEncoding.DecodeString(r.credentials.Secret)
	if err != nil {
		return a, err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/webhook/device-attest", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	request.Header.Set("X-Smallstep-Webhook-ID", r.credentials.ID)
	request.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	response, err := r.client.Do(request)
	if err != nil {
		return a, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	var answer webhook.ResponseBody
	if err := json.Unmarshal(text, &answer); err != nil {
		return a, err
	}
	a.status, a.allow = response.StatusCode, answer.Allow
	if answer.Error != nil {
		a.code = answer.Error.Code
	}
	return a, nil
}
