package file

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
)

// read does what New does, without a file, which is much faster.
func read(content []byte, reader func(*inventory, []byte) error) (*inventory, error) {
	in := newInventory(int64(len(content)))
	if err := reader(in, content); err != nil {
		in.faults = append(in.faults, locate(err, bytes.NewReader(content)))
	}
	if len(in.faults) > 0 {
		return nil, in.err("PATH")
	}
	return in, nil
}

func fromJSON(in *inventory, content []byte) error {
	return readJSON(withoutBOM(bytes.NewReader(content)), in)
}

func fromCSV(in *inventory, content []byte) error {
	return readCSV(withoutBOM(bytes.NewReader(content)), in)
}

// checkFault opens content that did not load as a file, and checks that the error has what an operator needs: in
// every line the file and the place. Only a fault of the file as a whole has no place.
func checkFault(t *testing.T, path, kind string, content []byte, place string) {
	t.Helper()
	checkFaultOf(t, Config{Type: kind}, path, content, place)
}

func checkFaultOf(t *testing.T, c Config, path string, content []byte, place string) {
	t.Helper()
	c.Path = config.Path(path)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p, warnings, err := New(c)
	if err == nil || p != nil || warnings != nil {
		t.Fatalf("New = %v, %q, %v, want an error alone", p, warnings, err)
	}
	whole := `the file (is|has|begins) .+|want a JSON object with a member "devices": .+|the member "devices" is (missing|not a list)|and \d+ more`
	form := regexp.MustCompile(`^inventory PATH: (` + place + `: .+|` + whole + `)$`)
	for line := range strings.SplitSeq(strings.ReplaceAll(err.Error(), path, "PATH"), "\n") {
		if !form.MatchString(line) || !utf8.ValidString(line) {
			t.Errorf("the error has the line %q, want the file and the place", line)
		}
	}
}

// checkInventory checks what holds for every inventory that loads.
func checkInventory(t *testing.T, in *inventory) {
	t.Helper()
	p := &Provider{}
	p.current.Store(&content{devices: in.devices})
	for key, entry := range devices(t, in) {
		id, err := posture.ParseIdentifier(entry.identifier)
		if err != nil {
			t.Errorf("device %q can never match: %v", entry.identifier, err)
			continue
		}
		if id.Key() != key {
			t.Errorf("device %q has the key %q, want %q", entry.identifier, key, id.Key())
		}
		device, err := p.Lookup(t.Context(), posture.Query{Identifier: id})
		if err != nil || !id.Matches(device) || !bytes.Equal(device.Data, entry.data) {
			t.Errorf("Lookup(%q) = %+v, %v, want the device", id, device, err)
		}
		if !utf8.Valid(entry.data) || !json.Valid(entry.data) || entry.data[0] != '{' {
			t.Errorf("device %q has data %q, want a JSON object", entry.identifier, entry.data)
		}
		if !sameJSON(entry.data, entry.data) {
			t.Errorf("the data of %q does not equal itself: %s", entry.identifier, entry.data)
		}
	}
	if wantWarning := in.devices.Len() == 0; wantWarning != strings.Contains(strings.Join(in.warnings("PATH"), "\n"), "no devices") {
		t.Errorf("%d devices, but the warnings are %q", in.devices.Len(), in.warnings("PATH"))
	}
}

// devices returns all devices of an inventory by their keys.
func devices(t *testing.T, in *inventory) map[string]device {
	t.Helper()
	all := map[string]device{}
	for row := range in.devices.All() {
		d, err := in.devices.device(row)
		if err != nil {
			t.Fatal(err)
		}
		key := strings.ToUpper(d.identifier)
		if found, ok := in.devices.Find(key); !ok || !bytes.Equal(found, row) {
			t.Errorf("device %q is not found by its key %q", d.identifier, key)
		}
		all[key] = d
	}
	if len(all) != in.devices.Len() {
		t.Errorf("%d devices, want %d", len(all), in.devices.Len())
	}
	return all
}

func checkSame(t *testing.T, from string, got, want *inventory) {
	t.Helper()
	equal := func(a, b device) bool { return a.identifier == b.identifier && bytes.Equal(a.data, b.data) }
	if !maps.EqualFunc(devices(t, got), devices(t, want), equal) {
		t.Errorf("the inventory written as %s loads as %q, want %q", from, devices(t, got), devices(t, want))
	}
	if got.repeats != 0 {
		t.Errorf("the inventory written as %s has %d repeats, want none", from, got.repeats)
	}
}

// asJSON writes an inventory as an operator's script would.
func asJSON(t *testing.T, in *inventory) []byte {
	t.Helper()
	all := devices(t, in)
	list := make([]string, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		quoted, err := json.Marshal(all[key].identifier)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf(`{"identifier":%s,"data":%s}`, quoted, all[key].data))
	}
	return []byte(`{"devices":[` + strings.Join(list, ",") + `]}`)
}

