package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

// written writes an inventory to a file and returns its configuration.
func written(t testing.TB, kind, content string) file.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices."+kind)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file.Config{Path: config.Path(path), Type: kind}
}

// loaded opens an inventory that must load, and returns its warnings.
func loaded(t testing.TB, kind, content string) (*file.Provider, []string) {
	t.Helper()
	c := written(t, kind, content)
	p, warnings, err := file.New(c)
	if err != nil {
		t.Fatalf("New(%s) of %.80q: %v", kind, content, err)
	}
	for i, warning := range warnings {
		warnings[i] = strings.ReplaceAll(warning, string(c.Path), "PATH")
	}
	return p, warnings
}

// refused opens an inventory that must not be used, and returns the lines that an operator reads,
// with PATH for the file's name.
func refused(t *testing.T, kind, content string) []string {
	t.Helper()
	c := written(t, kind, content)
	p, warnings, err := file.New(c)
	if err == nil {
		t.Fatalf("New(%s) of %.80q accepted it (warnings: %q)", kind, content, warnings)
	}
	if p != nil || warnings != nil {
		t.Errorf("New(%s) of %.80q returned a provider or warnings (%q) with its error", kind, content, warnings)
	}
	return strings.Split(strings.ReplaceAll(err.Error(), string(c.Path), "PATH"), "\n")
}

func identifier(t testing.TB, text string) posture.Identifier {
	t.Helper()
	id, err := posture.ParseIdentifier(text)
	if err != nil {
		t.Fatalf("ParseIdentifier(%q): %v", text, err)
	}
	return id
}

// wantData looks a device up and compares its data byte for byte.
func wantData(t *testing.T, p *file.Provider, text, want string) {
	t.Helper()
	id := identifier(t, text)
	device, err := p.Lookup(t.Context(), posture.Query{Identifier: id, Facts: posture.Document})
	switch {
	case err != nil:
		t.Errorf("Lookup(%q) = %v, want data %s", text, err, want)
	case string(device.Data) != want:
		t.Errorf("Lookup(%q) has data %s, want %s", text, device.Data, want)
	case device.Facts.Managed != posture.Known(true):
		t.Errorf("Lookup(%q) is not managed; every device in the file is", text)
	case !id.Matches(device):
		t.Errorf("Lookup(%q) returned the record of %q", text, device.Identifier)
	}
}

func wantNotFound(t *testing.T, p *file.Provider, text string) {
	t.Helper()
	device, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, text), Facts: posture.Document})
	if !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup(%q) = %+v, %v, want ErrNotFound", text, device, err)
	}
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got: %s\nwant: %s", what, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

func TestIdentifiersAreTrimmedAndCaseDoesNotMatter(t *testing.T) {
	t.Parallel()
	inventories := map[string]string{
		"csv":  "Identifier,n\n  C02kelvin\t,1\n00008110-00AA bb,2\n\"  quoted  \",3\n",
		"json": `{"devices":[{"identifier":"\tC02kelvin \n","data":{"n":"1"}},{"identifier":"00008110-00AA bb","data":{"n":"2"}},{"identifier":"  quoted  ","data":{"n":"3"}}]}`,
	}
	for kind, content := range inventories {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p, warnings := loaded(t, kind, content)
			wantLines(t, "warnings", warnings, nil)
			for _, same := range []string{"C02kelvin", "c02kelvin", "C02KELVIN", "c02KeLvIn"} {
				wantData(t, p, same, `{"n":"1"}`)
			}
			wantData(t, p, "00008110-00aa BB", `{"n":"2"}`)
			wantData(t, p, "QUOTED", `{"n":"3"}`)
			for _, other := range []string{"C02kelvi", "C02kelvinn", "02kelvin", "00008110-00AAbb", "00008110-00AA  bb", "C02", "*", "%", ".*"} {
				wantNotFound(t, p, other)
			}
		})
	}
}

