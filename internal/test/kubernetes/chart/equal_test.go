package chart_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// The chart makes the same objects as the overlays, with values that say the same.
func TestEqualToOverlays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("testdata has the files %q (%v)", files, err)
	}
	for _, values := range files {
		setup := strings.TrimSuffix(filepath.Base(values), ".yaml")
		parts := strings.Split(setup, "+")
		t.Run(setup, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(kubernetes, "overlays", parts[0])
			want := ofKustomize(t, must(t, programs.Kubectl, "kustomize", compose(t, folder, parts[1:])))
			arguments := []string{"template", name, chart, "--namespace", name, "--values", values, "--set-file", "policy.file=" + folder + "/posture.yaml"}
			if _, err := os.Stat(folder + "/devices.csv"); err == nil {
				arguments = append(arguments, "--set-file", `policy.files.devices\.csv=`+folder+"/devices.csv")
			}
			got := ofHelm(t, must(t, programs.Helm, arguments...))
			for _, difference := range differences("", want, got) {
				t.Error(difference)
			}
		})
	}
}

// compose writes a folder for kustomize with an overlay and components, as people do it.
func compose(t *testing.T, overlay string, components []string) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	relative := func(path string) string {
		whole, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		if path, err = filepath.Rel(folder, whole); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: " + name + "\nresources: [" + relative(overlay) + "]\ncomponents:\n"
	for _, component := range components {
		text += "  - " + relative(filepath.Join(kubernetes, "components", component)) + "\n"
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// ofKustomize returns the objects by kind and name, without what only kustomize has: the namespace, which Helm does not make, and
// the hashes in names.
func ofKustomize(t *testing.T, text string) map[string]any {
	t.Helper()
	hashes := regexp.MustCompile(`(` + name + `-(?:env|renewer|renewer-env))-[a-z0-9]{10}\b`)
	return objects(t, hashes.ReplaceAllString(text, "$1"), "Namespace")
}

// ofHelm returns the objects by kind and name, without what only Helm has: the pod of helm test, and labels and annotations.
func ofHelm(t *testing.T, text string) map[string]any {
	t.Helper()
	all := objects(t, text, "Pod")
	for _, object := range all {
		eachMap(object, func(at map[string]any) {
			for _, key := range []string{
				"helm.sh/chart", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by",
				"checksum/variables", "checksum/renewer", "kubectl.kubernetes.io/default-container",
			} {
				delete(at, key)
			}
			if at["app.kubernetes.io/component"] == "connector" {
				delete(at, "app.kubernetes.io/component")
			}
			if annotations, isMap := at["annotations"].(map[string]any); isMap && len(annotations) == 0 {
				delete(at, "annotations")
			}
		})
	}
	return all
}

// objects returns the objects by kind and name, except those of a kind, without what the API server would add by itself, and
// with lists in the order of names.
func objects(t *testing.T, text, except string) map[string]any {
	t.Helper()
	parsed, err := manifest.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, object := range parsed {
		if object.Kind() == except {
			continue
		}
		if object.Namespace() != name {
			t.Errorf("%s is in the namespace %q", object.ID(), object.Namespace())
		}
		eachMap(map[string]any(object), func(at map[string]any) {
			for key, standard := range map[string]any{"type": "ClusterIP", "imagePullPolicy": "IfNotPresent"} {
				if at[key] == standard {
					delete(at, key)
				}
			}
			for _, value := range at {
				if list, isList := value.([]any); isList {
					slices.SortStableFunc(list, func(a, b any) int {
						return cmp.Compare(fmt.Sprint(manifest.Map(a)["name"]), fmt.Sprint(manifest.Map(b)["name"]))
					})
				}
			}
		})
		id := object.Kind() + "/" + object.Name()
		if _, twice := all[id]; twice {
			t.Errorf("%s is there twice", id)
		}
		all[id] = map[string]any(object)
	}
	return all
}

// eachMap calls a function for each map in a value, the inner ones first.
func eachMap(value any, do func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			eachMap(inner, do)
		}
		do(v)
	case []any:
		for _, inner := range v {
			eachMap(inner, do)
		}
	}
}

// differences says where two values differ: the path, then what the overlay has and what the chart has.
func differences(path string, overlay, chart any) (all []string) {
	a, isMap := overlay.(map[string]any)
	b, isMapToo := chart.(map[string]any)
	if isMap && isMapToo {
		keys := maps.Clone(a)
		maps.Copy(keys, b)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			all = append(all, differences(strings.TrimPrefix(path+"."+key, "."), a[key], b[key])...)
		}
		return all
	}
	c, isList := overlay.([]any)
	d, isListToo := chart.([]any)
	if isList && isListToo && len(c) == len(d) {
		for i := range c {
			all = append(all, differences(fmt.Sprintf("%s.%d", path, i), c[i], d[i])...)
		}
		return all
	}
	if fmt.Sprint(overlay) != fmt.Sprint(chart) {
		all = append(all, fmt.Sprintf("%s: the overlay has %v, the chart %v", path, overlay, chart))
	}
	return all
}
