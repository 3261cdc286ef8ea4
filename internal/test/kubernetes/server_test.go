package kubernetes_test

import (
	"encoding/json"
	"testing"

	"step-posture-connector/internal/test/kubernetes/check"
	"step-posture-connector/internal/test/kubernetes/manifest"
)

// namespace is one that enforces Pod Security "restricted", as those of the manifests do.
func namespace(name string) manifest.Object {
	return manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": map[string]any{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	}}}
}

// userMade is an object that the user makes. The values stand in for secrets, which nothing here reads.
func userMade(g check.Given, space string) manifest.Object {
	data := map[string]any{}
	for _, key := range g.Keys {
		data[key] = "made by the user"
	}
	member := "data"
	if g.Kind == "Secret" {
		member = "stringData"
	}
	return manifest.Object{"apiVersion": "v1", "kind": g.Kind, "metadata": map[string]any{"name": g.Name, "namespace": space}, member: data}
}

// contents are all objects in some namespaces, as the API server has them; without what it notes about writes.
func contents(t *testing.T, spaces []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, space := range spaces {
		objects, err := running.Objects(t.Context(), space)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			metadata := object.Map("metadata")
			delete(metadata, "resourceVersion")
			delete(metadata, "managedFields")
			text, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			all[object.ID()] = string(text)
		}
	}
	return all
}

// wantSame wants nothing to have changed: what is compared is what contents returned.
func wantSame(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for id, text := range want {
		if got[id] != text {
			t.Errorf("%s, %s is\n%s\nwant\n%s", when, id, got[id], text)
		}
	}
	for id := range got {
		if _, before := want[id]; !before {
			t.Errorf("%s, there is %s", when, id)
		}
	}
}
