package policyfile_test

import (
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policyfile"
)

// many repeats a line with its number.
func many(n int, format string) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, format, i)
	}
	return all.String()
}

// Each limit is at the place of the first that is too many; as many as there may be are accepted.
func TestLimits(t *testing.T) {
	t.Parallel()
	const tail = "policies:\n  default: {}\n"
	inventories := func(n int) string {
		return "inventories:\n" + many(n, "  i%d: {provider: file, path: x, type: csv}\n") + tail
	}
	policies := func(n int) string { return "policies:\n" + many(n, "  p%d: {inventories: [file]}\n") }
	rules := func(n int) string { return "    rules:\n" + many(n, "      - {name: r%d, require: device.managed}\n") }
	webhooks := func(n int) string {
		return "webhooks:\n" + many(n, "  - {name: w%[1]d, id: 22222222-2222-4222-8222-%012[1]d, secret: {env: W%[1]d}, policy: default}\n")
	}
	all := func(n int) string {
		text := "policies:\n"
		for i := range n / 50 {
			text += fmt.Sprintf("  p%d:\n    inventories: [file]\n", i) + rules(50)
		}
		if rest := n % 50; rest > 0 {
			text += "  last:\n    inventories: [file]\n" + rules(rest)
		}
		return text
	}
	// A short file: each of the policies may read other records, so that each compiles what the alias stands for.
	const long = 4000
	aliased := "inventories:\n" + many(200, "  i%d: {provider: file, path: x, type: csv}\n") + "policies:\n"
	for i := range 200 {
		aliased += fmt.Sprintf("  p%d:\n    inventories: [i%d]\n", i, i)
		if i == 0 {
			aliased += "    data: &data\n" + many(40, "      m%d: '\"%[1]d"+strings.Repeat("x", long)+"\"'\n")
		} else {
			aliased += "    data: *data\n"
		}
	}
	for name, c := range map[string]struct{ most, more, want string }{
		"inventories": {inventories(256), inventories(257), "posture.yaml:258:3: inventories: it has more than 256 members; accepted: at most 256"},
		"policies":    {policies(256), policies(257), "posture.yaml:258:3: policies: it has more than 256 members; accepted: at most 256"},
		"webhooks":    {webhooks(256), webhooks(257), "posture.yaml:258:5: webhooks[256]: the list has 257 items; accepted: at most 256"},
		"rules of one": {
			"policies:\n  default:\n" + rules(64), "policies:\n  default:\n" + rules(65),
			"posture.yaml:68:9: policies.default.rules[64]: the list has 65 items; accepted: at most 64",
		},
		"rules of all": {all(2000), all(2001), "posture.yaml:2125:9: policies.last.rules[0]: the policies have more than 2000 rules in all; accepted: at most 2000"},
		"bytes": {
			tail + "#" + strings.Repeat("x", document.MaxBytes-len(tail)-2) + "\n", tail + "#" + strings.Repeat("x", document.MaxBytes-len(tail)-1) + "\n",
			"posture.yaml:1:1: it has more than 1048576 bytes; accepted: at most 1048576",
		},
		"values": { // the root, three keys and their values, the item, and two for each member of data
			"policies:\n  default:\n    data:\n" + many(49_993, "      k%d: '1'\n"), "policies:\n  default:\n    data:\n" + many(50_000, "      k%d: '1'\n"),
			"the file has more than 100000 values; accepted: at most 100000, with those that aliases stand for",
		},
		"characters of expressions": {
			"", aliased,
			"posture.yaml:209:11: policies.p13.data.m3: the expressions of the policies have more than 2097152 characters in all; accepted: at most 2097152, with those that aliases stand for",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "values" && c.most != "" { // to compile so many expressions takes too long
				if _, err := loaded(t, c.most); err != nil {
					t.Errorf("as many as there may be: %.500v", err)
				}
			}
			if _, err := loaded(t, c.more); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %.500v, want %s alone", err, c.want)
			}
		})
	}
}

// loaded loads a file with a secret of its own for each of 300 webhooks.
func loaded(t *testing.T, content string) (*policyfile.File, error) {
	t.Helper()
	path, s := surrounded(t, content)
	for i := range 300 {
		s.Environ[fmt.Sprintf("W%d", i)] = base64Of(fmt.Sprintf("%064d", i))
	}
	f, err := policyfile.Load(path, s)
	if err != nil {
		err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), strings.TrimSuffix(path, "posture.yaml"), ""))
	}
	return f, err
}

// A hundred faults are shown, and how many more there are.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{100: 100, 101: 101, 250: 101} {
		_, err := loaded(t, "policies:\n  default: {}\n"+many(n, "x%d: 1\n"))
		lines := strings.Split(fmt.Sprint(err), "\n")
		if len(lines) != want || n > 100 && lines[100] != fmt.Sprintf("and %d more", n-100) {
			t.Errorf("%d faults: %d lines, the last is %s", n, len(lines), lines[len(lines)-1])
		}
	}
}
