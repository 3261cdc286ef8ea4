package file

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"step-posture-connector/internal/posture"
)

func fromLines(in *inventory, content []byte) error {
	return readLines(withoutBOM(bytes.NewReader(content)), in)
}

// FuzzLines: a list that loads has exactly the identifiers of its lines, in the shortest way to read them; and one with a
// read error does not load.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "C02\nC03\n", "\xef\xbb\xbfC02\r\n\r\n  \t\nc02", " C02 \n\tC03\t\n", "C02\n,\nC\xff\n\"\n;\n\xef\xbb\xbfC\n", "C02\rC03\n",
		"#x\n'C\n1.23E+11\nIdentifier\n", "\u212a\n", "C02\x00\n\x1f\n", strings.Repeat("x", 300) + "\n" + strings.Repeat(" ", 70000) + "C02\n",
		"\u00a0C02\u2003\n\u0085\n",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "devices.txt")
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := read(content, fromLines)
		broken := io.MultiReader(bytes.NewReader(content), iotest.ErrReader(errors.New("broken")))
		if errBroken := readLines(withoutBOM(broken), newInventory(0)); errBroken == nil {
			t.Error("a list with a read error loads")
		}
		if err != nil {
			checkFault(t, path, "lines", content, `line \d+`)
			return
		}
		checkInventory(t, in)
		want := map[string]bool{}
		for line := range strings.SplitSeq(strings.TrimPrefix(string(content), "\xef\xbb\xbf"), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				id, err := posture.ParseIdentifier(line)
				if err != nil {
					t.Fatalf("the line %q is accepted: %v", line, err)
				}
				want[id.Key()] = true
			}
		}
		if got := slices.Sorted(maps.Keys(devices(t, in))); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Errorf("%q loads as %q, want %q", content, got, slices.Sorted(maps.Keys(want)))
		}
	})
}
