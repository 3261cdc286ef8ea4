package kubernetes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each overlay, in the two ways of kubectl. What is applied again is unchanged, the pods are admitted, and nothing that the API
// server accepts is wrong all the same.
func TestOverlays(t *testing.T) {
	for _, in := range rendered(t) {
		folder := kubernetesFolder("overlays", in.name)
		t.Run(in.name, func(t *testing.T) {
			in.wantNoFinding(t)
			t.Run("server-side", func(t *testing.T) {
				in.occupy(t)
				arguments := []string{"apply", "--server-side", "--validate=strict", "-k", folder}
				must(t, "kubectl", arguments...)
				before := contents(t, in.spaces())
				must(t, "kubectl", arguments...)
				wantSame(t, "applied again", contents(t, in.spaces()), before)
				in.wantAll(t, before)
				in.supply(t)
				in.wantPods(t)
			})
			t.Run("client-side", func(t *testing.T) {
				in.occupy(t)
				must(t, "kubectl", "apply", "-k", folder)
				before := contents(t, in.spaces())
				must(t, "kubectl", "apply", "-k", folder)
				wantSame(t, "applied again", contents(t, in.spaces()), before)
				must(t, "kubectl", "diff", "-k", folder)
				in.wantAll(t, before)
				in.supply(t)
				in.wantPods(t)
			})
		})
	}
}

// wantAll wants each object of the installation to be there.
func (in installation) wantAll(t *testing.T, there map[string]string) {
	t.Helper()
	for _, object := range in.objects {
		if _, found := there[object.ID()]; !found && object.Namespace() != "" {
			t.Errorf("%s was applied, and is not there", object.ID())
		}
	}
}

// TestComponents applies the base with each combination of components that is documented: one source of the server certificate, and
// any of the others; the console needs the database.
func TestComponents(t *testing.T) {
	sources := map[string]string{"": "step-posture-connector-tls", "cert-manager": "", "step-renewer": "step-posture-connector-provisioner"}
	for source, secret := range sources {
		for bits := range 16 {
			needs := []string{"step-posture-connector-webhook", "step-posture-connector-ca"}
			var components []string
			add := func(component, need string) {
				if component != "" {
					components = append(components, component)
				}
				if need != "" {
					needs = append(needs, need)
				}
			}
			add(source, secret)
			if bits&1 != 0 {
				add("monitoring", "")
			}
			if bits&2 != 0 {
				add("internet", "")
			}
			if bits&4 != 0 {
				add("postgresql", "step-posture-connector-state")
			}
			if bits&8 != 0 && bits&4 == 0 {
				continue // the console without the database
			}
			if bits&8 != 0 {
				add("console", "step-posture-connector-console")
			}
			name := strings.Join(components, "+")
			t.Run("base+"+name, func(t *testing.T) {
				in := render(t, name, combine(t, components), needs, nil, nil)
				in.wantNoFinding(t)
				in.occupy(t)
				for _, object := range in.objects {
					apply(t, object, false)
				}
				in.supply(t)
				in.wantPods(t)
			})
		}
	}
}

// combine writes a folder for kustomize, with the base, a policy file and components.
func combine(t *testing.T, components []string) string {
	t.Helper()
	folder := t.TempDir()
	// kubectl takes a folder elsewhere only by a relative path.
	above, err := filepath.Rel(folder, kubernetesFolder())
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: step-posture-connector
resources: [%s]
configMapGenerator:
  - name: step-posture-connector-policy
    literals: ["posture.yaml=policies: {}"]
    options: {disableNameSuffixHash: true}
components:
`, filepath.Join(above, "base"))
	for _, component := range components {
		text += "  - " + filepath.Join(above, "components", component) + "\n"
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
