// Package cloud simulates, on the loopback interface, what step-ca and its clients ask of AWS, Google Cloud and Azure: the
// keys that sign identities of instances, and the metadata service of an instance.
//
// step-ca has the addresses of those keys built in, but fetches them with Go's default HTTP client. It is enough to give it
// this package's proxy, which serves these addresses, and this package's authority, which vouches for their names. The step
// client of an instance has the addresses of the metadata services built in too, and asks them through a proxy as well.
package cloud

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.step.sm/crypto/jose"
)

const (
	// keyBits is the size of the clouds' keys: RSA, because AWS signs its documents with nothing else.
	keyBits = 2048
	keyID   = "cloud-1"
	// lifetime is that of certificates and tokens, longer than any test.
	lifetime = 2 * time.Hour
	// headerTimeout bounds how long a client may take to send the header of a request.
	headerTimeout = 10 * time.Second
)

// The hosts whose addresses step-ca has built in.
const (
	googleHost    = "www.googleapis.com"
	microsoftHost = "login.microsoftonline.com"
)

// Cloud is the three clouds, which share one key.
type Cloud struct {
	key       *rsa.PrivateKey
	signer    jose.Signer
	roots     []byte // PEM of the certificate of key, for hosts and for documents of AWS
	rootsPath string
	keys      *server // serves the clouds' keys by HTTPS
	proxy     *server // leads to keys
	started   time.Time
}

// Start makes the clouds. A folder holds the certificate of their authority.
func Start(ctx context.Context, dir string) (*Cloud, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make the clouds' key: %w", err)
	}
	c := &Cloud{key: key, rootsPath: filepath.Join(dir, "clouds.crt"), started: time.Now()}
	if c.signer, err = newSigner(key); err != nil {
		return nil, err
	}
	certificate, err := c.certify()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.rootsPath, c.roots, 0o600); err != nil {
		return nil, fmt.Errorf("write the clouds' authority: %w", err)
	}
	if c.keys, err = serve(ctx, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, http.HandlerFunc(c.serveKeys)); err != nil {
		return nil, err
	}
	c.proxy, err = serve(ctx, nil, http.HandlerFunc(c.connect))
	if err != nil {
		return nil, errors.Join(err, c.keys.close())
	}
	return c, nil
}

// Close stops the servers.
func (c *Cloud) Close() error { return errors.Join(c.proxy.close(), c.keys.close()) }

// Env has the variables with which step-ca fetches the clouds' keys from here.
func (c *Cloud) Env() []string {
	return []string{"HTTPS_PROXY=" + c.proxy.url(), "SSL_CERT_FILE=" + c.rootsPath}
}

// RootsPath is the file of the certificate that signs the documents of AWS.
func (c *Cloud) RootsPath() string { return c.rootsPath }

// certify makes the certificate of the clouds' key, which is its own authority and has the names of the clouds' hosts.
func (c *Cloud) certify() (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated Clouds"},
		DNSNames:  []string{googleHost, microsoftHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, c.key.Public(), c.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make the clouds' authority: %w", err)
	}
	c.roots = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: crypto.PrivateKey(c.key)}, nil
}

// serveKeys answers what step-ca asks as it loads a provisioner: Google's keys, and a tenant's discovery document and keys.
func (c *Cloud) serveKeys(w http.ResponseWriter, r *http.Request) {
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: c.key.Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"}}}
	switch tenant, discovery := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/.well-known/openid-configuration"); {
	case r.Host == googleHost && r.URL.Path == "/oauth2/v3/certs", r.Host == microsoftHost && r.URL.Path == "/common/discovery/keys":
		answer(w, public)
	case r.Host == microsoftHost && discovery:
		answer(w, map[string]string{
			"issuer": issuerOf(tenant), "jwks_uri": "https://" + microsoftHost + "/common/discovery/keys",
		})
	default:
		http.Error(w, "no such address is simulated", http.StatusNotFound)
	}
}

// connect is the proxy: whatever the host, the connection leads to the clouds' keys, never out of the machine.
func (c *Cloud) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "the proxy is for HTTPS", http.StatusMethodNotAllowed)
		return
	}
	upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", c.keys.listener.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = upstream.Close() }()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = client.Close() }()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	})
	_, _ = io.Copy(upstream, client)
	_ = upstream.Close()
	answers.Wait()
}

// server is an HTTP server on a free port of the loopback interface.
type server struct {
	listener net.Listener
	http     *http.Server
	done     chan struct{}
}

func serve(ctx context.Context, config *tls.Config, handler http.Handler) (*server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a cloud: %w", err)
	}
	s := &server{listener, &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout, TLSConfig: config}, make(chan struct{})}
	go func() {
		defer close(s.done)
		if config == nil {
			_ = s.http.Serve(listener)
			return
		}
		_ = s.http.ServeTLS(listener, "", "")
	}()
	return s, nil
}

func (s *server) url() string { return "http://" + s.listener.Addr().String() }

func (s *server) close() error {
	err := s.http.Close()
	<-s.done
	return err
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