// asCSV writes an inventory that was read from CSV: every device has the same members.
func asCSV(t *testing.T, in *inventory) []byte {
	t.Helper()
	var out bytes.Buffer
	var rows [][]string
	all := devices(t, in)
	for i, key := range slices.Sorted(maps.Keys(all)) {
		header, row := []string{"Identifier"}, []string{all[key].identifier}
		decoder := json.NewDecoder(bytes.NewReader(all[key].data))
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
		for decoder.More() {
			name, errName := decoder.Token()
			value, errValue := decoder.Token()
			text, isString := value.(string)
			if errName != nil || errValue != nil || !isString {
				t.Fatalf("data %s is not an object of strings", all[key].data)
			}
			header, row = append(header, name.(string)), append(row, text)
		}
		if i == 0 {
			rows = append(rows, header)
		}
		rows = append(rows, row)
	}
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"devices":[]}`,
		`{"devices":[{"identifier":"C02","data":{"a":12345678901234567890,"b":1.10,"é":"😀<>&\u003c","n":null}},{"identifier":" c03 "}]}`,
		"\xef\xbb\xbf{\r\n\"devices\":[{\"identifier\":\"C02\",\"data\":null}]}\r\n",
		`{"devices":[{"identifier":"C02","data":{"a":1e2,"b":[]}},{"identifier":"c02","data":{"b":[],"a":100}}]}`,
		`{"devices":[{"identifier":"C02","data":{"a":1}},{"identifier":"C02","data":{"a":2}},5,{"identifier":""},{"data":{}}]}`,
		`{"devices":[{"identifier":"C02","data":{"\u0061":"\ud83d\ude00","a ":-0}}],"x":[[{}]]} x`,
		`{"devices":null}`, `{"Devices":[]}`, `{`, `[]`, ``, "{\"devices\":[]}\n\x00", `{"devices":[{"identifier":"\u212a"}]}`,
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "devices.json")
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := read(content, fromJSON)
		if err != nil {
			checkFault(t, path, "json", content, `(line \d+, column \d+|devices\[\d+\])`)
			return
		}
		checkInventory(t, in)
		checkAgainstStandardLibrary(t, in, bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")))
		again, err := read(asJSON(t, in), fromJSON)
		if err != nil {
			t.Fatalf("the written inventory does not load: %v", err)
		}
		checkSame(t, "JSON", again, in)
	})
}

// checkAgainstStandardLibrary: a file that loads is JSON for encoding/json too, and the data has the same values.
// Members are compared by exact name, which encoding/json does for maps only.
func checkAgainstStandardLibrary(t *testing.T, in *inventory, content []byte) {
	t.Helper()
	var members map[string]json.RawMessage
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil {
		t.Fatalf("encoding/json refuses the file: %v", err)
	}
	if err := json.Unmarshal(members["devices"], &list); err != nil {
		t.Fatalf("encoding/json refuses the devices: %v", err)
	}
	if len(list) != in.devices.Len()+in.repeats {
		t.Errorf("%d devices and %d repeats, want %d together", in.devices.Len(), in.repeats, len(list))
	}
	loaded := devices(t, in)
	for i, members := range list {
		var text string
		if err := json.Unmarshal(members["identifier"], &text); err != nil {
			t.Fatalf("encoding/json refuses the identifier of devices[%d]: %v", i, err)
		}
		entry, ok := loaded[strings.ToUpper(strings.TrimSpace(text))]
		if !ok {
			t.Errorf("devices[%d] (%q) was not loaded", i, text)
			continue
		}
		data := members["data"]
		if len(data) == 0 || string(data) == "null" {
			data = json.RawMessage("{}")
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			t.Fatal(err)
		}
		if in.repeats == 0 && !bytes.Equal(compact.Bytes(), entry.data) {
			t.Errorf("devices[%d] has data %s, want %s unchanged", i, entry.data, compact.Bytes())
		}
		if !sameJSON(entry.data, data) {
			t.Errorf("devices[%d] has data %s, want the value of %s", i, entry.data, data)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"Identifier\n", "Identifier,name\nC02,ada\nC03,\n",
		"\xef\xbb\xbfidentifier,a,b\r\n\r\n\"C02\",\"x, \"\"y\"\"\nz\",é😀<>&\u2028\r\n  \r\nc02,\"x, \"\"y\"\"\nz\",é😀<>&\u2028\r\n",
		"Identifier,a\nC02,1\nC02,2\n,3\nC03\nC04,\xff\nK\u212a,1\n",
		"Identifier,a,a\n", "Identifier,\n", "name\n", "", "\n\n", "Identifier,a\nC02,\"x\nC03,y\n", "Identifier;a\n", "Identifier\n\"\"\n", "Identifier,a\rC02,b\r",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "devices.csv")
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := read(content, fromCSV)
		if err != nil {
			checkFault(t, path, "csv", content, `line \d+`)
			return
		}
		checkInventory(t, in)
		again, err := read(asJSON(t, in), fromJSON)
		if err != nil {
			t.Fatalf("the inventory written as JSON does not load: %v", err)
		}
		checkSame(t, "JSON", again, in)
		if in.devices.Len() == 0 {
			return // without a device the columns are unknown
		}
		again, err = read(asCSV(t, in), fromCSV)
		if err != nil {
			t.Fatalf("the inventory written as CSV does not load: %v\n%s", err, asCSV(t, in))
		}
		checkSame(t, "CSV", again, in)
	})
}
