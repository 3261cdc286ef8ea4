package httpjson_test

import (
	"errors"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// TestOutcome is the outcome rule, in its order. A row without found is a fault, unless it says not found or ambiguous.
func TestOutcome(t *testing.T) {
	t.Parallel()
	const record, other = `{"sn":"C02","state":"issued"}`, `{"sn":"D03","state":"issued"}`
	list := func(more string, items ...string) string {
		return `{"devices":[` + strings.Join(items, ",") + `],"more":` + more + `}`
	}
	const found, missing, ambiguous, fault = "found", "not found", "ambiguous", "fault"
	for _, row := range []struct {
		name   string
		change string // keys that replace those of assets
		status int
		body   string
		step   string
		want   string
	}{
		{"a redirect", "", 302, list("false", record), "1", fault},
		{"not modified", "", 304, "", "1", fault},
		{"a part", "", 206, list("false", record), "1", fault},
		{"unauthorized", "", 401, `{"error":"unknown"}`, "2", fault},
		{"forbidden", "", 403, `{"error":"unknown"}`, "2", fault},
		{"a proxy's credentials", "", 407, `{"error":"unknown"}`, "2", fault},
		{"a time-out", "", 408, list("false"), "3", fault},
		{"too early", "", 425, list("false"), "3", fault},
		{"too many requests", "", 429, list("false"), "3", fault},
		{"an error of the server", "", 500, list("false"), "3", fault},
		{"unavailable", "", 503, list("false"), "3", fault},
		{"no content", "", 204, "", "4", missing},
		{"no content that nobody has named", "outcome: {found: [200]}", 204, "", "4", fault},
		{"an empty 200", "", 200, "", "4", fault},
		{"an empty 404", "", 404, "", "4", fault},
		{"HTML with 200", "", 200, "<html>", "5", fault},
		{"HTML with 404", "", 404, "<html>", "5", fault},
		{"two values", "", 200, list("false") + "{}", "5", fault},
		{"a duplicate member", "", 200, `{"devices":[],"more":false,"devices":[]}`, "5", fault},
		{"deep nesting", "", 200, strings.Repeat("[", 100_000), "5", fault},
		{"a fault in the answer", "", 200, `{"broken":1,"devices":[],"more":false}`, "6", fault},
		{"a fault comes before not found", "", 404, `{"broken":1,"error":"unknown"}`, "6", fault},
		{"an error in fault", "outcome: {fault: body.a.b}", 200, list("false", record), "6", fault},
		{"fault is no boolean", "outcome: {fault: body.more}", 200, `{"devices":[],"more":null}`, "6", fault},
		{"the service's own words", "", 404, `{"error":"unknown"}`, "7", missing},
		{"an error in not_found", "outcome: {not_found: body.a.b}", 404, `{}`, "7", fault},
		{"not_found is no boolean", "outcome: {not_found: body.a}", 404, `{"a":"yes"}`, "7", fault},
		{"a list where an object was, in fault", "", 404, `[]`, "6", fault},
		{"a list where an object was, in not_found", "outcome: {not_found: body.error == 'unknown'}", 404, `[]`, "7", fault},
		{"null", "outcome: {found: [200]}", 200, `null`, "9", fault},
		{"another 404", "", 404, `{"error":"other"}`, "8", fault},
		{"another 2xx", "", 201, list("false", record), "8", fault},
		{"400", "", 400, `{}`, "8", fault},
		{"no items", "", 200, `{"more":false}`, "9", fault},
		{"items are null", "", 200, `{"devices":null,"more":false}`, "9", fault},
		{"items are an object", "", 200, `{"devices":{},"more":false}`, "9", fault},
		{"items are text", "", 200, `{"devices":"","more":false}`, "9", fault},
		{"exact, another record", "search: exact", 200, list("false", other), "10", fault},
		{"exact, another record beside it", "search: exact", 200, list("false", record, other), "10", fault},
		{"exact, found", "search: exact", 200, list("false", record), "12", found},
		{"exact, nothing", "search: exact", 200, list("false"), "11", missing},
		{"nothing", "", 200, list("false"), "11", missing},
		{"other records, complete", "", 200, list("false", other), "11", missing},
		{"other records, incomplete", "", 200, list("true", other), "11", fault},
		{"nothing, incomplete", "", 200, list("true"), "11", fault},
		{"more is missing", "", 200, `{"devices":[]}`, "11", fault},
		{"more is no boolean", "", 200, list("0"), "11", fault},
		{"no identifier", "", 200, list("false", `{"state":"issued"}`), "11", fault},
		{"an identifier that is null", "", 200, list("false", `{"sn":null}`), "11", fault},
		{"an empty identifier", "", 200, list("false", `{"sn":""}`), "11", fault},
		{"an identifier that is a number", "", 200, list("false", `{"sn":2}`), "11", fault},
		{"another damaged record", "", 200, list("false", other, `null`), "11", fault},
		{"another damaged record beside it", "", 200, list("false", `null`, record), "12", found},
		{"found", "", 200, list("false", other, record), "12", found},
		{"another case and blanks", "", 200, list("false", `{"sn":" c02 ","state":"issued"}`), "12", found},
		{"found, incomplete", "", 200, list("true", record), "12", fault},
		{"found, more is missing", "", 200, `{"devices":[` + record + `]}`, "12", fault},
		{"several, single", "select: {items: body.devices, more: body.more, pick: single}", 200, list("false", record, record), "12", ambiguous},
		{"several, single by default", "select: {items: body.devices, more: body.more}", 200, list("false", record, record), "12", ambiguous},
		{"several, single, one seen later", "select: {items: body.devices, more: body.more, pick: single}", 200, list("false", `{"sn":"C02","seen":"2026-01-01T00:00:00Z"}`, `{"sn":"C02","seen":"2026-01-02T00:00:00Z","state":"issued"}`), "12", ambiguous},
		{"exact, a damaged record beside it", "search: exact", 200, list("false", record, `{"sn":null}`), "10", fault},
		{"exact, a damaged record", "search: exact", 200, list("false", `{"sn":null}`), "11", fault},
		{"as many records as are judged", "", 200, list("false", record, strings.Repeat(other+",", 998)+other), "12", found},
		{"one record more", "", 200, list("false", record, strings.Repeat(other+",", 999)+other), "9", fault},
		{"several, none has a time", "", 200, list("false", record, record), "12", ambiguous},
		{"several, the newest", "", 200, list("false", record, `{"sn":"C02","state":"issued","seen":"2026-01-01T00:00:00Z"}`), "12", found},
		{"several, a tie", "", 200, list("false", `{"sn":"C02","seen":"2026-01-01T00:00:00Z"}`, `{"sn":"C02","seen":"2026-01-01T01:00:00+01:00"}`), "12", ambiguous},
		{"several, a time that is none", "", 200, list("false", record, `{"sn":"C02","seen":"soon"}`), "12", fault},
		{"a fact of another type", "", 200, list("false", `{"sn":"C02","state":"issued","crypt":"yes"}`), "14", fault},
		{"a text that is a number", "", 200, list("false", `{"sn":"C02","state":"issued","owner":{"mail":7}}`), "14", fault},
		{"groups with a number", "", 200, list("false", `{"sn":"C02","state":"issued","tags":["a",1]}`), "14", fault},
		{"a time that is a number", "select: {items: body.devices, more: body.more}", 200, list("false", `{"sn":"C02","state":"issued","seen":7}`), "14", fault},
		{"an attribute that cannot be kept", "", 200, list("false", `{"sn":"C02","state":"issued","asset":[1e999]}`), "14", fault},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d, step, err := sampled(t, configured(t, replaced(assets, row.change)), row.status, row.body, posture.AllFacts())
			got := fault
			switch {
			case err == nil:
				got = found
			case errors.Is(err, posture.ErrNotFound):
				got = missing
			case errors.Is(err, posture.ErrAmbiguous):
				got = ambiguous
			}
			managed, _ := d.Facts.Managed.Get()
			if got != row.want || number(step) != row.step || (got == found) != managed {
				t.Errorf("%d %.80s is %q at %s (%v), want %q at step %s", row.status, row.body, got, step, err, row.want, row.step)
			}
			if err != nil && !strings.Contains(err.Error(), "step "+row.step+" (") {
				t.Errorf("the error %q does not name the step", err)
			}
		})
	}
}

