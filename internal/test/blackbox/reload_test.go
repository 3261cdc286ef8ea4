package blackbox_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// get asks the health listener.
func (p *process) get(t *testing.T, path string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.health+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// metric returns the value of a series as /metrics has it.
func (p *process) metric(t *testing.T, series string) string {
	t.Helper()
	_, text := p.get(t, "/metrics")
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("/metrics has no %s", series)
	}
	return found[1]
}

// eventually waits until something holds.
func (p *process) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			output := p.output()
			t.Fatalf("waited %s in vain: %s\n…%s", patience, what, output[max(0, len(output)-10_000):])
		}
	}
}

// ready is what /readyz says: the status, and the checks that are not well.
func (p *process) ready(t *testing.T) (code int, status string, wrong map[string]string) {
	t.Helper()
	code, text := p.get(t, "/readyz")
	var report struct {
		Status string
		Checks map[string]struct{ Status, Message string }
	}
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatalf("/readyz answered %d %s: %v", code, text, err)
	}
	wrong = map[string]string{}
	for name, check := range report.Checks {
		if check.Status != "ok" {
			wrong[name] = check.Status + ": " + check.Message
		}
	}
	return code, report.Status, wrong
}

func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (s *signer) wantDecision(t *testing.T, what, identifier, want string) {
	t.Helper()
	status, text, err := s.send(t, order(identifier))
	if err != nil || status != http.StatusOK || !strings.HasPrefix(text, want) {
		t.Errorf("%s: %s got %d %s (%v), want 200 %s…", what, identifier, status, text, err, want)
	}
}

const (
	allowed  = `{"allow":true,`
	notFound = `{"allow":false,"error":{"code":"deviceNotFound",`
)

// A device that is added to the file is allowed without a restart; a broken file leaves the old one in
// force, and /readyz and the log say so until it is mended.
func TestInventoryIsPickedUpAgain(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	replaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	d := startDaemon(t, workingEnvironment(t, p).with("FILE_PATH", inventory, "FILE_TYPE", "csv", "HEALTH_ADDRESS", freeHealth))
	s := newSigner(t, p, d.address, nil)
	s.wantDecision(t, "at first", "C02XK1JKLVCG", allowed)
	s.wantDecision(t, "at first", "C02XK1JKLVCH", notFound)

	replaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n")
	d.eventually(t, "two devices are loaded", func() bool { return strings.Contains(d.output(), "2 devices in "+inventory) })
	s.wantDecision(t, "added", "C02XK1JKLVCH", allowed)

	for what, spoil := range map[string]func(){
		"not readable": func() { _ = os.Remove(inventory); _ = os.Mkdir(inventory, 0o700) },
		"broken":       func() { _ = os.Remove(inventory); replaceFile(t, inventory, "Identifier\nC02XK1JKLVCG,\n") },
		"not there":    func() { _ = os.Remove(inventory) },
	} {
		spoil()
		d.eventually(t, what+": /readyz says so", func() bool {
			code, status, wrong := d.ready(t)
			return code == http.StatusOK && status == "degraded" && len(wrong) == 1 && strings.Contains(wrong["inventory"], inventory)
		})
		if got := d.metric(t, `step_posture_check_ok{check="inventory"}`); got != "0" {
			t.Errorf("%s: step_posture_check_ok is %s, want 0", what, got)
		}
		s.wantDecision(t, what, "C02XK1JKLVCH", allowed)
		s.wantDecision(t, what, "C02STRANGER1", notFound)
		if !strings.Contains(d.output(), "reload failed") {
			t.Errorf("%s: the log does not say so:\n%s", what, d.output())
		}
		_ = os.Remove(inventory)
		replaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n")
		d.eventually(t, what+", mended: /readyz is ok", func() bool { code, status, _ := d.ready(t); return code == http.StatusOK && status == "ok" })
	}
	replaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	d.eventually(t, "one device is loaded", func() bool { return strings.Contains(d.output(), "reloaded: 1 device in") })
	s.wantDecision(t, "removed", "C02XK1JKLVCH", notFound)
	if code, output := d.stop(t); code != 0 {
		t.Errorf("exit status %d, want 0:\n%s", code, output)
	}
}

// swapper replaces the files under a daemon, again and again.
type swapper struct {
	pki       *pki
	inventory string
	version   atomic.Int64 // of the inventory that was written last
}

