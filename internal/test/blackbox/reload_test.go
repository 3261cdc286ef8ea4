package blackbox_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"step-posture-connector/internal/test/program"
)

// A device that is added to the file is allowed without a restart. With a broken file the previous version stays in
// effect, and /readyz and the log report that until the file is fixed.
func TestInventoryIsReloaded(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", inventory, "FILE_TYPE", "csv", "HEALTH_ADDRESS", program.FreeHealth))
	s := program.NewStepCA(t, p, d.Address, nil)
	s.WantDecision(t, "at first", "C02XK1JKLVCG", program.Allowed)
	s.WantDecision(t, "at first", "C02XK1JKLVCH", program.NotFound)

	program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n")
	d.Eventually(t, "two devices are loaded", func() bool { return strings.Contains(d.Output(), "2 devices in "+inventory) })
	s.WantDecision(t, "added", "C02XK1JKLVCH", program.Allowed)

	for what, damage := range map[string]func(){
		"not readable": func() { _ = os.Remove(inventory); _ = os.Mkdir(inventory, 0o700) },
		"broken":       func() { _ = os.Remove(inventory); program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG,\n") },
		"missing":      func() { _ = os.Remove(inventory) },
	} {
		damage()
		d.Eventually(t, what+": /readyz reports it", func() bool {
			code, status, wrong := d.Ready(t)
			return code == http.StatusOK && status == "degraded" && len(wrong) == 1 && strings.Contains(wrong["inventory"], inventory)
		})
		if got := d.Metric(t, `step_posture_check_ok{check="inventory"}`); got != "0" {
			t.Errorf("%s: step_posture_check_ok is %s, want 0", what, got)
		}
		s.WantDecision(t, what, "C02XK1JKLVCH", program.Allowed)
		s.WantDecision(t, what, "C02UNKNOWN01", program.NotFound)
		if !strings.Contains(d.Output(), "reload failed") {
			t.Errorf("%s: the log does not report it:\n%s", what, d.Output())
		}
		_ = os.Remove(inventory)
		program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n")
		d.Eventually(t, what+", fixed: /readyz is ok", func() bool { code, status, _ := d.Ready(t); return code == http.StatusOK && status == "ok" })
	}
	program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	d.Eventually(t, "one device is loaded", func() bool { return strings.Contains(d.Output(), "reloaded: 1 device in") })
	s.WantDecision(t, "removed", "C02XK1JKLVCH", program.NotFound)
	if code, output := d.Stop(t); code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, output)
	}
}

// All files are replaced a hundred times, at times by broken ones, while requests and new connections
// arrive without pause: none fails, and none gets parts of two versions. Four daemons share the replacements,
// because a reload waits until its file has been quiet for some time.
func TestRequestsWhileFilesAreReplaced(t *testing.T) {
	t.Parallel()
	const daemons, replacements = 4, 100
	for i := range daemons {
		t.Run(fmt.Sprint("daemon ", i), func(t *testing.T) {
			t.Parallel()
			replaceUnderLoad(t, replacements/daemons)
		})
	}
}

func replaceUnderLoad(t *testing.T, replacements int) {
	t.Helper()
	p := program.NewPKI(t)
	files := &program.Swapper{PKI: p, Inventory: filepath.Join(t.TempDir(), "devices.json")}
	files.Swap(t, "")
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", files.Inventory, "HEALTH_ADDRESS", program.FreeHealth,
		"ENABLE_MTLS", "1", "TLS_CA_PATH", p.CACert, "MTLS_ALLOWED_NAMES", "ca"))
	certificate := p.ClientCertificate(t, program.LeafTemplate("ca"))

	ctx, end := context.WithCancel(t.Context())
	defer end()
	var requests, connections atomic.Int64
	var working sync.WaitGroup
	for _, perConnection := range []int{1, 50} {
		working.Go(func() {
			for ctx.Err() == nil {
				s := program.NewStepCA(t, p, d.Address, certificate)
				for range perConnection {
					files.Ask(t, s)
					requests.Add(1)
				}
				s.Client.CloseIdleConnections()
				connections.Add(1)
			}
		})
	}
	reload := regexp.MustCompile(`(?m)^step_posture_reloads_total\{result="\w+",source="(?:tls|inventory)"\} (\d+)$`)
	reloads := func() int {
		_, text := d.Get(t, "/metrics")
		sum := 0
		for _, series := range reload.FindAllStringSubmatch(text, -1) {
			n, _ := strconv.Atoi(series[1])
			sum += n
		}
		return sum
	}
	for i := range replacements {
		broken := []string{"", "pair", "", "bundle", "", "inventory"}[i%6]
		before := reloads()
		files.Swap(t, broken)
		d.Eventually(t, "both were reloaded or refused", func() bool { return reloads() >= before+2 })
	}
	files.Swap(t, "")
	want := fmt.Sprintf(`"version":%d,`, files.Version.Load())
	s := program.NewStepCA(t, p, d.Address, certificate)
	d.Eventually(t, "the last inventory is in effect", func() bool {
		_, text, _ := s.Send(t, program.WebhookBody("C02XK1JKLVCG"))
		return strings.Contains(text, want)
	})
	d.Eventually(t, "the last certificate is in effect", func() bool {
		state := talk(t, d.Address, &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*certificate}})
		return state.PeerCertificates[0].SerialNumber.Int64() == files.Version.Load()
	})
	end()
	working.Wait()
	t.Logf("%d requests on %d connections, %d reloads", requests.Load(), connections.Load(), reloads())
	if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("in the end /readyz = %d %s %q", code, status, wrong)
	}
	for _, kind := range []string{"tls", "inventory"} {
		if d.Metric(t, `step_posture_reloads_total{result="failure",source="`+kind+`"}`) == "0" {
			t.Errorf("no broken %s file was refused", kind)
		}
	}
	if code, output := d.Stop(t); code != 0 || strings.Contains(output, "panic") {
		t.Errorf("exit code %d, want 0:\n%s", code, output)
	}
}
