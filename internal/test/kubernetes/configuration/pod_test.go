package configuration_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A pod is the connector's container on this machine: its volumes are folders below root, and the paths in variables and files
// begin with root.
type pod struct {
	root    string
	environ map[string]string
}

// given are the Secrets and ConfigMaps that people make themselves, by name.
type given map[string]map[string]string

// place makes the volumes of the container, and its variables.
func (r rendered) place(t *testing.T, own given, change *strings.Replacer) pod {
	t.Helper()
	container := r.connector(t)
	p := pod{root: t.TempDir(), environ: map[string]string{}}
	var moved []string
	for _, mount := range container.VolumeMounts {
		if mount.SubPath != "" {
			t.Errorf("%s: subPath, which does not change with its ConfigMap or Secret", mount.MountPath)
		}
		moved = append(moved, mount.MountPath, p.root+mount.MountPath)
	}
	move := strings.NewReplacer(moved...)
	for _, mount := range container.VolumeMounts {
		files := maps.Clone(r.files(t, own, mount.Name))
		for name, text := range files {
			if change != nil {
				text = change.Replace(text)
			}
			files[name] = move.Replace(text)
		}
		mountAsKubelet(t, p.root+mount.MountPath, files)
	}
	for _, from := range container.EnvFrom {
		variables, exists := r.configMaps[from.ConfigMapRef.Name]
		if !exists {
			t.Fatalf("no ConfigMap %s", from.ConfigMapRef.Name)
		}
		for name, value := range variables {
			p.environ[name] = move.Replace(value)
		}
	}
	for _, variable := range container.Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil {
			secret, exists := own[from.SecretKeyRef.Name][from.SecretKeyRef.Key]
			if !exists && from.SecretKeyRef.Optional != nil && *from.SecretKeyRef.Optional {
				continue
			}
			if !exists {
				t.Fatalf("%s: no Secret %s with the key %s", variable.Name, from.SecretKeyRef.Name, from.SecretKeyRef.Key)
			}
			value = secret
		}
		p.environ[variable.Name] = move.Replace(value)
	}
	return p
}

// files is the content of a volume.
func (r rendered) files(t *testing.T, own given, name string) map[string]string {
	t.Helper()
	for _, volume := range r.deployment.Spec.Template.Spec.Volumes {
		if volume.Name != name {
			continue
		}
		switch {
		case volume.ConfigMap != nil:
			if files, exists := r.configMaps[volume.ConfigMap.Name]; exists {
				return files
			}
			return own.files(t, volume.ConfigMap.Name)
		case volume.Secret != nil:
			return own.files(t, volume.Secret.SecretName)
		case volume.EmptyDir != nil && name == "tls":
			return r.renewed(t, own)
		case volume.PersistentVolumeClaim != nil:
			return nil
		}
		t.Fatalf("volume %s: of a kind that this test does not know", name)
	}
	t.Fatalf("no volume %s", name)
	return nil
}

// renewed is what the containers of the component step-renewer put into their volume.
func (r rendered) renewed(t *testing.T, own given) map[string]string {
	t.Helper()
	for _, container := range r.deployment.Spec.Template.Spec.InitContainers {
		if container.Name == "renewer" && container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			pair := own.files(t, "step-posture-connector-tls")
			return map[string]string{"server.crt": pair["tls.crt"], "server.key": pair["tls.key"]}
		}
	}
	t.Fatal("the certificate is in an empty folder, and no sidecar named renewer writes it")
	return nil
}

func (g given) files(t *testing.T, name string) map[string]string {
	t.Helper()
	files, exists := g[name]
	if !exists {
		t.Fatalf("the manifests need %s, which README.md does not make", name)
	}
	return files
}

// mountAsKubelet writes files as a kubelet does: each is a link through a link to a folder with the content.
func mountAsKubelet(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	const content = "..2026_11_27_12_00_00.1"
	if err := os.MkdirAll(filepath.Join(folder, content), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(content, filepath.Join(folder, "..data")); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, content, name), []byte(text), 0o440); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// list is the environment of a process, with changes to it as pairs of name and value.
func (p pod) list(changes ...string) []string {
	environ := maps.Clone(p.environ)
	for i := 0; i < len(changes); i += 2 {
		environ[changes[i]] = changes[i+1]
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		list = append(list, name+"="+environ[name])
	}
	return list
}

func decimal(n int32) string { return strconv.Itoa(int(n)) }
