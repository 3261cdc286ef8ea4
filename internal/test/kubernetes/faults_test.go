package kubernetes_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/apiserver"
	"step-posture-connector/internal/test/kubernetes/check"
	"step-posture-connector/internal/test/kubernetes/manifest"
)

// byServer says that the API server refuses a fault; otherwise it is the rule of package check that finds it.
const byServer = "API server"

// fault is one mistake in manifests that are otherwise right.
type fault struct {
	overlay string // the one that it is planted in; file where it is empty
	object  string // Kind/name, or the beginning of that: some names end in a hash
	what    string // what is wrong, in words
	plant   func(object manifest.Object) error
	by      string // byServer, or the name of a rule
	says    string // a part of what is said of it
}

// set, drop and all are what plants a fault.
func set(pointer string, value any) func(manifest.Object) error {
	return func(o manifest.Object) error { return o.Set(pointer, value) }
}

func drop(pointer string) func(manifest.Object) error {
	return func(o manifest.Object) error { return o.Remove(pointer) }
}

func all(plants ...func(manifest.Object) error) func(manifest.Object) error {
	return func(o manifest.Object) error {
		for _, plant := range plants {
			if err := plant(o); err != nil {
				return err
			}
		}
		return nil
	}
}

// gone makes the object an empty one, which is left out.
func gone(o manifest.Object) error {
	clear(o)
	return nil
}

// list is a list of JSON, and record a map.
type record = map[string]any

func list(items ...any) []any { return items }

// TestPlantedFaults plants each fault alone. One that neither the API server refuses nor a rule finds fails the test, and so does
// one that another rule finds. Beside each kind of object, each rule must have a fault that it finds.
func TestPlantedFaults(t *testing.T) {
	installations := map[string]installation{}
	for _, in := range rendered(t) {
		installations[in.name] = in
	}
	unplanted := map[string]bool{}
	for _, in := range charts(t) {
		for _, object := range in.objects {
			unplanted[object.Kind()] = true
		}
	}
	for _, in := range installations {
		for _, object := range in.objects {
			unplanted[object.Kind()] = true
		}
		// What pods need, and their namespaces; the objects themselves are created each time, so that no fault is refused as a change.
		in.occupy(t)
		for _, object := range in.objects {
			if kind := object.Kind(); kind == "Namespace" || kind == "ServiceAccount" {
				apply(t, object, false)
			}
		}
		in.supply(t)
	}
	unused := map[string]bool{byServer: true}
	for _, rule := range check.Rules() {
		unused[rule] = true
	}
	caught := map[string]int{}
	for _, f := range slices.Concat(podFaults(), containerFaults(), renewerFaults(), configurationFaults(), networkFaults(), otherFaults()) {
		in := installations["file"]
		if f.overlay != "" {
			in = installations[f.overlay]
		}
		kind, _, _ := strings.Cut(f.object, "/")
		delete(unplanted, kind)
		delete(unused, f.by)
		t.Run(strings.ReplaceAll(kind+" "+f.what, " ", "_"), func(t *testing.T) {
			by, said := in.plant(t, f)
			caught[by]++
			switch {
			case by == "":
				t.Errorf("nobody catches it: %s of %s", f.what, f.object)
			case by != f.by || !strings.Contains(said, f.says):
				t.Errorf("caught by %s, want %s\n got %s\nwant %s", by, f.by, said, f.says)
			default:
				t.Logf("caught by %s: %s", by, said)
			}
		})
	}
	t.Logf("who caught how many: %v", caught)
	for _, kind := range slices.Sorted(maps.Keys(unplanted)) {
		t.Errorf("no fault is planted in a %s", kind)
	}
	for _, rule := range slices.Sorted(maps.Keys(unused)) {
		t.Errorf("no fault is planted that %s catches", rule)
	}
}

