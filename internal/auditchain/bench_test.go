package auditchain_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/auditchain"
	"step-posture-connector/internal/posture"
)

// BenchmarkVerify verifies a log with facts. "make bench-chain" has a million lines, in three files.
func BenchmarkVerify(b *testing.B) {
	lines, ok := flag.Lookup(chainLines).Value.(flag.Getter).Get().(int)
	if !ok {
		b.Fatal("no number of lines")
	}
	l := open(b, filepath.Join(b.TempDir(), "audit.jsonl"), key())
	l.RecordFacts()
	paths := []string{l.path}
	for i := range lines {
		if i == lines/3 || i == 2*lines/3 {
			paths = append(paths, fmt.Sprint(l.path, ".", i))
			l.rotate(b, paths[len(paths)-1])
		}
		if err := l.Append(withFacts(i)); err != nil {
			b.Fatal(err)
		}
	}
	_ = l.Close()
	size := int64(0)
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	b.SetBytes(size)
	b.ReportMetric(float64(size)/float64(lines), "B/line")
	for b.Loop() {
		r, err := auditchain.Verify(b.Context(), auditchain.Options{Key: key()}, paths, nil)
		if err != nil || !r.Intact || r.Lines != lines+3 {
			b.Fatalf("%+v, %v", r, err)
		}
	}
}

// withFacts is a decision about a device with twenty groups.
func withFacts(n int) *audit.Event {
	e := event(n)
	groups := make([]string, 20)
	for i := range groups {
		groups[i] = fmt.Sprintf("All Macs in building %d", i)
	}
	version, _ := posture.ParseVersion("15.5")
	e.Policy, e.Inventory, e.Door, e.Caller = "staff", "jamf", posture.WebhookDoor, "devices"
	e.WebhookID, e.RequestID = "98a6ad8d-d8e5-4d1d-b465-770fb66a5207", strings.Repeat("d3f2a1", 6)
	record := posture.Device{Identifier: e.Identifier, Type: posture.Computer, Facts: posture.Facts{
		SerialNumber: posture.Known(e.Identifier), UDID: posture.Known("7B3F2A61-6C0B-4C8E-9A53-2E1D4F6A8B90"), OSVersion: posture.Known(version),
		Managed: posture.Known(true), Encrypted: posture.Known(true), LastSeen: posture.Known(time.Unix(1_700_000_000, 0)), Groups: posture.Known(groups),
	}}
	evidence := &posture.Evidence{Now: e.Time, Request: posture.Request{Door: posture.WebhookDoor, Caller: "devices", Kind: posture.Enriching, Identifier: e.Identifier, KeyType: "EC", KeyBits: 256, Names: []string{e.Identifier}}}
	evidence.Put(posture.Answer{Inventory: "jamf", Record: &record, Type: posture.Computer, Asked: ^posture.FactSet(0)})
	e.Evidence = evidence
	return e
}
