package replay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/replay"
)

// tenRules is a policy of two inventories with ten rules.
func tenRules(t testing.TB, oldest string) *policy.Policy {
	t.Helper()
	s, err := policy.NewScope("jamf", "owned")
	if err != nil {
		t.Fatal(err)
	}
	p := &policy.Policy{Name: "staff", Inventories: []string{"jamf"}, AlsoIn: []string{"owned"}}
	for i, text := range []string{
		`device.os_version.atLeast("` + oldest + `")`, "device.last_seen > now - days(7)", "device.encrypted", "device.supervised || device.os == \"macOS\"",
		`"Finance" in device.groups || "Sales" in device.groups`, `device.ownership == "organization"`, "records.owned.found",
		`request.key_bits >= 256`, `request.names.all(n, n == device.identifier)`, `has(user.email_address)`,
	} {
		require, faults := s.CompileCondition(text)
		if faults != nil {
			t.Fatal(faults)
		}
		p.Rules = append(p.Rules, &policy.Rule{Name: fmt.Sprintf("rule_%d", i), Require: require, Code: posture.DeviceNotCompliant, Message: "a message"})
	}
	return p
}

// fullRecord is a record with most facts, and twenty groups.
func fullRecord(identifier string, i int) posture.Device {
	version, _ := posture.ParseVersion([]string{"14.7.1", "15.4", "15.5", "26.0.1"}[i%4])
	groups := make([]string, 20)
	for g := range groups {
		groups[g] = fmt.Sprintf("All Macs in building %d", g)
	}
	groups[7] = "Finance"
	return posture.Device{Identifier: identifier, Type: posture.Computer, Facts: posture.Facts{
		SerialNumber: posture.Known(identifier), UDID: posture.Known("7B3F2A61-6C0B-4C8E-9A53-2E1D4F6A8B90"), Name: posture.Known("Mac of the user"), Model: posture.Known("MacBook Pro (14-inch)"),
		OS: posture.Known("macOS"), OSVersion: posture.Known(version), Managed: posture.Known(true), Supervised: posture.Known(true), Encrypted: posture.Known(true),
		Ownership: posture.Known("organization"), LastSeen: posture.Known(start().Add(-time.Duration(i%5) * time.Hour)), EnrolledAt: posture.Known(start().AddDate(-1, 0, 0)),
		Groups: posture.Known(groups), Attributes: posture.Known(map[string]string{"Asset tag": fmt.Sprint(i), "Cost centre": "4711", "Purchased": "2025-03-01"}),
		User: posture.UserFacts{Username: posture.Known("user"), RealName: posture.Known("A User"), EmailAddress: posture.Known("user@example.com"), Department: posture.Known("Finance")},
	}}
}

// writeLog writes an audit log of n requests of n/10 devices.
func writeLog(t testing.TB, p *policy.Policy, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail, _, err := audit.OpenTrail(path)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	trail.RecordFacts()
	required := map[string]provider.Required{"jamf": {DefaultType: posture.MobileDevice}}
	for i := range n {
		text := fmt.Sprintf("C02XK%06d", i%(n/10))
		id, err := posture.ParseIdentifier(text)
		if err != nil {
			t.Fatal(err)
		}
		asked := map[string]inventory{"jamf": {record: fullRecord(text, i%(n/10))}, "owned": {record: posture.Device{Identifier: text}}}
		request := posture.Request{
			Door: "webhook", Caller: "devices", Kind: "enriching", Provisioner: "acme", Identifier: text, KeyType: "EC", KeyBits: 384, Names: []string{text},
		}
		e := decide(p, required, asked, posture.Query{Identifier: id, Type: posture.Computer}, request, start().Add(time.Duration(i)*time.Second))
		if err := trail.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// BenchmarkReplay replays 100,000 lines under a policy with ten rules; one of them denies a quarter of the devices. It
// reports the size of the log and the most memory that was in use besides.
func BenchmarkReplay(b *testing.B) {
	const lines = 100_000
	path := writeLog(b, tenRules(b, "14.0"), lines)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	p := tenRules(b, "15.0")
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	done := make(chan struct{})
	go func() {
		for ticks := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-ticks.C:
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				peak.Store(max(peak.Load(), now.HeapInuse))
			case <-done:
				return
			}
		}
	}()
	for b.Loop() {
		report, err := replay.New(options(p, map[string]provider.Required{"jamf": {DefaultType: posture.MobileDevice}})).Run(b.Context(), []string{path}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if report.Replayed != lines || report.Denied != lines/10/4 {
			b.Fatalf("%+v", report)
		}
	}
	close(done)
	const mib = 1 << 20
	b.ReportMetric(float64(info.Size())/mib, "MiB/log")
	b.ReportMetric(float64(peak.Load()-min(peak.Load(), before.HeapInuse))/mib, "MiB/peak")
}
