//go:build linux

package soak_test

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
	"step-posture-connector/internal/test/program"
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

// soak is a daemon with a file, a daemon with Jamf Pro, and everything that may happen to them.
type soak struct {
	pki     *program.PKI // of the daemon with the file
	jamfPKI *program.PKI
	file    *program.Daemon
	jamf    *program.Daemon
	vendor  *jamftest.Server
	files   *program.Swapper
	audit   string

	faulty   atomic.Bool // the vendor may have a fault
	requests atomic.Int64

	mu       sync.Mutex
	answered map[*program.Daemon]map[string]int64 // by outcome
	ids      []string                             // of the requests that the daemon with the file has answered
	rotated  int
}

// TestSoak: files change, the MDM fails, unauthenticated and slow clients come, and step-ca sends requests all the
// time. No request of step-ca is lost or gets a wrong answer, and memory, goroutines and open files do not grow.
func TestSoak(t *testing.T) {
	t.Parallel()
	s := newSoak(t)
	s.run(t, max(5*time.Second, soakTime(t)/10))
	before := []usage{s.settle(t, s.file), s.settle(t, s.jamf)}
	s.run(t, soakTime(t))
	for i, d := range []*program.Daemon{s.file, s.jamf} {
		after := s.settle(t, d)
		// The last garbage collection may have found memory in use; the next one comes after two minutes at most.
		for begin := time.Now(); before[i].growth(after) != nil && time.Since(begin) < 3*time.Minute; {
			after = s.settle(t, d)
		}
		t.Logf("before %+v, after %+v", before[i], after)
		if err := before[i].growth(after); err != nil {
			t.Error(err)
		}
		s.wantCounted(t, d)
	}
	t.Logf("%d requests of step-ca, %v answers, %d rotations, %d versions of the files",
		s.requests.Load(), []map[string]int64{s.answered[s.file], s.answered[s.jamf]}, s.rotated, s.files.Version.Load())
	for _, d := range []*program.Daemon{s.file, s.jamf} {
		if code, output := d.Stop(t); code != 0 || strings.Contains(output, "panic") || strings.Contains(output, "goroutine ") {
			t.Errorf("exit code %d, or a panic:\n%.20000s", code, output)
		}
	}
	s.wantAudited(t)
	for _, violation := range s.vendor.Violations() {
		t.Errorf("the MDM reports a violation: %s", violation)
	}
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	p := program.NewPKI(t)
	folder := t.TempDir()
	s := &soak{pki: p, audit: filepath.Join(folder, "audit.jsonl"), files: &program.Swapper{PKI: p, Inventory: filepath.Join(folder, "devices.json")}}
	s.files.Swap(t, "")
	s.file = program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", s.files.Inventory, "AUDIT_LOG_PATH", s.audit, "HEALTH_ADDRESS", program.FreeHealth,
		"ENABLE_MTLS", "1", "TLS_CA_PATH", p.CACert, "MTLS_ALLOWED_NAMES", "ca", "MAX_CONNECTIONS", "64"))
	// A PKI of its own: the other daemon's files are replaced.
	s.jamfPKI = program.NewPKI(t)
	mac := program.Mac("C02XK1JKLVCG")
	mac.UDID = "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11"
	var env program.Environment
	s.vendor, env = program.StartJamf(t, s.jamfPKI, mac)
	s.jamf = program.StartDaemon(t, env.With("TIMEOUT", "2", "HEALTH_ADDRESS", program.FreeHealth))
	s.answered = map[*program.Daemon]map[string]int64{s.file: {}, s.jamf: {}}
	return s
}

