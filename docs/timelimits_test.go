package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTimeLimits compares the table of time limits in docs/operation.md with the constants, and insists that
// each limit of packages jamf and vendorhttp is in it.
func TestTimeLimits(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]time.Duration{}
	for prefix, folder := range map[string]string{
		"server.": "internal/server", "webhook.": "internal/webhook", "daemon.": "internal/daemon", "jamf.": "internal/provider/jamf",
		"vendorhttp.": "internal/provider/vendorhttp",
	} {
		for name, value := range durations(t, folder) {
			known[prefix+name] = value
		}
	}
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| [^|]+ \\| (\\d+) (ms|s|min) \\| `([a-z]+\\.[A-Za-z]+)` \\|$").FindAllStringSubmatch(string(text), -1) {
		number, _ := strconv.Atoi(row[1])
		want := time.Duration(number) * map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "min": time.Minute}[row[2]]
		if got, ok := known[row[3]]; !ok || got != want {
			t.Errorf("docs/operation.md says that %s is %v, the code says %v", row[3], want, got)
		}
		listed[row[3]] = true
	}
	for name := range known {
		if (strings.HasPrefix(name, "jamf.") || strings.HasPrefix(name, "vendorhttp.")) && !listed[name] {
			t.Errorf("%s is not in the table of docs/operation.md", name)
		}
	}
	if len(listed) < 20 {
		t.Errorf("the table of docs/operation.md has %d constants, want more", len(listed))
	}
}

// durations returns the constants of the form NUMBER * time.UNIT, or time.UNIT, in the files of a folder.
func durations(t *testing.T, folder string) map[string]time.Duration {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]time.Duration{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				constant, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, value := range constant.Values {
					if d := duration(value); d > 0 {
						found[constant.Names[i].Name] = d
					}
				}
			}
		}
	}
	return found
}

func duration(value ast.Expr) time.Duration {
	switch e := value.(type) {
	case *ast.SelectorExpr:
		units := map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}
		if from, ok := e.X.(*ast.Ident); ok && from.Name == "time" {
			return units[e.Sel.Name]
		}
	case *ast.BinaryExpr:
		factor, ok := e.X.(*ast.BasicLit)
		if number := 0; ok && e.Op == token.MUL {
			number, _ = strconv.Atoi(factor.Value)
			return time.Duration(number) * duration(e.Y)
		}
	}
	return 0
}