// plant puts a fault into a copy of the manifests, and says who catches it, and what that says.
func (in installation) plant(t *testing.T, f fault) (by, said string) {
	t.Helper()
	changed := in
	changed.objects = nil
	planted := manifest.Object(nil)
	for _, object := range in.objects {
		if planted == nil && strings.HasPrefix(object.Kind()+"/"+object.Name(), f.object) {
			other, err := object.Copy()
			if err != nil {
				t.Fatal(err)
			}
			if err := f.plant(other); err != nil {
				t.Fatal(err)
			}
			// As JSON decodes it: its numbers are of one type.
			if other, err = other.Copy(); err != nil {
				t.Fatal(err)
			}
			if planted = other; len(other) == 0 {
				continue
			}
			object = other
		}
		changed.objects = append(changed.objects, object)
	}
	if planted == nil {
		// It is an object that is not there yet.
		kind, name, _ := strings.Cut(f.object, "/")
		planted = manifest.Object{"kind": kind, "metadata": record{"name": name, "namespace": in.spaces()[0]}}
		if err := f.plant(planted); err != nil {
			t.Fatal(err)
		}
		changed.objects = append(changed.objects, planted)
	}
	if refused := refusal(t, planted); refused != "" {
		return byServer, refused
	}
	var findings []string
	rules := map[string]bool{}
	for _, finding := range check.Check(changed.input(t)) {
		if !in.excuses(finding) {
			rules[finding.Rule] = true
			findings = append(findings, finding.String())
		}
	}
	said = strings.Join(findings, "\n")
	if rules[f.by] {
		return f.by, said
	}
	return strings.Join(slices.Sorted(maps.Keys(rules)), ", "), said
}

// refusal is what the API server says against an object, or against the pods that it makes; empty where it accepts them.
func refusal(t *testing.T, object manifest.Object) string {
	t.Helper()
	if len(object) == 0 {
		return ""
	}
	judged := []manifest.Object{object}
	if pod, makes := manifest.PodOf(object); makes {
		judged = append(judged, pod)
	}
	for _, o := range judged {
		_, err := running.Apply(t.Context(), o, true)
		var refused *apiserver.Refusal
		switch {
		case errors.As(err, &refused):
			return fmt.Sprintf("%s: %s", o.Kind(), refused.Message)
		case err != nil:
			t.Fatal(err)
		}
	}
	return ""
}

// TestUnknownFieldsAndWrongTypes plants two faults everywhere: a field that does not exist in each map that has fields, and a value of
// another type in place of each value. The API server refuses all of them.
func TestUnknownFieldsAndWrongTypes(t *testing.T) {
	done := map[string]bool{}
	kinds := map[string]int{}
	for _, in := range append(rendered(t), charts(t)...) {
		in.occupy(t)
		for _, object := range in.objects {
			if object.Kind() == "Namespace" {
				apply(t, object, false)
			}
		}
		for _, object := range in.objects {
			for pointer, value := range object.Pointers() {
				key := object.Kind() + digits().ReplaceAllString(pointer, "/*")
				if done[key] || routes(pointer) {
					continue
				}
				done[key] = true
				kinds[object.Kind()]++
				if _, isMap := value.(map[string]any); isMap && !free(object.Kind(), pointer) {
					wantRefused(t, object, pointer+"/planted", "planted", "not declared in schema", "unknown field")
				}
				if pointer != "" {
					wantRefused(t, object, pointer, wrong(value))
				}
			}
		}
	}
	t.Logf("planted at %v places", kinds)
	for kind, count := range kinds {
		if count < 3 {
			t.Errorf("only %d faults were planted in a %s", count, kind)
		}
	}
}

// wantRefused wants the API server to refuse an object with a value in it, with one of the texts where there are any.
func wantRefused(t *testing.T, object manifest.Object, pointer string, value any, says ...string) {
	t.Helper()
	other, err := object.Copy()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Set(pointer, value); err != nil {
		t.Fatal(err)
	}
	said := refusal(t, other)
	if said == "" {
		t.Errorf("%s is accepted with %v at %s", object.ID(), value, pointer)
	}
	if len(says) > 0 && !slices.ContainsFunc(says, func(text string) bool { return strings.Contains(said, text) }) {
		t.Errorf("%s with %v at %s: refused with %q, want one of %q", object.ID(), value, pointer, said, says)
	}
}

// wrong is a value of another type.
func wrong(value any) any {
	switch value.(type) {
	case map[string]any, []any:
		return "planted"
	}
	return record{"planted": true}
}

// routes tells the fields by which an object finds its way to the API server.
func routes(pointer string) bool {
	switch pointer {
	case "/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace":
		return true
	}
	return false
}
