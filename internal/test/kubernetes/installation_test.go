package kubernetes_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/check"
	"step-posture-connector/internal/test/kubernetes/manifest"
)

// given are the objects that docs/kubernetes/README.md tells the user to make, in the namespace of the installation.
func given() map[string]check.Given {
	all := map[string]check.Given{}
	for _, g := range []check.Given{
		{Kind: "Secret", Name: "step-posture-connector-webhook", Keys: []string{"ids", "secrets"}},
		{Kind: "Secret", Name: "step-posture-connector-tls", Keys: []string{"tls.crt", "tls.key"}},
		{Kind: "Secret", Name: "step-posture-connector-jamf", Keys: []string{"client_secret"}},
		{Kind: "Secret", Name: "step-posture-connector-provisioner", Keys: []string{"password"}},
		{Kind: "Secret", Name: "step-posture-connector-state", Keys: []string{"url"}},
		{Kind: "Secret", Name: "step-posture-connector-console", Keys: []string{"users"}},
		{Kind: "ConfigMap", Name: "step-posture-connector-ca", Keys: []string{"root_ca.crt", "intermediate_ca.crt"}},
		{Kind: "ConfigMap", Name: "step-posture-connector-callers", Keys: []string{"callers_ca.crt"}},
		// Of mdmsecuritydemo, in whose namespaces its overlay is.
		{Kind: "Secret", Name: "webhook-tls", Keys: []string{"tls.crt", "tls.key"}},
		{Kind: "Secret", Name: "webhook-key", Keys: []string{"password"}},
		{Kind: "Secret", Name: "dynamicacme-api-key", Keys: []string{"password"}},
		{Kind: "Secret", Name: "deviceinventory-api-key", Keys: []string{"password"}},
		{Kind: "ConfigMap", Name: "inventory", Keys: []string{"inventory.txt"}},
	} {
		all[g.Name] = g
	}
	return all
}

// installation is one way to install the connector, as manifests.
type installation struct {
	name    string
	objects []manifest.Object
	given   []check.Given
	// excused are findings that are meant, with the reason, by what their texts begin with.
	excused map[string]string
}

// overlay is what one of docs/kubernetes/overlays needs, and what is meant to be as it is there.
type overlay struct {
	given   []string // names of given
	spaces  []string // the namespaces that the user has
	excused map[string]string
}

// overlays are all of docs/kubernetes/overlays.
func overlays() map[string]overlay {
	const tls, webhook, ca = "step-posture-connector-tls", "step-posture-connector-webhook", "step-posture-connector-ca"
	return map[string]overlay{
		"file":  {given: []string{webhook, ca}},
		"jamf":  {given: []string{webhook, ca, "step-posture-connector-jamf", "step-posture-connector-provisioner"}},
		"doors": {given: []string{webhook, ca, "step-posture-connector-callers"}},
		"mdmsecuritydemo": {
			given:  []string{"webhook-tls", "webhook-key", "dynamicacme-api-key", "deviceinventory-api-key", "inventory"},
			spaces: []string{"dynamicacme", "deviceinventory"},
			excused: map[string]string{
				"rollout: it has 1 replicas":             "its state is a SQLite file, which has one daemon",
				"rollout: an old pod may end before":     "for the same reason the old pod ends first",
				"secret: the container connector gets":   "the demo has its secrets in variables, and keeps them",
				"rollout: the container connector has":   "with one replica there is no other that could answer meanwhile",
				"rollout: terminationGracePeriodSeconds": "likewise",
			},
		},
	}
}

