// Package apiserver runs a real API server of Kubernetes on etcd, at 127.0.0.1, for the time of the tests.
//
// No controller, scheduler or kubelet runs beside it: a Deployment makes no pods, and a deleted namespace stays until
// Finalize. What the API server itself does is all there: defaults, validation, admission with Pod Security, RBAC.
package apiserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// requestLimit is how long the API server may take for one answer.
const requestLimit = time.Minute

// Programs are the paths of what runs.
type Programs struct{ Etcd, APIServer string }

// Server is an API server that runs.
type Server struct {
	url        string
	token      string
	client     *http.Client
	kubeconfig string
	resources  map[kind]resource
	stops      []func()
}

// Start starts etcd and the API server, with their files in a folder that is the caller's to remove. Their children end with
// the thread that calls this; see runtime.LockOSThread.
func Start(ctx context.Context, programs Programs, folder string) (_ *Server, err error) {
	s := &Server{}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	etcd, err := s.startEtcd(ctx, programs.Etcd, filepath.Join(folder, "etcd"))
	if err != nil {
		return nil, err
	}
	if err := s.startAPIServer(ctx, programs.APIServer, folder, etcd); err != nil {
		return nil, err
	}
	if err := s.writeKubeconfig(folder); err != nil {
		return nil, err
	}
	return s, nil
}

// Stop ends both, and waits for them.
func (s *Server) Stop() {
	for len(s.stops) > 0 {
		last := len(s.stops) - 1
		s.stops[last]()
		s.stops = s.stops[:last]
	}
}

// Kubeconfig is the path of a file with which kubectl and helm are an administrator.
func (s *Server) Kubeconfig() string { return s.kubeconfig }

func (s *Server) startEtcd(ctx context.Context, path, folder string) (url string, err error) {
	plain := &http.Client{Timeout: requestLimit}
	err = onFreePorts(ctx, 2, func(ports []int) error {
		// A try that failed may have left something.
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("empty the folder of etcd: %w", err)
		}
		url = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
		peers := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
		ready := func(ctx context.Context) error { return healthy(ctx, plain, url+"/health", "") }
		// What is written is thrown away, so it need not reach the disk.
		etcd, err := start(ctx, ready, path, "--name=test", "--data-dir="+folder, "--unsafe-no-fsync", "--log-level=error",
			"--listen-client-urls="+url, "--advertise-client-urls="+url,
			"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=test="+peers)
		if err == nil {
			s.stops = append(s.stops, etcd.stop)
		}
		return err
	})
	return url, err
}

func (s *Server) startAPIServer(ctx context.Context, path, folder, etcd string) error {
	key := filepath.Join(folder, "service-accounts.pem")
	if err := writeKey(key); err != nil {
		return err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	s.token = hex.EncodeToString(random)
	tokens := filepath.Join(folder, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(s.token+",test,test,system:masters\n"), 0o600); err != nil {
		return fmt.Errorf("write the token of the API server: %w", err)
	}
	certificates := filepath.Join(folder, "certificates")
	return onFreePorts(ctx, 1, func(ports []int) error {
		if err := os.RemoveAll(certificates); err != nil {
			return fmt.Errorf("remove old certificates: %w", err)
		}
		s.url = fmt.Sprintf("https://127.0.0.1:%d", ports[0])
		ready := func(ctx context.Context) error {
			if err := s.trust(filepath.Join(certificates, "apiserver.crt")); err != nil {
				return err
			}
			return healthy(ctx, s.client, s.url+"/readyz", s.token)
		}
		// The admission plugins are those of the defaults, Pod Security among them.
		server, err := start(ctx, ready, path, "--etcd-servers="+etcd, "--etcd-prefix=/registry",
			"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+strconv.Itoa(ports[0]), "--cert-dir="+certificates,
			"--authorization-mode=RBAC", "--token-auth-file="+tokens,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file="+key, "--service-account-signing-key-file="+key,
			"--service-cluster-ip-range=10.0.0.0/24")
		if err == nil {
			s.stops = append(s.stops, server.stop)
		}
		return err
	})
}

// trust reads the certificate that the API server makes for itself when it starts.
func (s *Server) trust(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the certificate of the API server: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return errors.New("the API server has not yet written its certificate")
	}
	s.client = &http.Client{
		Timeout:   requestLimit,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}},
	}
	return nil
}

func (s *Server) writeKubeconfig(folder string) error {
	s.kubeconfig = filepath.Join(folder, "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: test, user: {token: %q}}]
`, s.url, filepath.Join(folder, "certificates", "apiserver.crt"), s.token)
	if err := os.WriteFile(s.kubeconfig, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return nil
}

// writeKey makes the key that signs tokens of service accounts.
func writeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of service accounts: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key of service accounts: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("write the key of service accounts: %w", err)
	}
	return nil
}

// healthy wants the status 200.
func healthy(ctx context.Context, client *http.Client, url, token string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, response.Status, body)
	}
	return nil
}
