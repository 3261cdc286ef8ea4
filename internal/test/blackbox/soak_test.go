//go:build linux

package blackbox_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
)

// soakTime is how long the load of TestSoak runs, without its warm-up: SOAKTIME, or some seconds.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAKTIME")
	if text == "" {
		return 15 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SOAKTIME: %v", err)
	}
	return d
}

// soak is a day in fast motion: a daemon with a file and one with Jamf Pro, and all that happens to them.
type soak struct {
	pki    *pki
	file   *process
	jamf   *process
	vendor *jamftest.Server
	files  *swapper
	audit  string

	faulty   atomic.Bool // the vendor may be at fault
	requests atomic.Int64

	mu       sync.Mutex
	answered map[*process]map[string]int64 // by the outcome
	ids      []string                      // of the requests that the daemon with the file has answered
	rotated  int
}

// TestSoak: files that change, an MDM that fails, slow clients and strangers, and honest calls all the
// while. No honest call is lost or answered wrongly, and nothing grows.
func TestSoak(t *testing.T) {
	t.Parallel()
	s := newSoak(t)
	s.run(t, max(5*time.Second, soakTime(t)/10))
	before := []usage{s.settle(t, s.file), s.settle(t, s.jamf)}
	s.run(t, soakTime(t))
	for i, d := range []*process{s.file, s.jamf} {
		after := s.settle(t, d)
		// What the last collection has found may have been in use just then; the next one comes after two minutes
		// at the latest.
		for begin := time.Now(); before[i].growth(after) != nil && time.Since(begin) < 3*time.Minute; {
			after = s.settle(t, d)
		}
		t.Logf("before %+v, after %+v", before[i], after)
		if err := before[i].growth(after); err != nil {
			t.Error(err)
		}
		s.wantCounted(t, d)
	}
	t.Logf("%d honest requests, %v answers, %d rotations, %d versions of the files",
		s.requests.Load(), []map[string]int64{s.answered[s.file], s.answered[s.jamf]}, s.rotated, s.files.version.Load())
	for _, d := range []*process{s.file, s.jamf} {
		if code, output := d.stop(t); code != 0 || strings.Contains(output, "panic") || strings.Contains(output, "goroutine ") {
			t.Errorf("exit status %d, or a panic:\n%.20000s", code, output)
		}
	}
	s.wantAudited(t)
	for _, violation := range s.vendor.Violations() {
		t.Errorf("the MDM complains: %s", violation)
	}
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	p := newPKI(t)
	folder := t.TempDir()
	s := &soak{pki: p, audit: filepath.Join(folder, "audit.jsonl"), files: &swapper{pki: p, inventory: filepath.Join(folder, "devices.json")}}
	s.files.swap(t, "")
	s.file = startDaemon(t, workingEnvironment(t, p).with("FILE_PATH", s.files.inventory, "AUDIT_LOG_PATH", s.audit, "HEALTH_ADDRESS", freeHealth,
		"ENABLE_MTLS", "1", "TLS_CA_PATH", p.caCert, "MTLS_ALLOWED_NAMES", "ca", "MAX_CONNECTIONS", "64"))
	var err error
	managed := true
	s.vendor, err = jamftest.New(jamftest.Options{Devices: []jamftest.Device{{Computer: true, Serial: "C02XK1JKLVCG", UDID: "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", Managed: &managed}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.vendor.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.vendor.Close)
	roots := filepath.Join(folder, "vendor.pem")
	if err := os.WriteFile(roots, s.vendor.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	client := s.vendor.Client()
	// A pair of its own: the other daemon's is replaced.
	own := newPKI(t)
	s.jamf = startDaemon(t, workingEnvironment(t, own).with("PROVIDER", "jamf", "FILE_PATH", "", "FILE_TYPE", "", "SSL_CERT_FILE", roots, "TIMEOUT", "2",
		"JAMF_BASE_URL", s.vendor.BaseURL(), "JAMF_CLIENT_ID", client.ID, "JAMF_CLIENT_SECRET", client.Secret, "HEALTH_ADDRESS", freeHealth))
	s.jamf.roots = own
	s.answered = map[*process]map[string]int64{s.file: {}, s.jamf: {}}
	return s
}

// run has everything happen for some time, and then lets it end.
func (s *soak) run(t *testing.T, howLong time.Duration) {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), howLong)
	defer end()
	var working sync.WaitGroup
	for _, happens := range []func(context.Context, *testing.T){
		s.callFile(false), s.callFile(false), s.callFile(true), s.callJamf(false), s.callJamf(false), s.callJamf(true),
		s.changeFiles, s.failJamf, s.rotate, s.strangers(s.file), s.strangers(s.jamf), s.slowClients(s.file), s.slowClients(s.jamf), s.watch,
	} {
		working.Go(func() { happens(ctx, t) })
	}
	working.Wait()
}

// usage is what a daemon needs.
type usage struct {
	goroutines, files, connections float64
	heap                           float64 // bytes that the garbage collector found in use last
}

// settle waits until the daemon has no connection any more, and measures it.
func (s *soak) settle(t *testing.T, d *process) usage {
	t.Helper()
	value := func(name string) float64 {
		v, err := strconv.ParseFloat(d.metric(t, name), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	d.eventually(t, "all connections are closed", func() bool { return value("step_posture_connections") == 0 })
	least := usage{math.Inf(1), math.Inf(1), 0, math.Inf(1)}
	// The collector runs when there is garbage, which scraping makes; what ends, ends in its own time.
	for range 50 {
		least.goroutines = min(least.goroutines, value("go_goroutines"))
		least.files = min(least.files, value("process_open_fds"))
		// The next collection comes when the heap is twice as large as what the last one has left.
		least.heap = min(least.heap, value("go_memstats_next_gc_bytes")/2)
		time.Sleep(20 * time.Millisecond) // between samples
	}
	return least
}

// growth says what has grown. There may be some more goroutines and files, which come and go with idle
// connections to the MDM: at most five, with two goroutines each; and a heap that is larger by what one version of
// the inventory and the buffers of such a load take.
func (u usage) growth(after usage) error {
	if after.goroutines > u.goroutines+12 || after.files > u.files+6 {
		return fmt.Errorf("goroutines and files have grown: %+v, before %+v", after, u)
	}
	if after.heap > 1.5*u.heap+(4<<20) {
		return fmt.Errorf("the heap has grown: %+v, before %+v", after, u)
	}
	return nil
}

// wantCounted: /metrics has counted just the honest answers that the clients have got.
func (s *soak) wantCounted(t *testing.T, d *process) {
	t.Helper()
	provider := "file"
	if d == s.jamf {
		provider = "jamf"
	}
	for outcome, series := range map[string]string{
		"allow":    `{code="none",outcome="allow",provider="` + provider + `"}`,
		"notFound": `{code="deviceNotFound",outcome="deny",provider="` + provider + `"}`,
	} {
		d.eventually(t, "all are counted", func() bool {
			return d.metric(t, "step_posture_decisions_total"+series) == fmt.Sprint(s.answered[d][outcome])
		})
	}
	if d == s.jamf {
		// The last lookup may have been one that failed, and readiness goes by that.
		by := newSigner(t, d.roots, d.address, nil)
		d.eventually(t, "a lookup is answered", func() bool {
			status, _, err := by.sendMode(t, "C02XK1JKLVCG", "computer")
			return err == nil && status == http.StatusOK
		})
	}
	d.eventually(t, "it is ready", func() bool { code, status, _ := d.ready(t); return code == http.StatusOK && status == "ok" })
}

// wantAudited: each honest answer of the daemon with the file has its one line, over all rotations.
func (s *soak) wantAudited(t *testing.T) {
	t.Helper()
	var lines []string
	for i := range s.rotated {
		for _, line := range auditLines(t, fmt.Sprint(s.audit, ".", i)) {
			lines = append(lines, line.RequestID)
		}
	}
	for _, line := range auditLines(t, s.audit) {
		lines = append(lines, line.RequestID)
	}
	slices.Sort(lines)
	slices.Sort(s.ids)
	if !slices.Equal(lines, s.ids) {
		t.Errorf("the audit log has %d lines, want one for each of %d answers", len(lines), len(s.ids))
	}
}
