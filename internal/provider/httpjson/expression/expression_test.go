package expression_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/httpjson/expression"
)

func scope(t testing.TB) *expression.Scope {
	t.Helper()
	s, err := expression.NewScope(expression.Body, expression.Status, expression.JSON, expression.Text, expression.Asked, expression.Vars, expression.Item, "groups")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func evaluate(t *testing.T, text, body string) (any, bool, error) {
	t.Helper()
	e, faults := scope(t).Compile(text, expression.AnyKind)
	if faults != nil {
		t.Fatalf("Compile(%q) = %+v", text, faults)
	}
	decoded, err := expression.Decode([]byte(body))
	if err != nil {
		t.Fatalf("Decode(%q) = %v", body, err)
	}
	return e.Evaluate(t.Context(), map[string]any{
		"body": decoded, "status": 200, "json": true, "text": body, "asked": "C02", "vars": map[string]string{"network": "n1"}, "item": decoded, "groups": []any{},
	})
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	for _, row := range []struct {
		text, body string
		want       any
	}{
		{`body.n == 0`, `{"n":0}`, true},
		{`body.n == 0.0`, `{"n":0}`, true},
		{`body.n == 0`, `{"n":0.0}`, true},
		{`body.n > size(body.l)`, `{"n":3,"l":[1,2]}`, true},
		{`double(body.n) > double(size(body.l))`, `{"n":3,"l":[1,2]}`, true},
		{`int(body.n) > size(body.l)`, `{"n":3,"l":[1,2,3]}`, false},
		{`string(body.id)`, `{"id":9007199254740993}`, "9007199254740993"},
		{`string(body.id)`, `{"id":18446744073709551615}`, "18446744073709551615"},
		{`string(int(body.id))`, `{"id":872292}`, "872292"},
		{`body.l.map(g, string(g.id))`, `{"l":[{"id":1},{"id":9007199254740993}]}`, []any{"1", "9007199254740993"}},
		{`body.?a.?b`, `{"a":null}`, nil},
		{`body.?a.?b`, `{}`, nil},
		{`body.?a`, `{"a":null}`, nil},
		{`body.?a`, `{"a":"x"}`, "x"},
		{`body.m == 1`, `{"m":"1"}`, false},
		{`body.?status == optional.of("error") && body.?payload.orValue(null) == null && !has(body.rows)`, `{"status":"error","payload":null}`, true},
		{`body.?g.?groups.?data.orValue([]).map(g, string(int(g.id)))`, `{"g":{"groups":{"data":[{"id":7}]}}}`, []any{"7"}},
		{`[body.?a.?name, body.?b.?name].filter(o, o.hasValue()).map(o, o.value())`, `{"a":{"name":"x"},"b":null}`, []any{"x"}},
		{`body.c.filter(a, a.name == "owner").map(a, a.value).first()`, `{"c":[{"name":"owner","value":"a@b"}]}`, "a@b"},
		{`body.path.split("\\").filter(s, s != "")`, `{"path":"\\a\\b"}`, []any{"a", "b"}},
		{`unescapeHTML(body.n)`, `{"n":"Bob&#039;s &amp; Co"}`, "Bob's & Co"},
		{`words(body.n, ",")`, `{"n":" a, b,,c "}`, []any{"a", "b", "c"}},
		{`flag(body.f)`, `{"f":"Yes"}`, true},
		{`flag(body.f)`, `{"f":0}`, false},
		{`flag(body.?f)`, `{}`, nil},
		{`flag(body.f)`, `{"f":""}`, nil},
		{`epoch(body.t)`, `{"t":1793611800}`, at},
		{`epoch(body.t)`, `{"t":"1793611800"}`, at},
		{`epochMillis(body.t)`, `{"t":1793611800000}`, at},
		{`epoch(body.t)`, `{"t":0}`, nil},
		{`timestamp(int(body.t))`, `{"t":"1793611800"}`, at},
		{`parseTime(body.t)`, `{"t":"2026-11-02T10:30:00.0+01:00"}`, at},
		{`parseTime(body.t, "", "UTC")`, `{"t":"2026-11-02T09:30:00"}`, at},
		{`parseTime(body.t, "2006-01-02 15:04", "Europe/Berlin")`, `{"t":"2026-11-02 10:30"}`, at},
		{`parseTime(body.?t, "", "UTC")`, `{"t":null}`, nil},
		{`vars.network + asked`, `{}`, "n1C02"},
		{`"{{serial}}"`, `{}`, "{{serial}}"},
	} {
		value, known, err := evaluate(t, row.text, row.body)
		if at, isTime := value.(time.Time); isTime {
			value = at.UTC()
		}
		if err != nil || known != (row.want != nil) || !reflect.DeepEqual(value, row.want) {
			t.Errorf("%s of %s = %#v, known %v, %v, want %#v", row.text, row.body, value, known, err, row.want)
		}
	}
}

// TestErrors: what an expression cannot read is an error, never false, empty or unknown, and its text holds nothing of the
// answer.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, body, want string }{
		{`body.a.b`, `{"a":{}}`, "the answer lacks a member that it reads"},
		{`body.a.b`, `{"a":"secret-words"}`, "the answer lacks a member"},
		{`size(body.a) == 0`, `{"a":null}`, "a value in the answer has another type"},
		{`body["a"]`, `["secret-words"]`, "cannot be evaluated"},
		{`string(body.id)`, `{"id":99999999999999999999999}`, "too long to be kept exactly"},
		{`body.id == 1`, `{"id":1e999}`, "too long to be kept exactly"},
		{`[body.?id].map(o, o.orValue(1))[0]`, `{"id":1e999}`, "too long"},
		{`flag(body.f)`, `{"f":"secret-words"}`, "flag() has a value that is neither"},
		{`epoch(body.f)`, `{"f":"secret-words"}`, "epoch() has a text that is no number"},
		{`epoch(body.f)`, `{"f":99999999999999}`, "epoch() has a number that is no time"},
		{`parseTime(body.f)`, `{"f":"2026-11-02T09:30:00"}`, "parseTime() has a text that is no time"},
		{`timestamp(body.f)`, `{"f":"secret-words"}`, "cannot be evaluated"},
		{`unescapeHTML(body.f)`, `{"f":1}`, "another type"},
		{`body.l[3]`, `{"l":[]}`, "shorter"},
		{`body.l.map(a, body.l.map(b, body.l.map(c, a + b + c)))`, `{"l":[` + strings.Repeat("1,", 200) + `1]}`, "too large"},
	} {
		value, known, err := evaluate(t, row.text, row.body)
		if err == nil || known || value != nil || !strings.Contains(err.Error(), strings.TrimPrefix(row.want, "the answer ")) && !strings.Contains(err.Error(), "cannot be evaluated") || strings.Contains(err.Error(), "secret-words") {
			t.Errorf("%s of %.40s = %#v, %v, %v, want the error %q", row.text, row.body, value, known, err, row.want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	e, faults := scope(t).Compile(`body.map(a, body.exists(b, a == b)).size()`, expression.AnyKind)
	if faults != nil {
		t.Fatal(faults)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := make([]any, 300)
	for i := range body {
		body[i] = int64(i)
	}
	if _, _, err := e.Evaluate(ctx, map[string]any{"body": body}); err == nil {
		t.Error("an evaluation that nobody waits for goes on")
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a duplicate member":         `{"serial":"a","serial":"b"}`,
		"an escaped duplicate":       `{"serial":"a","seri\u0061l":"b"}`,
		"trailing data":              `{} {}`,
		"trailing words":             `{}x`,
		"nothing":                    ``,
		"half":                       `{"a":`,
		"a list that ends early":     `[1,`,
		"brackets that do not fit":   `[1}`,
		"deep nesting":               strings.Repeat("[", 100_000),
		"closed deep nesting":        strings.Repeat("[", 101) + strings.Repeat("]", 101),
		"invalid UTF-8":              "\"\xff\"",
		"an invalid surrogate":       `"\ud800"`,
		"a number with a plus":       `+1`,
		"a number with zeros":        `007`,
		"NaN":                        `NaN`,
		"a comment":                  `{/**/}`,
		"a comma at the end":         `[1,]`,
		"a control character inside": "\"a\nb\"",
		"a byte-order mark":          "\ufeff{}",
	} {
		if value, err := expression.Decode([]byte(text)); err == nil {
			t.Errorf("%s: Decode = %#v, want an error", name, value)
		}
	}
	if value, err := expression.Decode([]byte(" [null, true, -0.5, {\"a\": []}]\n")); err != nil || fmt.Sprint(value) != "[<nil> true -0.5 map[a:[]]]" {
		t.Errorf("Decode = %v, %v", value, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text string
		kind expression.Kind
		want string
	}{
		{`itm.serial`, expression.AnyKind, `1:1 unknown name "itm"; did you mean item?; body, status, json, text, asked, vars, item, groups`},
		{"item.a ==\n  bdy.b", expression.AnyKind, `2:3 unknown name "bdy"; did you mean body?; body, status, json, text, asked, vars, item, groups`},
		{`item.a + flagg(item.b)`, expression.AnyKind, `1:10 unknown function "flagg"; a function of CEL, of its strings and lists extensions, unescapeHTML, parseTime, epoch, epochMillis, flag or words`},
		{`item.a ==`, expression.AnyKind, `1:10 the expression ends too early; an expression of CEL`},
		{`item.a = "x"`, expression.AnyKind, `1:8 a character that does not belong here, or a text without its second quotation mark; an expression of CEL`},
		{`status + "a"`, expression.AnyKind, `1:8 the types do not fit; values of types that the function or operator takes`},
		{`status`, expression.BoolKind, `1:1 the result is a number; an expression that is true or false`},
		{`status`, expression.TextKind, `1:1 the result is a number; an expression that is text; string() makes it of a number`},
		{`flag(item.x)`, expression.TextKind, `1:1 the result is true or false; an expression that is text; string() makes it of a number`},
		{`item.t.matches(item.p)`, expression.BoolKind, `1:15 the pattern of matches() is no literal; matches("a pattern")`},
		{`"%d".format([item.n])`, expression.TextKind, `1:12 format is not supported; the other functions of CEL's strings and lists extensions`},
		{`lists.range(item.n)`, expression.ListKind, `1:12 lists.range is not supported; the other functions of CEL's strings and lists extensions`},
		{strings.Repeat("a", 5000), expression.AnyKind, `1:1 the expression is too long; at most 4096 characters`},
	} {
		_, faults := scope(t).Compile(row.text, row.kind)
		if len(faults) == 0 {
			t.Errorf("Compile(%q) has no fault", row.text)
			continue
		}
		f := faults[0]
		if got := fmt.Sprintf("%d:%d %s; %s", f.Line, f.Column, f.Text, f.Accepted); got != row.want {
			t.Errorf("Compile(%.30q) = %s\nwant %s", row.text, got, row.want)
		}
	}
}

func TestEqualities(t *testing.T) {
	t.Parallel()
	e, faults := scope(t).Compile(`status == 404 && ('Not Found\n' == text && !json)`, expression.BoolKind)
	if faults != nil {
		t.Fatal(faults)
	}
	texts, numbers := e.Equalities()
	if texts["text"] != "Not Found\n" || numbers["status"] != 404 {
		t.Errorf("Equalities = %v, %v", texts, numbers)
	}
	e, _ = scope(t).Compile(`status == 404 || text == "x"`, expression.BoolKind)
	if texts, numbers := e.Equalities(); len(texts)+len(numbers) > 0 {
		t.Errorf("Equalities of an alternative = %v, %v", texts, numbers)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"x",null,true,18446744073709551616]}`))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = expression.Decode(text) })
}
