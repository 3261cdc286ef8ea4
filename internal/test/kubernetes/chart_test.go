package kubernetes_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"step-posture-connector/internal/test/kubernetes/check"
	"step-posture-connector/internal/test/kubernetes/manifest"
)

// The namespace and the release of the tests.
const space, release = "chart", "posture"

// TestChart installs the chart with each file of values in its folder ci, upgrades it, and removes it: for real, into a namespace that
// enforces Pod Security "restricted".
func TestChart(t *testing.T) {
	chart := kubernetesFolder("chart")
	for _, values := range valuesFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(values), "-values.yaml"), func(t *testing.T) {
			in := template(t, values)
			in.wantNoFinding(t)
			in.occupy(t)
			in.supply(t)
			before := contents(t, []string{space})
			arguments := []string{release, chart, "--namespace", space, "--values", values}
			must(t, "helm", append([]string{"install"}, arguments...)...)
			installed := contents(t, []string{space})
			in.wantAll(t, installed)
			must(t, "helm", append([]string{"upgrade"}, arguments...)...)
			upgraded := contents(t, []string{space})
			for id := range upgraded {
				// Helm keeps each revision of a release.
				if strings.Contains(id, "/Secret/sh.helm.release.") {
					delete(installed, id)
					delete(upgraded, id)
				}
			}
			wantSame(t, "upgraded with the same values", upgraded, installed)
			in.wantPods(t)
			for _, hook := range in.hooks {
				apply(t, hook, true)
			}
			// The pods are the test's, so it removes them as the controller would.
			removePods(t, space)
			must(t, "helm", "uninstall", release, "--namespace", space)
			wantSame(t, "after the removal", contents(t, []string{space}), before)
			// As people apply it who do not want Helm in the cluster.
			file := filepath.Join(t.TempDir(), "rendered.yaml")
			text, err := manifest.Write(in.objects)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			must(t, "kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", file)
		})
	}
}

// valuesFiles are the files of values that the chart is tested with.
func valuesFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(kubernetesFolder("chart", "ci", "*-values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("docs/kubernetes/chart/ci has no file of values")
	}
	return files
}

// charts are the installations of all files of values.
func charts(t *testing.T) (all []installation) {
	t.Helper()
	for _, values := range valuesFiles(t) {
		all = append(all, template(t, values))
	}
	return all
}

// template renders the chart. The Secrets and ConfigMaps that values name are the user's.
func template(t *testing.T, values string) installation {
	t.Helper()
	chart := kubernetesFolder("chart")
	objects, err := manifest.Parse([]byte(must(t, "helm", "template", release, chart, "--namespace", space, "--values", values)))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, path := range []string{values, filepath.Join(chart, "values.yaml")} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := yaml.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for _, value := range (manifest.Object{"values": all}).Pointers() {
			if name, isText := value.(string); isText {
				named[name] = true
			}
		}
	}
	in := installation{name: filepath.Base(values), given: []check.Given{{Kind: "Namespace", Name: space}}}
	if in.name == "all-values.yaml" {
		in.excused = map[string]string{"policy: a rule of ingress has a peer that is every pod of a namespace": "it shows a selector of each kind"}
	}
	for _, object := range objects {
		if object.Namespace() == "" {
			if err := object.Set("/metadata/namespace", space); err != nil {
				t.Fatal(err)
			}
		}
		if object.Text("metadata", "annotations", "helm.sh/hook") == "" {
			in.objects = append(in.objects, object)
		} else {
			in.hooks = append(in.hooks, object)
		}
	}
	for _, reference := range check.References(in.objects) {
		made := slices.ContainsFunc(in.objects, func(o manifest.Object) bool { return o.Kind() == reference.Kind && o.Name() == reference.Name })
		if named[reference.Name] && !made {
			in.given = append(in.given, reference)
		}
	}
	return in
}

func removePods(t *testing.T, space string) {
	t.Helper()
	objects, err := running.Objects(t.Context(), space)
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range manifest.Find(objects, "Pod") {
		if err := running.Delete(context.WithoutCancel(t.Context()), pod); err != nil {
			t.Fatal(err)
		}
	}
}