// TestOnlyASCIICaseIsFolded: under Unicode's rules U+212A (KELVIN SIGN) equals K and U+017F (LONG S)
// equals S, so that one device could pass for another.
func TestOnlyASCIICaseIsFolded(t *testing.T) {
	t.Parallel()
	const kelvin, longS = "\u212a", "\u017f"
	for name, look := range map[string]string{"kelvin sign": "C02" + kelvin, "long s": "C02" + longS} {
		if id, err := posture.ParseIdentifier(look); err == nil {
			t.Errorf("%s: ParseIdentifier(%q) = %v, want an error", name, look, id)
		}
	}
	for _, kind := range []string{"csv", "json", "lines"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			contents := map[string][2]string{
				"lines": {"C03\nC02" + kelvin + "\n", "line 2"},
				"csv":   {"Identifier\nC02" + kelvin + "\n", "line 2"},
				"json":  {`{"devices":[{"identifier":"C02` + kelvin + `"}]}`, "devices[0]"},
			}[kind]
			wantLines(t, "error", refused(t, kind, contents[0]), []string{
				"inventory PATH: " + contents[1] + ": identifier has U+212A (Kelvin sign) at position 4, want printable ASCII only",
			})
		})
	}
}

func TestZeroIdentifierMatchesNoDevice(t *testing.T) {
	t.Parallel()
	p, _ := loaded(t, "json", `{"devices":[{"identifier":"A"}]}`)
	if device, err := p.Lookup(t.Context(), posture.Query{}); !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup of the zero Identifier = %+v, %v, want ErrNotFound", device, err)
	}
}

func TestModeIsIgnored(t *testing.T) {
	t.Parallel()
	p, _ := loaded(t, "csv", "Identifier\nC02\n")
	for _, mode := range []posture.DeviceType{"", posture.AnyDevice, posture.MobileDevice, posture.Computer} {
		if _, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, "C02"), Type: mode}); err != nil {
			t.Errorf("Lookup with mode %q = %v, want the device", mode, err)
		}
	}
}

func TestCheckCountsTheDevices(t *testing.T) {
	t.Parallel()
	c := written(t, "csv", "Identifier\nC02\nC03\n")
	p, _, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var checker posture.Checker = p
	found, warnings, err := checker.Check(t.Context())
	if want := "2 devices in " + string(c.Path); err != nil || found != want || len(warnings) > 0 {
		t.Errorf("Check() = %q, %q, %v, want %q", found, warnings, err, want)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, path := range map[string]string{"missing": filepath.Join(folder, "none"), "a folder": folder} {
		for _, kind := range []string{"csv", "json", "lines"} {
			_, _, err := file.New(file.Config{Path: config.Path(path), Type: kind})
			if err == nil {
				t.Errorf("%s, %s: New = nil, want an error", name, kind)
				continue
			}
			if text := err.Error(); !strings.Contains(text, path) || strings.Contains(text, "\n") || strings.Contains(text, "jsontext") {
				t.Errorf("%s, %s: New = %q, want one line that names the file and no Go package", name, kind, text)
			}
		}
	}
}

func TestConcurrentLookups(t *testing.T) {
	t.Parallel()
	p, _ := loaded(t, "csv", "Identifier,n\nC02,1\nC03,2\n")
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			for range 500 {
				wantData(t, p, "c02", `{"n":"1"}`)
				wantData(t, p, "C03", `{"n":"2"}`)
				wantNotFound(t, p, "C04")
			}
		})
	}
	together.Wait()
}

// TestOpenNamesTheVariable: a fault in the inventory is a fault in the configuration, a line for each.
func TestOpenNamesTheVariable(t *testing.T) {
	t.Parallel()
	c := written(t, "csv", "Identifier,a\nC02\n,1\n")
	_, _, err := file.Open(c)
	if err == nil {
		t.Fatal("Open accepted a broken inventory")
	}
	wantLines(t, "Open", strings.Split(strings.ReplaceAll(err.Error(), string(c.Path), "PATH"), "\n"), []string{
		"FILE_PATH: inventory PATH: line 2: 1 fields, but the header has 2",
		"FILE_PATH: inventory PATH: line 3: identifier is empty",
	})
}
