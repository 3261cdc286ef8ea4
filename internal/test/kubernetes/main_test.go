package kubernetes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/kubernetes/apiserver"
	"step-posture-connector/internal/test/kubernetes/tools"
)

// commandLimit is how long one command of kubectl or helm may take.
const commandLimit = 2 * time.Minute

// lab is the API server, and the programs that speak to it.
type lab struct {
	tools.Set
	*apiserver.Server
	repository string // its root
	folder     string // for files of this run
}

// running is set once, before the tests.
var running lab //nolint:gochecknoglobals // TestMain cannot hand it to the tests in another way

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	// The servers end with this thread, so it must be there until the end of the tests.
	runtime.LockOSThread()
	ctx := context.Background()
	if running.Set, err = tools.Find(ctx, func(text string) { fmt.Fprintln(os.Stderr, text) }); err != nil {
		return 0, err
	}
	if running.repository, err = filepath.Abs("../../.."); err != nil {
		return 0, err
	}
	if running.folder, err = os.MkdirTemp("", "step-posture-kubernetes-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(running.folder)) }()
	if err := running.linkPrograms(); err != nil {
		return 0, err
	}
	running.Server, err = apiserver.Start(ctx, apiserver.Programs{Etcd: running.Etcd, APIServer: running.APIServer}, running.folder)
	if err != nil {
		return 0, err
	}
	defer running.Stop()
	for _, arguments := range [][]string{
		{"apply", "--server-side", "--validate=strict", "-f", "crds"},
		{"wait", "--for=condition=Established", "--timeout=60s", "-f", "crds"},
	} {
		if _, err := running.command(ctx, "kubectl", arguments...); err != nil {
			return 0, fmt.Errorf("add the stand-ins of custom resources: %w", err)
		}
	}
	return m.Run(), nil
}

// linkPrograms puts kubectl and helm into a folder, for commands of a shell.
func (l lab) linkPrograms() error {
	if err := os.Mkdir(l.bin(), 0o700); err != nil {
		return err
	}
	for name, path := range map[string]string{"kubectl": l.Kubectl, "helm": l.Helm} {
		if err := os.Symlink(path, filepath.Join(l.bin(), name)); err != nil {
			return err
		}
	}
	return nil
}

func (l lab) bin() string { return filepath.Join(l.folder, "bin") }

// prepare makes a command that is an administrator of the API server, and has none of the user's settings.
func (l lab) prepare(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(l.bin(), name), arguments...)
	if filepath.IsAbs(name) {
		cmd = exec.CommandContext(ctx, name, arguments...)
	}
	cmd.Env = []string{"PATH=" + l.bin() + ":/usr/bin:/bin", "HOME=" + l.folder}
	if l.Server != nil {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+l.Kubeconfig())
	}
	return cmd
}

// command runs kubectl or helm, and returns what it prints. Anything on standard error is an error too: it is there that
// kubectl prints warnings of the API server.
func (l lab) command(ctx context.Context, name string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := l.prepare(ctx, name, arguments...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(arguments, " "), err, &stdout, &stderr)
	}
	if stderr.Len() > 0 {
		return "", fmt.Errorf("%s %s warns: %s", name, strings.Join(arguments, " "), &stderr)
	}
	return stdout.String(), nil
}

// must is command, for a test that cannot go on without it.
func must(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	out, err := running.command(t.Context(), name, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kubernetesFolder is docs/kubernetes, or what is below it.
func kubernetesFolder(parts ...string) string {
	return filepath.Join(append([]string{running.repository, "docs", "kubernetes"}, parts...)...)
}
