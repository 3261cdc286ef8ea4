package chart_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// The pods are replaced when a variable or a script that they read at start changes, and only then: policy file and inventory are
// loaded without it.
func TestWhatReplacesPods(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		base, values string
		replaces     bool
	}{
		{"file", `{}`, false},
		{"file", `{config: {LOGGING_LEVEL: 1}}`, true},
		{"file", `{stepCA: {clientNames: [ca.example.com]}}`, true},
		{"file", `{image: {tag: v1.0.1}}`, true},
		{"file", `{resources: {limits: {memory: 512Mi}}}`, true},
		{"file", `{policy: {file: "policies: {default: {rules: [{name: other, require: device.managed}]}}"}}`, false},
		{"file", `{policy: {files: {devices.csv: "Identifier\nC02XK1JKLVCH\n"}}}`, false},
		{"file", `{tls: {extraDNSNames: [posture.example.com]}}`, false},
		{"file", `{replicas: 5, service: {port: 443}}`, false},
		{"jamf", `{tls: {stepRenewer: {renewAt: 50%}}}`, true},
		{"jamf", `{tls: {extraDNSNames: [posture.example.com]}}`, true},
		{"jamf", `{doors: {peers: [{ipBlock: {cidr: 198.51.100.0/24}}]}}`, false},
	} {
		t.Run(row.base+row.values, func(t *testing.T) {
			t.Parallel()
			base := filepath.Join(chart, "ci", row.base+"-values.yaml")
			before := podTemplate(t, base)
			if again := podTemplate(t, base); !reflect.DeepEqual(before, again) {
				t.Errorf("rendered again, the pods are %v, want %v", again, before)
			}
			if after := podTemplate(t, base, row.values); reflect.DeepEqual(before, after) == row.replaces {
				t.Errorf("the pods are replaced: %t, want %t", !row.replaces, row.replaces)
			}
		})
	}
}

// podTemplate is that of the deployment, with values over those of a file.
func podTemplate(t *testing.T, base string, values ...string) map[string]any {
	t.Helper()
	arguments := []string{"template", name, chart, "--namespace", name, "--values", base}
	for _, text := range values {
		arguments = append(arguments, "--values", valuesFile(t, text))
	}
	all, err := manifest.Parse([]byte(must(t, programs.Helm, arguments...)))
	if err != nil {
		t.Fatal(err)
	}
	deployments := manifest.Find(all, "Deployment")
	if len(deployments) != 1 {
		t.Fatalf("%d deployments, want 1", len(deployments))
	}
	return deployments[0].Map("spec", "template")
}
