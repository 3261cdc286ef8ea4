package document_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/document"
)

// A mistake in an expression is marked in the expression's own text: the line of the file may hold a secret beside it.
func TestUnderline(t *testing.T) {
	t.Parallel()
	text := &document.Shape{Type: document.Text}
	shape := document.MapOf(document.Required("a", document.MapOf(document.Required("secret", text))), document.Required("b", document.MapOf(document.Required("c", text))))
	long := strings.Repeat("a", 200)
	for _, c := range []struct {
		value        string
		line, column int
		want         string
	}{
		{`device.os_verzion == "x"`, 1, 8, "device.os_verzion == \"x\"\n           ^^^^^^^^^^"},
		{`a == "x y" && b`, 1, 6, "a == \"x y\" && b\n         ^^^^^"},
		{`a >= "x`, 1, 3, "a >= \"x\n      ^^"},
		{`a == "x`, 1, 6, "a == \"x\n         ^"},
		{`a(b`, 1, 2, "a(b\n     ^"},
		{"a &&", 1, 5, "a &&\n        ^"},
		{"'a\tb'", 1, 3, "a b\n      ^"},
		{long, 1, 150, strings.Repeat("a", 111) + "\n" + strings.Repeat(" ", 64) + strings.Repeat("^", 51)},
		{"ä.ö", 1, 3, "ä.ö\n      ^"},
	} {
		yaml := strings.ReplaceAll(c.value, "\t", "\\t")
		if strings.HasPrefix(yaml, "'") {
			yaml = `"` + strings.Trim(yaml, "'") + `"`
		} else {
			yaml = "|\n    " + yaml
		}
		d, root, err := document.Parse("p.yaml", []byte("a: {secret: hunter2}\nb:\n  c: "+yaml+"\n"), shape)
		if err != nil {
			t.Fatal(err)
		}
		root.Mapping().Get("b").Mapping().Get("c").FaultIn(c.line, c.column, "", "wrong")
		faults := d.Faults()
		if len(faults) != 1 || faults[0].Underline() != "    "+c.want {
			t.Errorf("%s:%d\n%s\nwant\n    %s", c.value, c.column, faults[0].Underline(), c.want)
		}
		if strings.Contains(faults.Error(), "\n") {
			t.Error("the text of a fault has several lines")
		}
	}
	d, root, err := document.Parse("p.yaml", []byte("a: hunter2\n"), document.MapOf())
	if err != nil {
		t.Fatal(err)
	}
	root.Mapping()
	for _, f := range d.Faults() {
		if f.Underline() != "" {
			t.Errorf("a fault that is not in an expression shows %q", f.Underline())
		}
	}
}