// replaced is a section in which the line of a key is another one.
func replaced(section, line string) string {
	if line == "" {
		return section
	}
	key, _, _ := strings.Cut(line, ":")
	lines, has := strings.Split(section, "\n"), false
	for i := range lines {
		if strings.HasPrefix(lines[i], key+":") {
			lines[i], has = line, true
		}
	}
	if !has {
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// TestFactsThatAreNotRead: what is wrong in a fact that nobody reads is no fault, and one that is only recorded is unknown.
func TestFactsThatAreNotRead(t *testing.T) {
	t.Parallel()
	c := configured(t, assets)
	const body = `{"devices":[{"sn":"C02","state":"issued","crypt":"yes","asset":18446744073709551615}],"more":false}`
	if d, _, err := sampled(t, c, 200, body, posture.MustFacts("device.attributes")); err != nil {
		t.Errorf("Lookup = %v", err)
	} else if attributes, _ := d.Facts.Attributes.Get(); attributes["asset"] != "18446744073709551615" {
		t.Errorf("attributes = %v", attributes)
	}
	if _, _, err := sampled(t, c, 200, body, posture.MustFacts("device.encrypted")); err == nil {
		t.Error("a fact of another type is no fault")
	}
}

// TestStatus: a service that names no device is believed only where status and body are exactly those that were written.
func TestStatus(t *testing.T) {
	t.Parallel()
	c := configured(t, `
base_url: https://inventory.example.org
answer: status
request: {method: POST, path: /devices/query, body: {serial_number: "{{serial}}"}}
outcome: {found: 'status == 200 && text == ""', not_found: 'status == 404 && text == "Not Found\n"'}
map: {device.managed: "true"}
`)
	down := configured(t, `
base_url: https://inventory.example.org
answer: status
request: {method: POST, path: /devices/query, body: {serial_number: "{{serial}}"}}
outcome: {found: 'status == 200 && text == ""', not_found: 'status == 404 && text == "Not Found\n"', fault: 'status == 404 || text == ""'}
map: {device.managed: "true"}
`)
	for status, body := range map[int]string{200: "", 404: "Not Found\n"} {
		if _, step, err := sampled(t, down, status, body, posture.AllFacts()); err == nil || errors.Is(err, posture.ErrNotFound) || number(step) != "6" {
			t.Errorf("%d %q, which fault names, = %v at %s", status, body, err, step)
		}
	}
	for _, row := range []struct {
		status  int
		body    string
		step    string
		missing bool
		found   bool
	}{
		{200, "", "8", false, true},
		{404, "Not Found\n", "7", true, false},
		{404, "Not Found", "8", false, false},
		{404, "<html>Not Found</html>", "8", false, false},
		{200, "<html>log in</html>", "8", false, false},
		{204, "", "8", false, false},
		{404, "", "8", false, false},
		{200, "\xff", "5", false, false},
		{401, "", "2", false, false},
		{500, "", "3", false, false},
		{302, "", "1", false, false},
	} {
		d, step, err := sampled(t, c, row.status, row.body, posture.AllFacts())
		if row.found != (err == nil) || row.missing != errors.Is(err, posture.ErrNotFound) || number(step) != row.step {
			t.Errorf("%d %q = %v at %s", row.status, row.body, err, step)
		}
		if managed, _ := d.Facts.Managed.Get(); managed != row.found || row.found && d.Identifier != "C02" {
			t.Errorf("%d %q gives %+v", row.status, row.body, d)
		}
	}
}