// swap writes the next version of everything; broken has one of the files be of no use.
func (s *swapper) swap(t *testing.T, broken string) {
	t.Helper()
	version := s.version.Add(1)
	certificate := leaf(fmt.Sprintf("connector %d", version))
	certificate.SerialNumber = big.NewInt(version)
	certificate.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	key := ecKey(t)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.pki.write(t, "server.pem", "CERTIFICATE", s.pki.sign(t, certificate, key))
	if broken != "pair" { // else it does not match
		s.pki.write(t, "server.key", "PRIVATE KEY", private)
	}
	s.pki.write(t, "ca.pem", "CERTIFICATE", s.pki.ca.Raw)
	if broken == "bundle" {
		s.pki.write(t, "ca.pem", "CERTIFICATE", []byte("no certificate"))
	}
	data := fmt.Sprintf(`{"version":%d,"filler":%q,"again":%d}`, version, strings.Repeat("x", 1000), version)
	text := fmt.Sprintf(`{"devices":[{"identifier":"C02XK1JKLVCG","data":%s},{"identifier":"C02XK1JKLVCH","data":%s}]}`, data, data)
	if broken == "inventory" {
		text = text[:len(text)/2]
	}
	replaceFile(t, s.inventory, text)
}

// A hundred times all files are replaced, at times by broken ones, while requests and new connections
// come without pause: none fails, and none sees half of one version and half of another.
func TestRequestsWhileFilesAreSwapped(t *testing.T) {
	t.Parallel()
	const swaps, clients = 100, 3
	p := newPKI(t)
	files := &swapper{pki: p, inventory: filepath.Join(t.TempDir(), "devices.json")}
	files.swap(t, "")
	d := startDaemon(t, workingEnvironment(t, p).with("FILE_PATH", files.inventory, "HEALTH_ADDRESS", freeHealth,
		"ENABLE_MTLS", "1", "TLS_CA_PATH", p.caCert, "MTLS_ALLOWED_NAMES", "ca"))
	certificate := p.client(t, leaf("ca"))

	ctx, end := context.WithCancel(t.Context())
	defer end()
	var requests, connections atomic.Int64
	var working sync.WaitGroup
	for i := range clients {
		working.Go(func() {
			for ctx.Err() == nil {
				s := newSigner(t, p, d.address, certificate)
				for range 1 + 50*(i%2) { // every other client makes a new connection for each request
					files.ask(t, s)
					requests.Add(1)
				}
				s.client.CloseIdleConnections()
				connections.Add(1)
			}
		})
	}
	loads := func() int {
		sum := 0
		for _, series := range []string{`result="success",source="tls"`, `result="failure",source="tls"`, `result="success",source="inventory"`, `result="failure",source="inventory"`} {
			var n int
			_, _ = fmt.Sscan(d.metric(t, "step_posture_reloads_total{"+series+"}"), &n)
			sum += n
		}
		return sum
	}
	for i := range swaps {
		broken := []string{"", "pair", "", "bundle", "", "inventory"}[i%6]
		before := loads()
		files.swap(t, broken)
		d.eventually(t, "both were loaded or refused", func() bool { return loads() >= before+2 })
	}
	files.swap(t, "")
	want := fmt.Sprintf(`"version":%d,`, files.version.Load())
	s := newSigner(t, p, d.address, certificate)
	d.eventually(t, "the last inventory is in force", func() bool {
		_, text, _ := s.send(t, order("C02XK1JKLVCG"))
		return strings.Contains(text, want)
	})
	d.eventually(t, "the last certificate is in force", func() bool {
		state := talk(t, d.address, &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*certificate}})
		return state.PeerCertificates[0].SerialNumber.Int64() == files.version.Load()
	})
	end()
	working.Wait()
	t.Logf("%d requests on %d connections, %d loads", requests.Load(), connections.Load(), loads())
	if code, status, wrong := d.ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("/readyz says %d %s %q in the end", code, status, wrong)
	}
	for _, kind := range []string{"tls", "inventory"} {
		if d.metric(t, `step_posture_reloads_total{result="failure",source="`+kind+`"}`) == "0" {
			t.Errorf("no broken %s file was refused", kind)
		}
	}
	if code, output := d.stop(t); code != 0 || strings.Contains(output, "panic") {
		t.Errorf("exit status %d, want 0:\n%s", code, output)
	}
}

// ask makes a request, and wants a whole answer of one version.
func (s *swapper) ask(t *testing.T, by *signer) {
	t.Helper()
	status, text, err := by.send(t, order("C02XK1JKLVCG"))
	if err != nil || status != http.StatusOK || !s.whole(text) {
		t.Errorf("got %d %.200s (%v), want an allow with the data of one version", status, text, err)
	}
}

// whole tells whether an answer allows, with the data of one version.
func (s *swapper) whole(text string) bool {
	var answer struct {
		Allow bool
		Data  struct {
			Version, Again int64
			Filler         string
		}
	}
	err := json.Unmarshal([]byte(text), &answer)
	return err == nil && answer.Allow && answer.Data.Version == answer.Data.Again &&
		answer.Data.Version >= 1 && answer.Data.Version <= s.version.Load() && len(answer.Data.Filler) == 1000
}
