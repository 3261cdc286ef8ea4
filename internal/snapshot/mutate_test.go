package snapshot

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutation is a fault that TestModel must find.
type mutation struct {
	name, file string
	// changes are texts of the file and what stands there instead.
	changes [][2]string
}

func mutations() []mutation {
	const age = "return max(m.wall.Sub(before.wall), m.boot-before.boot)"
	return []mutation{
		{"age from the end of a fetch", "fetch.go", [][2]string{{"return b.end(listed), nil", "b.begun = read(k.state.Load().clock)\n\treturn b.end(listed), nil"}}},
		{"age by the time of the file", "load.go", [][2]string{
			{"r := &reader{", "info, _ := file.(*os.File).Stat()\n\tr := &reader{written: info.ModTime(), "},
			{"type reader struct {", "type reader struct {\n\twritten time.Time"},
			{"wall, err := readTime(text)", "wall, err := readTime(text)\n\twall = r.written"},
			{"\"io/fs\"\n", "\"io/fs\"\n\t\"os\"\n"},
		}},
		{"wall clock only", "clock.go", [][2]string{{age, "return m.wall.Sub(before.wall)"}}},
		{"boot clock only", "clock.go", [][2]string{{age, "return m.boot - before.boot"}}},
		{"the first of duplicates wins", "copied.go", [][2]string{{"markDuplicate(before)", "_ = before"}}},
		{"the last of duplicates wins", "copied.go", [][2]string{{
			"if before, repeated := b.table.Add(hash, row); repeated {\n\t\tmarkDuplicate(before)",
			"identifier, _ := compact.CutField(row)\n\tbefore, repeated := b.table.Find(string(identifier))\n\tif !repeated {\n\t\tb.table.Add(hash, row)\n\t} else if len(before) == len(row) {\n\t\tcopy(before, row)",
		}}},
		{"facts not covered", "recall.go", [][2]string{{" || !c.facts.Has(required)", ""}}},
		{"settings not compared", "load.go", [][2]string{{"err != nil || got != want.value {", "err != nil || got != want.value && want.name != \"settings\" {"}}},
		{"a partial fetch is adopted", "fetch.go", [][2]string{{"\tcase err != nil:\n\t\treturn nil, err\n\t}", "\t}"}}},
		{"a failed fetch makes the copy younger", "fetch.go", [][2]string{{"l.err, l.gone = err, nil", "l.err, l.gone = err, nil\n\tif l.copy != nil {\n\t\tyounger := *l.copy\n\t\tyounger.begun = now\n\t\tl.copy = &younger\n\t}"}}},
		{"a refusal from a copy", "../posture/gate.go", [][2]string{{"if err == nil && decision.Allowed() &&", "if err == nil &&"}}},
		{"hidden ignored", "recall.go", [][2]string{{"return hidden\n", "return hidden && false\n"}}},
		{"hidden never cleared", "state.go", [][2]string{{"if at < c.begun.boot {", "if at < 0 {"}}},
		{"absence without complete", "recall.go", [][2]string{{"complete = complete && c.complete", "complete = complete || c.complete"}}},
		{"complete without a total", "copied.go", [][2]string{{"listed.Total >= 0 && listed.Total == b.records", "listed.Total <= b.records"}}},
		{"a list that has shrunk is adopted at once", "fetch.go", [][2]string{{"2*c.table.Len() < baseline", "c.table.Len() < 0"}}},
		{"max_age included", "copied.go", [][2]string{{"age < maxAge", "age <= maxAge"}}},
		{"no check", "fetch.go", [][2]string{{"if err := k.check(ctx, c); err != nil {", "if err := k.check(ctx, c); err != nil && false {"}}},
		{"damaged records answer", "copied.go", [][2]string{{"wrong || l.Damaged {", "wrong {"}}},
		{"failing fetches wait too long", "due.go", [][2]string{{"return min(every, pause)", "return 4 * every"}}},
	}
}

// TestMutations plants faults in this package, each in a copy of a file beside it, and wants TestModel to find each. It takes
// minutes, so that only "make mutate-snapshot" runs it; otherwise it holds that all can still be planted.
func TestMutations(t *testing.T) {
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			source, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(source)
			for _, change := range m.changes {
				if n := strings.Count(text, change[0]); n != 1 {
					t.Fatalf("%s has %q %d times, want 1", m.file, change[0], n)
				}
				text = strings.Replace(text, change[0], change[1], 1)
			}
			if os.Getenv("MUTATE") != "" {
				plant(t, m.file, text)
			}
		})
	}
}

// plant runs TestModel with another text of a file.
func plant(t *testing.T, file, text string) {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	planted, overlay := filepath.Join(folder, "planted.go"), filepath.Join(folder, "overlay.json")
	replace, _ := json.Marshal(map[string]map[string]string{"Replace": {path: planted}})
	for name, content := range map[string][]byte{planted: []byte(text), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(folder, "planted.test")
	if output, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, output)
	}
	run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestModel$")
	run.Env = append(os.Environ(), "MODEL_HOURS=2000")
	output, err := run.CombinedOutput()
	report := string(output)
	if err == nil || !strings.Contains(report, "MODEL_SEED=") {
		t.Fatalf("TestModel does not find it: %v\n%s", err, report)
	}
	_, report, _ = strings.Cut(report, "MODEL_SEED=")
	report, _, _ = strings.Cut(report, "    model_test.go:")
	t.Logf("found: seed %s", strings.TrimSpace(report))
}
