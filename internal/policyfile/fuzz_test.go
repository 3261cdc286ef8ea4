package policyfile_test

import (
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/policyfile"
)

// No file makes the reader panic, and each fault has a place inside the file.
func FuzzLoad(f *testing.F) {
	for _, file := range slices.Concat(broken(f), glob(f, "good")) {
		f.Add(content(f, file))
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, s := surrounded(t, text)
		if _, err := policyfile.Load(path, s); err != nil {
			inside(t, text, err)
		}
	})
}

// What is in the place of a secret is never shown, whatever is around it.
func FuzzSecretIsNotShown(f *testing.F) {
	for _, around := range [][2]string{
		{"", ""},
		{"{", "}"},
		{"{file: ", "}"},
		{"{env: ", "}"},
		{"{file: {", ": x}}"},
		{"[", "]"},
		{"&", " x"},
		{"*", ""},
		{"!", " x"},
		{"! ", ""},
		{"@", ""},
		{"\"\\", "\""},
		{"'", ""},
		{"|\n      ", ""},
		{">-\n      ", ""},
		{"\n      ", ":"},
		{"\n      ", ": x"},
		{"\n      - ", ""},
		{"? ", ""},
		{"{<<: ", "}"},
		{"{x: 1, ", ": ~}"},
		{"{file: x, ", ": 1, file: y}"},
		{"https://", "@example.com"},
	} {
		f.Add(around[0], around[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "q7Hx+PLANTED/Zk="
		// A line more could begin an expression, which faults show.
		if strings.Contains(strings.TrimPrefix(before, "\n      "), "\n    ") || strings.Contains(after, "\n") {
			return
		}
		for _, text := range []string{
			"inventories:\n  eu:\n    provider: jamf\n    base_url: https://example.com\n    client_id: id\n    client_secret: %\npolicies:\n  default: {}\n",
			"inventories:\n  eu:\n    provider: jmaf\n    client_secret: %\npolicies:\n  default: {}\n",
			"inventories:\n  eu:\n    provider: jamf\n    base_url: %\n",
			"webhooks:\n  - name: w\n    id: %\n    secret: %\n    policy: %\n",
			"policies:\n  default:\n    token: {required: true}\ntokens:\n  clients:\n    - name: %\n      bearer: %\n      policies: [%]\n",
			"policies:\n  default:\n    token:\n      required: true\n      in: %\n      lifetime: %\n",
		} {
			path, s := surrounded(t, strings.ReplaceAll(text, "%", before+secret+after))
			_, err := policyfile.Load(path, s)
			if err == nil {
				continue
			}
			if strings.Contains(err.Error(), "PLANTED") {
				t.Errorf("it is shown: %v", err)
			}
			inside(t, strings.ReplaceAll(text, "%", before+secret+after), err)
		}
	})
}
