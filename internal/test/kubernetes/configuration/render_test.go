package configuration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests is the folder of the overlays and components.
const manifests = "../../../../docs/kubernetes"

// rendered is what kustomize makes of an overlay, as far as it reaches the connector.
type rendered struct {
	deployment *appsv1.Deployment
	configMaps map[string]map[string]string
}

// render builds an overlay as kubectl does, with components added to it by a kustomization above.
func render(t *testing.T, overlay string, components ...string) rendered {
	t.Helper()
	folder := filepath.Join(manifests, "overlays", overlay)
	if len(components) > 0 {
		folder = compose(t, overlay, components)
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatalf("build %s with %q: %v", overlay, components, err)
	}
	return read(t, resources)
}

// compose writes such a kustomization as docs/kubernetes/README.md shows.
func compose(t *testing.T, overlay string, components []string) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(manifests)
	if err != nil {
		t.Fatal(err)
	}
	way, err := filepath.Rel(folder, root)
	if err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: step-posture-connector\n" +
		"resources: [" + way + "/overlays/" + overlay + "]\ncomponents:\n"
	for _, component := range components {
		text += "  - " + way + "/components/" + component + "\n"
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func read(t *testing.T, resources resmap.ResMap) rendered {
	t.Helper()
	r := rendered{configMaps: map[string]map[string]string{}}
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		switch resource.GetKind() {
		case "ConfigMap":
			var config corev1.ConfigMap
			if err := yaml.UnmarshalStrict(text, &config); err != nil {
				t.Fatalf("%s: %v", resource.CurId(), err)
			}
			r.configMaps[config.Name] = config.Data
		case "Deployment":
			if r.deployment != nil {
				t.Fatalf("two deployments: %s and %s", r.deployment.Name, resource.GetName())
			}
			r.deployment = new(appsv1.Deployment)
			if err := yaml.UnmarshalStrict(text, r.deployment); err != nil {
				t.Fatalf("%s: %v", resource.CurId(), err)
			}
		}
	}
	if r.deployment == nil {
		t.Fatal("no deployment")
	}
	return r
}

// connector is the container of the program.
func (r rendered) connector(t *testing.T) corev1.Container {
	t.Helper()
	for _, container := range r.deployment.Spec.Template.Spec.Containers {
		if container.Name == "connector" {
			return container
		}
	}
	t.Fatal("no container named connector")
	return corev1.Container{}
}

// port is the number of a named port of the container.
func (r rendered) port(t *testing.T, name string) string {
	t.Helper()
	for _, port := range r.connector(t).Ports {
		if port.Name == name {
			return decimal(port.ContainerPort)
		}
	}
	t.Fatalf("the container has no port named %s", name)
	return ""
}

// folders are the overlays or components that exist.
func folders(t *testing.T, kind string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(manifests, kind, "*", "kustomization.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("%d %s, %v", len(found), kind, err)
	}
	for i, path := range found {
		found[i] = filepath.Base(strings.TrimSuffix(path, "/kustomization.yaml"))
	}
	return found
}