// run runs everything at once for some time, and waits until all of it has ended.
func (s *soak) run(t *testing.T, howLong time.Duration) {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), howLong)
	defer end()
	var working sync.WaitGroup
	for _, activity := range []func(context.Context, *testing.T){
		s.callFile(false), s.callFile(false), s.callFile(true), s.callJamf(false), s.callJamf(false), s.callJamf(true),
		s.changeFiles, s.failJamf, s.rotate, s.unauthenticated(s.file), s.unauthenticated(s.jamf), s.slowClients(s.file), s.slowClients(s.jamf), s.watch,
	} {
		working.Go(func() { activity(ctx, t) })
	}
	working.Wait()
}

// usage is what a daemon uses.
type usage struct {
	goroutines, files, connections float64
	heap                           float64 // bytes in use after the last garbage collection
}

// settle waits until the daemon has no connection, and measures it.
func (s *soak) settle(t *testing.T, d *program.Daemon) usage {
	t.Helper()
	value := func(name string) float64 {
		v, err := strconv.ParseFloat(d.Metric(t, name), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	d.Eventually(t, "all connections are closed", func() bool { return value("step_posture_connections") == 0 })
	least := usage{math.Inf(1), math.Inf(1), 0, math.Inf(1)}
	// Scraping makes garbage, which starts the collector. Goroutines and files end in their own time: the minimum counts.
	for range 50 {
		least.goroutines = min(least.goroutines, value("go_goroutines"))
		least.files = min(least.files, value("process_open_fds"))
		// The next collection starts when the heap is twice as large as after the last one.
		least.heap = min(least.heap, value("go_memstats_next_gc_bytes")/2)
		time.Sleep(20 * time.Millisecond) // between samples
	}
	return least
}

// growth reports what has grown. Some more goroutines and files are normal, for idle connections to the MDM: at most
// five, with two goroutines each. The heap may be larger by one version of the inventory and the buffers of such a
// load.
func (u usage) growth(after usage) error {
	if after.goroutines > u.goroutines+12 || after.files > u.files+6 {
		return fmt.Errorf("goroutines and files have grown: %+v, before %+v", after, u)
	}
	if after.heap > 1.5*u.heap+(4<<20) {
		return fmt.Errorf("the heap has grown: %+v, before %+v", after, u)
	}
	return nil
}

// wantCounted: /metrics counts exactly the answers that step-ca has got.
func (s *soak) wantCounted(t *testing.T, d *program.Daemon) {
	t.Helper()
	provider := "file"
	if d == s.jamf {
		provider = "jamf"
	}
	for outcome, series := range map[string]string{
		"allow":    `{code="none",outcome="allow",provider="` + provider + `"}`,
		"notFound": `{code="deviceNotFound",outcome="deny",provider="` + provider + `"}`,
	} {
		d.Eventually(t, "all answers are counted", func() bool {
			return d.Metric(t, "step_posture_decisions_total"+series) == fmt.Sprint(s.answered[d][outcome])
		})
	}
	if d == s.jamf {
		// The last lookup may have failed, and readiness depends on the last lookup.
		by := program.NewStepCA(t, s.jamfPKI, d.Address, nil)
		d.Eventually(t, "a lookup is answered", func() bool {
			status, _, err := by.SendMode(t, "C02XK1JKLVCG", "computer")
			return err == nil && status == http.StatusOK
		})
	}
	d.Eventually(t, "it is ready", func() bool { code, status, _ := d.Ready(t); return code == http.StatusOK && status == "ok" })
}

// wantAudited: each answer of the daemon with the file has exactly one line, over all rotations.
func (s *soak) wantAudited(t *testing.T) {
	t.Helper()
	var lines []string
	for i := range s.rotated {
		for _, line := range program.ReadAuditLog(t, fmt.Sprint(s.audit, ".", i)) {
			lines = append(lines, line.RequestID)
		}
	}
	for _, line := range program.ReadAuditLog(t, s.audit) {
		lines = append(lines, line.RequestID)
	}
	slices.Sort(lines)
	slices.Sort(s.ids)
	if !slices.Equal(lines, s.ids) {
		t.Errorf("the audit log has %d lines, want one for each of %d answers", len(lines), len(s.ids))
	}
}
