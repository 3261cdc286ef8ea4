package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limitsFile is where a package declares its limits.
const limitsFile = "limits.go"

// isForTests reports whether the product does not import a folder: a simulated server is beside its provider.
func isForTests(folder string) bool {
	return strings.HasPrefix(folder, "internal/test") || strings.HasPrefix(folder, "internal/provider/") && strings.Contains(folder+"/", "test/")
}

// constant is a time limit as the code declares it.
type constant struct {
	name  string // package.name
	value time.Duration
	path  string
}

// TestTimeLimits compares the tables of time limits in docs/operation.md with the constants. Each package declares its
// time limits in limits.go, and the tables have all of those.
func TestTimeLimits(t *testing.T) {
	t.Parallel()
	known := map[string]time.Duration{}
	var required []string
	for _, c := range timeLimits(t) {
		known[c.name] = c.value
		folder, file := filepath.Split(c.path)
		if file != limitsFile {
			t.Errorf("%s declares %s; move it to %s%s", c.path, c.name, folder, limitsFile)
		}
		required = append(required, c.name)
	}
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| [^|]+ \\| (\\d+) (ms|s|min) \\| `([a-z]+\\.[A-Za-z]+)` \\|$").FindAllStringSubmatch(read(t, "docs/operation.md"), -1) {
		number, _ := strconv.Atoi(row[1])
		want := time.Duration(number) * map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "min": time.Minute}[row[2]]
		if got, ok := known[row[3]]; !ok || got != want {
			t.Errorf("docs/operation.md says that %s is %v, the code says %v", row[3], want, got)
		}
		listed[row[3]] = true
	}
	for _, name := range required {
		if !listed[name] {
			t.Errorf("%s is not in the tables of docs/operation.md", name)
		}
	}
	if len(listed) < 30 {
		t.Errorf("the tables of docs/operation.md have %d constants, want more", len(listed))
	}
}

// timeLimits returns the constants of the product that are durations.
func timeLimits(t *testing.T) []constant {
	t.Helper()
	var found []constant
	err := filepath.WalkDir("internal", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && isForTests(path):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			if group, ok := node.(*ast.GenDecl); ok && group.Tok == token.CONST {
				found = append(found, durations(group, parsed.Name.Name, path)...)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func durations(group *ast.GenDecl, pkg, path string) []constant {
	var found []constant
	for _, spec := range group.Specs {
		values, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, value := range values.Values {
			if d := duration(value); d > 0 {
				found = append(found, constant{pkg + "." + values.Names[i].Name, d, path})
			}
		}
	}
	return found
}

// duration returns the value of time.UNIT, NUMBER * time.UNIT or time.UNIT / NUMBER, and 0 for everything else.
func duration(value ast.Expr) time.Duration {
	switch e := value.(type) {
	case *ast.SelectorExpr:
		units := map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}
		if from, ok := e.X.(*ast.Ident); ok && from.Name == "time" {
			return units[e.Sel.Name]
		}
	case *ast.BinaryExpr:
		if unit := duration(e.X); unit > 0 && e.Op == token.QUO {
			return unit / max(1, time.Duration(number(e.Y)))
		}
		if unit := duration(e.Y); unit > 0 && e.Op == token.MUL {
			return time.Duration(number(e.X)) * unit
		}
	}
	return 0
}

// number returns the value of a number, or of a product of numbers, and 0 for everything else.
func number(value ast.Expr) int {
	if product, ok := value.(*ast.BinaryExpr); ok && product.Op == token.MUL {
		return number(product.X) * number(product.Y)
	}
	literal, ok := value.(*ast.BasicLit)
	if !ok {
		return 0
	}
	n, _ := strconv.Atoi(literal.Value)
	return n
}
