//go:build compose

package podspec_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/toolchain"
)

const (
	name      = "step-posture-connector"
	probeTime = 10 * time.Second // for one question to a pod
)

// stack is an overlay that runs: its deployment, its Service, and a CA that asks it.
type stack struct {
	*node
	manifests manifests
	ca        *authority
	d         *deployment
	service   string // the container of the Service
}

// newStack makes what the manifests expect to be there, and applies them.
func newStack(t *testing.T, overlay string) *stack {
	t.Helper()
	programs, err := toolchain.Locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{manifests: render(t, programs.Repository(), overlay)}
	s.node = newNode(t)
	s.claims = s.manifests.claims
	s.ca = newAuthority(t, s.node, programs.Repository())
	s.ca.serve(t, image(t, "BALANCER_IMAGE"))
	for name, object := range s.manifests.configMaps {
		s.applyConfigMap(t, name, object.Data)
	}
	s.applyConfigMap(t, name+"-ca", map[string]string{"root_ca.crt": s.ca.root})
	id, secret := s.ca.webhook(t, "posture")
	s.applySecret(t, name+"-webhook", map[string]string{"ids": id, "secrets": secret})
	return s
}

// start applies the deployment and its Service, and waits until all replicas are available.
func (s *stack) start(t *testing.T) {
	t.Helper()
	s.service = s.serve(t, s.manifests.services[name], namespace, image(t, "BALANCER_IMAGE"))
	s.d = s.deploy(t, s.manifests.deployment.Spec)
	s.await(t, nil)
}

// await waits until all replicas are available and none of the others is left.
func (s *stack) await(t *testing.T, others []*pod) {
	t.Helper()
	eventually(t, "the deployment is complete", func() bool { return s.d.complete(others) })
	for _, p := range others {
		eventually(t, "a replaced pod has ended", func() bool {
			select {
			case <-p.ended:
				return true
			default:
				return false
			}
		})
	}
	s.settle(t)
}

// settle waits until the balancer knows the endpoints of now.
func (s *stack) settle(t *testing.T) {
	t.Helper()
	if !sleep(t.Context(), time.Duration(s.lag.Load())+time.Second) {
		t.Fatal("the test ends")
	}
}

// connectors are the containers of the connector in all pods of the deployment.
func (s *stack) connectors() []*container {
	var all []*container
	for _, p := range s.d.current() {
		if c := p.container("connector"); c != nil {
			all = append(all, c)
		}
	}
	return all
}

// exec runs a command in a container, as kubectl exec does.
func (s *stack) exec(c *container, args ...string) (string, error) {
	return run(s.ctx, nil, append([]string{"docker", "exec", c.current()}, args...)...)
}

// health asks the health listener of a pod.
func (c *container) health(ctx context.Context, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.pod.ip+":9444"+path, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// metric is the value of a series, 0 when there is none.
func (c *container) metric(t *testing.T, series string) float64 {
	t.Helper()
	_, body, err := c.health(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			var number float64
			if _, err := fmt.Sscan(value, &number); err != nil {
				t.Fatal(err)
			}
			return number
		}
	}
	return 0
}

// reloaded changes something, and waits until each pod has loaded it, with a result. No pod is restarted.
func (s *stack) reloaded(t *testing.T, source, result string, change func()) {
	t.Helper()
	series := fmt.Sprintf(`step_posture_reloads_total{result=%q,source=%q}`, result, source)
	connectors := s.connectors()
	var before []float64
	for _, c := range connectors {
		before = append(before, c.metric(t, series))
	}
	change()
	for i, c := range connectors {
		eventually(t, "a pod has reloaded the "+source+" with "+result, func() bool { return c.metric(t, series) > before[i] })
		if starts := len(c.attempts()); starts != 1 {
			t.Errorf("the connector was started %d times", starts)
		}
	}
	if !slices.Equal(s.connectors(), connectors) {
		t.Error("the pods were replaced")
	}
}

// served is the certificate that a pod shows.
func (s *stack) served(t *testing.T, c *container) *x509.Certificate {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.ca.root))
	ctx, cancel := context.WithTimeout(t.Context(), probeTime)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: name + "." + namespace + ".svc.cluster.local", MinVersion: tls.VersionTLS13}}
	connection, err := dialer.DialContext(ctx, "tcp", c.pod.ip+":9443")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// lost is what the orders of load were answered with in place of what they should have been.
type lost struct {
	mu     sync.Mutex
	errs   []error
	placed atomic.Int64
}

func (l *lost) all() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.errs)
}

// load places orders without pause until it is stopped; every fourth is of an unknown device.
func (s *stack) load(t *testing.T) (l *lost, stop func()) {
	t.Helper()
	l = &lost{}
	done := make(chan struct{})
	var working sync.WaitGroup
	for range 2 {
		working.Go(func() {
			for i := 1; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				var err error
				if i%4 == 0 {
					err = s.ca.refused(t.Context(), unknown, "deviceNotFound")
				} else if _, err = s.ca.order(t.Context(), known); err != nil {
					err = fmt.Errorf("an order of %s gets %w", known, err)
				}
				if err != nil {
					l.mu.Lock()
					l.errs = append(l.errs, err)
					l.mu.Unlock()
				}
				l.placed.Add(1)
			}
		})
	}
	return l, sync.OnceFunc(func() { close(done); working.Wait() })
}

// connect opens connections to the Service, one after the other, until it is told to stop; then it says how many. step-ca
// keeps some of its own, and so rarely comes to a pod that has just ended.
func (s *stack) connect(t *testing.T) (stop func() int) {
	t.Helper()
	address := s.address(t, s.service, s.manifests.services[name].Spec.Ports[0].Port)
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	count := 0
	working.Go(func() {
		for sleep(ctx, 20*time.Millisecond) {
			connection, err := (&net.Dialer{Timeout: probeTime}).DialContext(ctx, "tcp", address)
			if err != nil {
				continue
			}
			count++
			_ = connection.Close()
		}
	})
	return func() int { cancel(); working.Wait(); return count }
}

// address is where the Service of a container is reached from here.
func (s *stack) address(t *testing.T, service string, port int32) string {
	t.Helper()
	ip := s.docker(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", service)
	return fmt.Sprintf("%s:%d", strings.TrimSpace(ip), port)
}

// more waits until so many more orders were placed.
func (l *lost) more(t *testing.T, count int64) {
	t.Helper()
	enough := l.placed.Load() + count
	eventually(t, "orders are placed", func() bool { return l.placed.Load() >= enough })
}

// notReached are the connections for which the Service has found nobody at the endpoint.
func (s *stack) notReached(t *testing.T) int {
	t.Helper()
	return strings.Count(both(s.ctx, s.service), "\n")
}
