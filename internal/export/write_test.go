package export_test

import (
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/export"
	"step-posture-connector/internal/posture"
)

// The file has what is known, in the columns of the vocabulary, and encoding/csv reads it.
func TestCSV(t *testing.T) {
	t.Parallel()
	unknown := posture.Device{Identifier: "=C02NEW"}
	content, s := exported(t, devices(full(), unknown), export.CSV)
	if want := (export.Summary{Devices: 2}); s != want {
		t.Errorf("summary: %+v, want %+v", s, want)
	}
	rows, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	header := append([]string{"Identifier"}, posture.AllFacts().Names()[1:]...)
	want := [][]string{header, {
		"C02ADA", "C02ADA", "00008110-001C", `mac, "ada"`, "MacBook Air", "computer", "macOS", "15.4.1", "true", "false", "true", "true",
		"personal", "2026-03-01T08:30:00Z", "2025-03-01T08:30:00Z", "Staff;Design", `{"asset":"A-1","b\u003b":"=x","empty":""}`,
		"ada", "Ada Lovelace", "ada@example.com", "Mathematician", "Engineering",
	}, append([]string{"'=C02NEW"}, make([]string, len(header)-1)...)}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("rows:\n%q\nwant\n%q", rows, want)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	unknown := posture.Device{Identifier: "C02NEW", Data: []byte(`{"a":1,"b":null}`)}
	content, _ := exported(t, devices(full(), unknown), export.JSON)
	want := `{"devices":[
{"identifier":"C02ADA","data":{"asset":"A-1","n":[1,2]},"facts":{"device":{"serial_number":"C02ADA","udid":"00008110-001C","name":"mac, \"ada\"","model":"MacBook Air","type":"computer","os":"macOS","os_version":"15.4.1","managed":true,"supervised":false,"compliant":true,"encrypted":true,"ownership":"personal","last_seen":"2026-03-01T08:30:00Z","enrolled_at":"2025-03-01T08:30:00Z","groups":["Staff","Design"],"attributes":{"asset":"A-1","b;":"=x","empty":"","n":null}},"user":{"username":"ada","realname":"Ada Lovelace","email_address":"ada@example.com","position":"Mathematician","department":"Engineering"}}},
{"identifier":"C02NEW","data":{"a":1,"b":null},"facts":{"device":{"managed":null,"attributes":null}}}
]}
`
	if content != want {
		t.Errorf("content:\n%s\nwant\n%s", content, want)
	}
}

// Only facts that the list gives have columns, and device.managed has one in any case: without it every device is managed.
func TestColumns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kinds []posture.DeviceType
		gives posture.FactSet
		want  string
	}{
		"nothing":   {[]posture.DeviceType{""}, 0, "Identifier,device.managed\n"},
		"some":      {[]posture.DeviceType{""}, posture.MustFacts("user.department", "device.os") | posture.Document, "Identifier,device.os,device.managed,user.department\n"},
		"two kinds": {[]posture.DeviceType{posture.Computer, posture.MobileDevice}, 0, "Identifier,device.type,device.managed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := &lister{kinds: test.kinds, gives: test.gives}
			content, _ := exported(t, from, export.CSV)
			if content != test.want {
				t.Errorf("content: %q, want %q", content, test.want)
			}
			if from.asked.Has(posture.Document) {
				t.Error("the data was asked for, which is in JSON only")
			}
		})
	}
}

// records are two lists, in which identifiers stand twice, and records that a file cannot have.
func records() *lister {
	computer := func(identifier string) posture.Listing {
		d := device(identifier)
		d.Type = posture.Computer
		return posture.Listing{Device: d}
	}
	damaged := posture.Listing{Device: device("C02BAD"), Damaged: true}
	beside := posture.Listing{Device: device("C02SIDE"), Damaged: true}
	latin := computer("C02LATIN")
	latin.Facts.Name = posture.Known("M\xfcller")
	return &lister{
		kinds: []posture.DeviceType{posture.Computer, posture.MobileDevice},
		gives: all(), lacking: posture.MustFacts("device.udid"),
		of: map[posture.DeviceType][]posture.Listing{
			posture.Computer: {
				computer("C02ONE"), computer("C02BOTH"), computer("C02TWICE"), computer("c02twice"), computer(" C02SPACE "), computer(""),
				computer("C02\u00a0"), damaged, beside, computer("C02SIDE"), latin,
				{Damaged: true},
			},
			posture.MobileDevice: {computer("C02BOTH"), computer("C02LAST")},
		},
	}
}

