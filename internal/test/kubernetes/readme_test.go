package kubernetes_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/check"
	"step-posture-connector/internal/test/kubernetes/manifest"
)

// page is a page with commands, and those of them that cannot run here, by what they begin with.
type page struct {
	path   string
	cannot map[string]string
	spaces []string
	// after is what must be there in the end.
	after []string
}

// TestCommands runs the commands of the pages, literally and in their order, in one shell each.
func TestCommands(t *testing.T) {
	const space = "step-posture-connector"
	const noKubelet, noCA = "no kubelet runs here", "no step-ca runs here; the end-to-end tests run its commands"
	for _, p := range []page{
		{
			path: "docs/kubernetes/README.md",
			cannot: map[string]string{
				"docker build":                                     "docker/test builds the image",
				"docker push":                                      "there is no registry",
				"step ca provisioner webhook":                      noCA,
				"step ca provisioner add":                          noCA,
				"step crypto rand":                                 noCA,
				"kubectl -n step-ca exec":                          noKubelet,
				"kubectl -n step-posture-connector exec":           noKubelet,
				"kubectl -n step-posture-connector logs":           noKubelet,
				"kubectl -n step-posture-connector rollout status": "no controller makes pods here",
			},
			spaces: []string{space},
			after: []string{
				space + "/Deployment/step-posture-connector", space + "/Secret/step-posture-connector-webhook", space + "/ConfigMap/step-posture-connector-ca",
				space + "/Secret/step-posture-connector-provisioner", space + "/Service/step-posture-connector",
			},
		},
		{
			path:   "docs/kubernetes/chart/README.md",
			spaces: []string{space},
			after:  []string{space + "/Deployment/step-posture-connector", space + "/Secret/step-posture-connector-webhook", space + "/ConfigMap/step-posture-connector-ca"},
		},
	} {
		t.Run(filepath.Base(filepath.Dir(p.path)), func(t *testing.T) {
			for _, space := range p.spaces {
				t.Cleanup(func() {
					if err := running.RemoveNamespace(context.WithoutCancel(t.Context()), space); err != nil {
						t.Error(err)
					}
				})
			}
			p.run(t)
			there := contents(t, p.spaces)
			for _, id := range p.after {
				if _, found := there[id]; !found {
					t.Errorf("after the commands, there is no %s; there are %q", id, slices.Sorted(maps.Keys(there)))
				}
			}
			wantKeys(t, space)
			in := installation{name: p.path}
			for _, s := range p.spaces {
				in.objects = append(in.objects, manifest.Object{"kind": "ServiceAccount", "metadata": record{"name": "default", "namespace": s}})
				apply(t, manifest.Object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": record{"name": "default", "namespace": s}}, false)
			}
			in.wantPods(t)
		})
	}
}

// run runs the commands of a page. What they print on standard error is shown, and a warning of the API server is an error.
func (p page) run(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(running.repository, filepath.FromSlash(p.path)))
	if err != nil {
		t.Fatal(err)
	}
	unused := maps.Clone(p.cannot)
	var script []string
	for _, command := range commands(string(text)) {
		left := false
		for start := range p.cannot {
			if strings.HasPrefix(command, start) {
				left = true
				delete(unused, start)
			}
		}
		if !left {
			script = append(script, command)
		}
	}
	for start, reason := range unused {
		t.Errorf("%s has no command that begins with %q, which the test leaves out: %s", p.path, start, reason)
	}
	if len(script) == 0 {
		t.Fatalf("%s has no command", p.path)
	}
	shell := running.prepare(t.Context(), "/bin/sh", "-eux", "-c", strings.Join(script, "\n"))
	shell.Dir = checkout(t)
	var stderr bytes.Buffer
	shell.Stderr = &stderr
	stdout, err := shell.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", p.path, err, stdout, &stderr)
	}
	if strings.Contains(stderr.String(), "Warning") || strings.Contains(stderr.String(), "WARN") {
		t.Errorf("%s: a command warns:\n%s", p.path, &stderr)
	}
}

// commands are those in the blocks of a page that are for a shell. One of several lines is one command.
func commands(text string) (all []string) {
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		joined := strings.ReplaceAll(block[1], "\\\n", "")
		for line := range strings.Lines(joined) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	return all
}

// checkout is a folder that is as the root of the repository is, with the files that commands read which cannot run here.
func checkout(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "cp", "-R", filepath.Join(running.repository, "docs"), folder).CombinedOutput(); err != nil {
		t.Fatalf("copy docs: %v\n%s", err, out)
	}
	files := map[string]string{
		// As step prints them.
		"webhook.txt":         "Webhook ID: 4f3c9a52-0c5d-4d7c-8f0e-3b1a6a0d7c11\nSecret: planted\n",
		"ids":                 "4f3c9a52-0c5d-4d7c-8f0e-3b1a6a0d7c11\n",
		"secrets":             "planted\n",
		"password":            "planted",
		"root_ca.crt":         "a certificate",
		"intermediate_ca.crt": "a certificate",
	}
	for _, name := range []string{"posture.yaml", "devices.csv"} {
		text, err := os.ReadFile(kubernetesFolder("overlays", "file", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// wantKeys wants what the commands have made to have the keys that pods read, with something in each.
func wantKeys(t *testing.T, space string) {
	t.Helper()
	objects, err := running.Objects(t.Context(), space)
	if err != nil {
		t.Fatal(err)
	}
	in := check.Input{Objects: objects}
	for _, finding := range check.Check(in) {
		if finding.Rule == "path" || finding.Rule == "reference" && strings.Contains(finding.Text, "has no key") {
			t.Error(finding)
		}
	}
	for _, object := range objects {
		for key, value := range object.Map("data") {
			if value == "" {
				t.Errorf("%s has nothing at %s", object.ID(), key)
			}
		}
	}
}