// rendered are the installations of all overlays. One that has no entry above fails the test: nobody would say what it needs.
func rendered(t *testing.T) []installation {
	t.Helper()
	folders, err := os.ReadDir(kubernetesFolder("overlays"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, folder := range folders {
		names = append(names, folder.Name())
	}
	known := slices.Sorted(maps.Keys(overlays()))
	if !slices.Equal(names, known) {
		t.Fatalf("docs/kubernetes/overlays has %q, and this test knows %q", names, known)
	}
	var all []installation
	for _, name := range names {
		o := overlays()[name]
		all = append(all, render(t, name, kubernetesFolder("overlays", name), o.given, o.spaces, o.excused))
	}
	return all
}

// render makes an installation of a folder for kustomize.
func render(t *testing.T, name, folder string, needs, spaces []string, excused map[string]string) installation {
	t.Helper()
	objects, err := manifest.Parse([]byte(must(t, "kubectl", "kustomize", folder)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	in := installation{name: name, objects: objects, excused: excused}
	for _, need := range needs {
		g, known := given()[need]
		if !known {
			t.Fatalf("%s needs %s, which is not given", name, need)
		}
		in.given = append(in.given, g)
	}
	for _, space := range spaces {
		in.given = append(in.given, check.Given{Kind: "Namespace", Name: space})
	}
	return in
}

// spaces are the namespaces of an installation.
func (in installation) spaces() []string {
	all := map[string]bool{}
	for _, object := range in.objects {
		if n := object.Namespace(); n != "" {
			all[n] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// occupy makes the namespaces that the user has before; the test removes those of the installation, with all that is in them.
func (in installation) occupy(t *testing.T) {
	t.Helper()
	for _, space := range in.spaces() {
		t.Cleanup(func() {
			if err := running.RemoveNamespace(context.WithoutCancel(t.Context()), space); err != nil {
				t.Error(err)
			}
		})
	}
	for _, g := range in.given {
		if g.Kind == "Namespace" {
			apply(t, namespace(g.Name), false)
		}
	}
}

// supply makes the other objects that the user makes, and the service account that a controller makes in each namespace.
func (in installation) supply(t *testing.T) {
	t.Helper()
	for _, space := range in.spaces() {
		apply(t, manifest.Object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default", "namespace": space}}, false)
		for _, g := range in.given {
			if g.Kind != "Namespace" {
				apply(t, userMade(g, space), false)
			}
		}
	}
}

// apply wants an object to be accepted without a warning.
func apply(t *testing.T, object manifest.Object, dryRun bool) {
	t.Helper()
	warnings, err := running.Apply(t.Context(), object, dryRun)
	if err != nil {
		t.Errorf("%s is refused: %v", object.ID(), err)
	}
	for _, warning := range warnings {
		t.Errorf("%s: the API server warns: %s", object.ID(), warning)
	}
}

// wantPods makes the pods that a controller would make of what is installed, and wants them to be admitted.
func (in installation) wantPods(t *testing.T) {
	t.Helper()
	count := 0
	for _, space := range in.spaces() {
		objects, err := running.Objects(t.Context(), space)
		if err != nil {
			t.Fatal(err)
		}
		// With the defaults that the API server has added.
		for _, object := range objects {
			if pod, makes := manifest.PodOf(object); makes {
				count++
				apply(t, pod, false)
			}
		}
	}
	if count == 0 {
		t.Errorf("%s makes no pod", in.name)
	}
}

// wantNoFinding applies the rules of package check. What is excused must be found, so that no excuse outlives its fault.
func (in installation) wantNoFinding(t *testing.T) {
	t.Helper()
	unused := maps.Clone(in.excused)
	for _, finding := range check.Check(in.input(t)) {
		excused := false
		for text := range in.excused {
			if strings.HasPrefix(finding.Rule+": "+finding.Text, text) {
				delete(unused, text)
				excused = true
			}
		}
		if !excused {
			t.Errorf("%s: %s", in.name, finding)
		}
	}
	for text, reason := range unused {
		t.Errorf("%s: %q is excused (%s), and is not found", in.name, text, reason)
	}
}

func (in installation) input(t *testing.T) check.Input {
	t.Helper()
	return check.Input{Objects: in.objects, Given: in.given, SecretVariables: secretVariables(t)}
}

// secretVariables are those that can be given as a file with their value, except two: the IDs of webhooks, which step-ca's
// configuration shows, and a path.
func secretVariables(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(running.repository, "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)_FILE` \\|[^|]*\\| The path of a file with the value of `([A-Z0-9_]+)`").FindAllStringSubmatch(string(text), -1) {
		if match[1] != match[2] {
			t.Fatalf("docs/configuration.md says that %s_FILE has the value of %s", match[1], match[2])
		}
		if name := match[1]; name != "WEBHOOK_IDS" && name != "INVENTORY_PATH" {
			names = append(names, name)
		}
	}
	for _, name := range []string{"WEBHOOK_SECRETS", "JAMF_CLIENT_SECRET", "STATE_URL"} {
		if !slices.Contains(names, name) {
			t.Fatalf("docs/configuration.md has the secret variables %q, and not %s", names, name)
		}
	}
	return names
}

// excuses tells whether a finding is meant.
func (in installation) excuses(finding check.Finding) bool {
	for text := range in.excused {
		if strings.HasPrefix(finding.Rule+": "+finding.Text, text) {
			return true
		}
	}
	return false
}

// free tells the maps whose keys are the user's.
func free(kind, pointer string) bool {
	if kind == "ConfigMap" && pointer == "/data" || kind == "Service" && pointer == "/spec/selector" {
		return true
	}
	switch pointer[strings.LastIndex(pointer, "/")+1:] {
	case "labels", "annotations", "matchLabels", "nodeSelector", "limits", "requests":
		return true
	}
	return false
}

// digits are the places in lists.
func digits() *regexp.Regexp { return regexp.MustCompile(`/\d+`) }