// An identifier that stands twice is left out everywhere, in whatever list: a lookup would not answer. The hash of a key
// decides nothing.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(context.Context, posture.Lister, export.Options) (export.Summary, error){
		"hash": export.Write, "colliding": export.WriteColliding,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			s, err := write(t.Context(), records(), export.Options{Format: export.CSV, Stdout: &out})
			if err != nil {
				t.Fatal(err)
			}
			want := export.Summary{Devices: 3, Twice: 6, NoIdentifier: 2, Damaged: 2, Unwritable: 1, Lacking: posture.MustFacts("device.udid")}
			if s != want || s.LeftOut() != 11 {
				t.Errorf("summary: %+v, want %+v", s, want)
			}
			var identifiers []string
			for line := range strings.Lines(out.String()) {
				identifier, _, _ := strings.Cut(line, ",")
				identifiers = append(identifiers, identifier)
			}
			if want := []string{"Identifier", "C02ONE", "C02SPACE", "C02LAST"}; !slices.Equal(identifiers, want) {
				t.Errorf("identifiers: %q, want %q", identifiers, want)
			}
		})
	}
}

// After a failure a file that existed is as before, and nothing else is left.
func TestFailures(t *testing.T) {
	t.Parallel()
	broken := errors.New("the server is down")
	interrupted, interrupt := context.WithCancelCause(t.Context())
	interrupt(errors.New("interrupted"))
	short := devices(device("C02A"), device("C02B"))
	short.total = 3
	shortOfKind := records()
	shortOfKind.total = 13
	failing := devices(device("C02A"))
	failing.fail = broken
	for name, test := range map[string]struct {
		ctx  context.Context //nolint:containedctx // of the row
		from *lister
		want string
	}{
		"list fails":          {t.Context(), failing, "list its devices: the server is down"},
		"list is short":       {t.Context(), short, "its list is not complete: it gave 2 of 3 records"},
		"list of computers":   {t.Context(), shortOfKind, "its list of computers is not complete: it gave 12 of 13 records"},
		"no list":             {t.Context(), &lister{}, "its devices cannot be listed as it is configured"},
		"interrupted":         {interrupted, devices(device("C02A")), "interrupted"},
		"interrupted, no row": {interrupted, devices(), "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "devices.csv")
			if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := export.Write(test.ctx, test.from, export.Options{Format: export.CSV, Path: path})
			if err == nil || err.Error() != test.want {
				t.Errorf("error: %v, want %s", err, test.want)
			}
			if content, err := os.ReadFile(path); string(content) != "before" || err != nil {
				t.Errorf("the file has %q, %v", content, err)
			}
			if names := left(t, folder); len(names) != 1 {
				t.Errorf("files: %q", names)
			}
			var out strings.Builder
			if _, err := export.Write(test.ctx, test.from, export.Options{Format: export.JSON, Stdout: &out}); err == nil || out.Len() > 0 {
				t.Errorf("wrote %q to the stream, and returned %v", out.String(), err)
			}
		})
	}
}

// The file is for its owner only, also where another one had been there, and a link stays a link.
func TestOutput(t *testing.T) {
	t.Parallel()
	folder, target := t.TempDir(), t.TempDir()
	path, link := filepath.Join(target, "devices.json"), filepath.Join(folder, "link.json")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := export.Write(t.Context(), devices(device("C02A")), export.Options{Format: export.JSON, Path: link}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() < 20 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if names := slices.Concat(left(t, folder), left(t, target)); len(names) != 2 {
		t.Errorf("files: %q", names)
	}
	for name, want := range map[string]string{folder: "it is no regular file", filepath.Join(folder, "none", "devices"): "no such file"} {
		from := devices(device("C02A"))
		if _, err := export.Write(t.Context(), from, export.Options{Format: export.CSV, Path: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		if from.asked != 0 {
			t.Errorf("%s: the inventory was asked for nothing", name)
		}
	}
}

// full disks and closed pipes are errors.
func TestStreamFails(t *testing.T) {
	t.Parallel()
	if _, err := export.Write(t.Context(), devices(device("C02A")), export.Options{Format: export.CSV, Stdout: closedPipe{}}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("error: %v", err)
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]export.Format{"": "csv", "a.json": "json", "A.JSON": "json", "a.csv": "csv", "a.txt": "csv", "json": "csv"} {
		if got := export.FormatOf(path); got != want {
			t.Errorf("FormatOf(%q) = %s, want %s", path, got, want)
		}
	}
}

// A group without a name says nothing: the reader refuses one.
func TestGroupsWithoutName(t *testing.T) {
	t.Parallel()
	some, none := device("C02A"), device("C02B")
	some.Facts.Groups, none.Facts.Groups = posture.Known([]string{"", "Staff"}), posture.Known([]string{""})
	from := devices(some, none)
	from.gives = posture.MustFacts("device.groups")
	if content, _ := exported(t, from, export.CSV); content != "Identifier,device.managed,device.groups\nC02A,true,Staff\nC02B,true,\n" {
		t.Errorf("CSV: %s", content)
	}
	want := `{"devices":[
{"identifier":"C02A","facts":{"device":{"managed":true,"groups":["Staff"],"attributes":null}}},
{"identifier":"C02B","facts":{"device":{"managed":true,"attributes":null}}}
]}
`
	if content, _ := exported(t, from, export.JSON); content != want {
		t.Errorf("JSON: %s", content)
	}
}
