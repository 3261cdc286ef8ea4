package docs_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/variables"
)

// What documents, example files and compose files say about variables comes from their declarations. With
// GENERATE=1 in the environment the files are written: that is "make generate".
func TestGenerated(t *testing.T) {
	t.Parallel()
	files, err := variables.Files()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got := read(t, path)
		if got == want {
			continue
		}
		if os.Getenv("GENERATE") == "1" {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s is not what the declarations of the variables say: run make generate. The first line that differs:\n%s", path, firstDifference(got, want))
	}
}

func firstDifference(got, want string) string {
	wanted := slices.Collect(strings.Lines(want))
	for i, line := range slices.Collect(strings.Lines(got)) {
		if i >= len(wanted) || line != wanted[i] {
			return line
		}
	}
	return "(the end)"
}
