//go:build compose

package podspec_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	patience    = 6 * time.Minute // for anything that must happen
	commandTime = 2 * time.Minute // for one command of docker
	pollTime    = 200 * time.Millisecond
)

// node is where pods run: a network of Docker, a folder with the files of their volumes, and the objects of the
// namespace that they refer to. The container "root" does in that folder what the kubelet does as root.
type node struct {
	ctx     context.Context // ends with the test; then pods are removed
	id      string          // random; all names begin with it
	network string
	folder  string // of volumes
	stepCA  string // image with a shell
	images  map[string]string
	lag     atomic.Int64 // how long a change of the endpoints takes, a time.Duration
	working sync.WaitGroup

	mu         sync.Mutex
	configMaps map[string]corev1.ConfigMap
	secrets    map[string]corev1.Secret
	claims     map[string]bool // PersistentVolumeClaims
	pods       []*pod
}

// image returns the name of an image that docker/test/run.sh has made.
func image(t *testing.T, variable string) string {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		t.Fatalf("%s is not set: run make test-pod", variable)
	}
	return name
}

// newNode makes a node that has the image of the connector under the name that its manifest gives it.
func newNode(t *testing.T) *node {
	t.Helper()
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	n := &node{
		ctx: ctx, id: "podspec-" + hex.EncodeToString(random), folder: t.TempDir(), stepCA: image(t, "STEP_CA_IMAGE"),
		configMaps: map[string]corev1.ConfigMap{}, secrets: map[string]corev1.Secret{},
		images: map[string]string{
			"registry.example.com/step-posture-connector": image(t, "CONNECTOR_IMAGE"),
			"smallstep/step-ca":                           image(t, "STEP_CA_IMAGE"), "smallstep/step-cli": image(t, "STEP_CA_IMAGE"),
		},
	}
	n.network = n.id
	n.lag.Store(int64(usualLag))
	t.Cleanup(func() {
		n.mu.Lock()
		pods := n.pods
		n.mu.Unlock()
		if t.Failed() {
			for _, p := range pods {
				t.Log(p.describe())
			}
		}
		cancel()
		n.working.Wait()
		n.clear(t)
	})
	n.docker(t, "network", "create", "--label", n.id, n.network)
	n.docker(t, "run", "--detach", "--name", n.id+"-root", "--label", n.id, "--network", "none", "--user", "0:0", "--volume", n.folder+":/node",
		"--entrypoint", "sleep", n.stepCA, "86400")
	return n
}

// clear removes everything that has the label of this node, and wants nothing to be left.
func (n *node) clear(t *testing.T) {
	t.Helper()
	// Files of root, which the test may not remove.
	if _, err := run(context.WithoutCancel(n.ctx), nil, "docker", "exec", n.id+"-root", "sh", "-c", "rm -rf /node/* /node/.[!.]*"); err != nil {
		t.Errorf("remove the volumes: %v", err)
	}
	for _, kind := range []struct{ name, list, remove string }{
		{"container", "ls --all", "rm --force --volumes"}, {"volume", "ls", "rm --force"}, {"network", "ls", "rm"},
	} {
		left := func() []string {
			args := append([]string{kind.name}, strings.Fields(kind.list)...)
			return strings.Fields(n.docker(t, append(args, "--quiet", "--filter", "label="+n.id)...))
		}
		if ids := left(); len(ids) > 0 {
			n.docker(t, append(append([]string{kind.name}, strings.Fields(kind.remove)...), ids...)...)
		}
		if ids := left(); len(ids) > 0 {
			t.Errorf("of kind %s are left: %q", kind.name, ids)
		}
	}
}

// run runs a command, and returns its standard output. The error of a command that fails has all output.
func run(ctx context.Context, stdin []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.WaitDelay = 10 * time.Second
	var out, errorText bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &out, &errorText
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s%s", args[0], args[1], err, out.String(), errorText.String())
	}
	return out.String(), nil
}

// docker runs a command of docker that must succeed, also during the cleanup.
func (n *node) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(context.WithoutCancel(n.ctx), nil, append([]string{"docker"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// both are the two streams of what a container has printed.
func both(ctx context.Context, container string) string {
	out, err := exec.CommandContext(ctx, "docker", "logs", container).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s(%v)", out, err)
	}
	return string(out)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(pollTime) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// configMap finds what a pod refers to.
func (n *node) configMap(name string) (corev1.ConfigMap, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	object, ok := n.configMaps[name]
	if !ok {
		return object, fmt.Errorf("there is no ConfigMap %q", name)
	}
	return object, nil
}

func (n *node) secret(name string) (corev1.Secret, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	object, ok := n.secrets[name]
	if !ok {
		return object, fmt.Errorf("there is no Secret %q", name)
	}
	return object, nil
}

// applyConfigMap is kubectl apply: new pods get the object, and the volumes of the others are written again.
func (n *node) applyConfigMap(t *testing.T, name string, data map[string]string) {
	t.Helper()
	n.mu.Lock()
	object := corev1.ConfigMap{Data: data}
	object.Name = name
	n.configMaps[name] = object
	n.mu.Unlock()
	n.refresh(t)
}

func (n *node) applySecret(t *testing.T, name string, data map[string]string) {
	t.Helper()
	object := corev1.Secret{Data: map[string][]byte{}}
	object.Name = name
	for key, value := range data {
		object.Data[key] = []byte(value)
	}
	n.mu.Lock()
	n.secrets[name] = object
	n.mu.Unlock()
	n.refresh(t)
}

// refresh writes changed volumes of all pods, which a kubelet does within a minute or two.
func (n *node) refresh(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	pods := append([]*pod(nil), n.pods...)
	n.mu.Unlock()
	for _, p := range pods {
		if err := p.refresh(n.ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// shared is a folder of the test that containers may read; a folder of testing is only the test's own.
func shared(t *testing.T, name string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(folder, 0o755); err != nil { //nolint:gosec // other users read it: those of the containers
		t.Fatal(err)
	}
	return folder
}
