package file

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

func withFacts(reader func(*inventory, []byte) error) func(*inventory, []byte) error {
	return func(in *inventory, content []byte) error {
		in.devices.vocabulary = newVocabulary()
		return reader(in, content)
	}
}

// records returns the devices of an inventory with all their facts, by their keys.
func records(t *testing.T, in *inventory, now time.Time) map[string]posture.Device {
	t.Helper()
	p := &Provider{}
	p.current.Store(&content{devices: in.devices})
	all := map[string]posture.Device{}
	for key, entry := range devices(t, in) {
		row, _ := in.devices.Find(key)
		d, err := in.devices.withFacts(row, entry, posture.AllFacts(), now)
		if err != nil {
			t.Fatalf("the facts of %q were accepted, and cannot be read: %v", entry.identifier, err)
		}
		all[key] = d
	}
	return all
}

// factsAsJSON writes the facts of a device as the member facts, so that members of its data are attributes only where the
// device has them.
func factsAsJSON(t *testing.T, d posture.Device) []byte {
	t.Helper()
	facts := map[string]map[string]any{"device": {"managed": nil, "attributes": nil}, "user": {}}
	for _, definition := range posture.Vocabulary() {
		value, known := definition.Get(&d)
		if !known {
			continue
		}
		switch v := value.(type) {
		case posture.Version:
			value = v.String()
		case map[string]string:
			value = attributesOver(t, v, d.Data)
		}
		about, name, _ := strings.Cut(definition.Name, ".")
		facts[about][name] = value
	}
	text, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// attributesOver are attributes, and null for each member of data that is none of them.
func attributesOver(t *testing.T, attributes map[string]string, data json.RawMessage) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		members[name] = nil
	}
	for name, text := range attributes {
		members[name] = text
	}
	return members
}

// factsAsCSV writes the facts of devices as columns, each cell escaped that may be.
func factsAsCSV(t *testing.T, all map[string]posture.Device) []byte {
	t.Helper()
	header := []string{"Identifier"}
	for _, definition := range posture.Vocabulary() {
		header = append(header, definition.Name)
	}
	rows := [][]string{header}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		d := all[key]
		row := []string{escaped(t, d.Identifier)}
		for _, definition := range posture.Vocabulary() {
			cell := ""
			switch value, _ := definition.Get(&d); value := value.(type) {
			case nil:
			case string:
				cell = escaped(t, value)
			case time.Time:
				cell = value.Format(time.RFC3339)
			case []string, map[string]string:
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				cell = string(text)
			default:
				cell = fmt.Sprint(value)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzFactsOfCSV: facts that a CSV file gives can be given in JSON, and are the same.
func FuzzFactsOfCSV(f *testing.F) {
	for _, seed := range []string{
		"Identifier,device.os,a,device.os_version\nC02,macOS,x,15.4\nC03,,,\n", "Identifier,device.groups,user.realname\nC02,\"a; b, c;;\",\" Ada \"\nC03,;,\n",
		"Identifier,device.managed,device.last_seen,device.enrolled_at\nC02,false,2026-01-31T15:04:05.123+02:00,1970-01-01T00:00:00Z\n",
		"Identifier,device.groups,device.attributes\n'C02,\"[\"\"a;b\"\"]\",\"{\"\"a\"\":[ 1 ],\"\"b\"\":null}\"\nC03,[],\nC04,'[],{}\n",
		"Identifier,device.name,a\nC02,'=1,'\nC03,\"'\"\"a\\u0000\\n\"\"\",''\nC04,','\"\n\"'\"\"C05\"\"\",x,' \n", "Identifier,device.managed\nC02,\n",
		"Identifier,device.managed\nC02,no\n", "Identifier,device.os_vresion\nC02,1\n", "Identifier,device.identifier,device.type\nC02,c02,computer\n",
		"Identifier,device.os,\"b \"\"c\"\"\"\n\"C02\",iOS,\"1,\n2\"\nc02,iOS,\"1,\n2\"\n", "Identifier,device.os_version\nC02,1.2.3.4.5\n",
	} {
		f.Add([]byte(seed))
	}
	path, now := filepath.Join(f.TempDir(), "devices.csv"), time.Now()
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := read(content, withFacts(fromCSV))
		if err != nil {
			checkFaultOf(t, Config{Type: "csv", facts: true}, path, content, `line \d+`)
			return
		}
		want := records(t, in, now)
		list := make([]string, 0, len(want))
		for key, d := range want {
			list = append(list, fmt.Sprintf(`{"identifier":%q,"data":%s,"facts":%s}`, key, d.Data, factsAsJSON(t, d)))
		}
		again, err := read([]byte(`{"devices":[`+strings.Join(list, ",")+`]}`), withFacts(fromJSON))
		if err != nil {
			t.Fatalf("the inventory written as JSON does not load: %v", err)
		}
		checkSameFacts(t, records(t, again, now), want)
	})
}

// FuzzFactsOfJSON: facts that a JSON file gives can be given in CSV, and are the same.
func FuzzFactsOfJSON(f *testing.F) {
	for _, facts := range []string{
		`{"device":{"os":"macOS","os_version":"15.4","groups":["a","b c"],"managed":false,"last_seen":"2026-01-31T15:04:05Z"},"user":{"username":"ada"}}`,
		`{"device":{"managed":null,"attributes":null}}`, `{"device":{"name":"=1","model":"\"x\"","udid":"'\"\""},"user":{"username":"\r\n","realname":" ","position":"'"}}`,
		`{"device":{"groups":[],"attributes":{"a":1,"b":null,"c":[{}]}}}`, `{"device":{"groups":["a;b"," "]}}`, `{"device":{"identifier":"c02","name":"\u0000"}}`,
		`{"user":{"department":"Zo\u00eb \ud83d\ude00"}}`, `null`, `{}`, `5`, `{"device":{"os":5}}`, `{"x":{}}`, `{"device":null,"user":{"foo":null}}`,
	} {
		f.Add([]byte(facts))
	}
	path, now := filepath.Join(f.TempDir(), "devices.json"), time.Now()
	f.Fuzz(func(t *testing.T, facts []byte) {
		content := fmt.Appendf(nil, `{"devices":[{"identifier":"C02","data":{},"facts":%s}]}`, facts)
		in, err := read(content, withFacts(fromJSON))
		if err != nil {
			checkFaultOf(t, Config{Type: "json", facts: true}, path, content, `(line \d+, column \d+|devices\[\d+\])`)
			return
		}
		want := records(t, in, now)
		table := factsAsCSV(t, want)
		again, err := read(table, withFacts(fromCSV))
		if err != nil {
			t.Fatalf("the inventory written as CSV does not load: %v\n%s", err, table)
		}
		for key, d := range want {
			d.Data = json.RawMessage("{}")
			want[key] = d
		}
		checkSameFacts(t, records(t, again, now), want)
	})
}

func checkSameFacts(t *testing.T, got, want map[string]posture.Device) {
	t.Helper()
	for key, d := range want {
		other := got[key]
		other.Identifier = d.Identifier // its case is another file's
		if !reflect.DeepEqual(other, d) {
			t.Errorf("the facts of %q are %+v, want %+v", key, other, d)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d devices, want %d", len(got), len(want))
	}
}
