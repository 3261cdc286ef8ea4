// Package tools builds the programs that these tests run, and keeps them between runs.
package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	// Helm is no tool of go.mod: it needs other versions of the same modules.
	helmProgram = "helm.sh/helm/v4/cmd/helm"
	helmVersion = "v4.3.1"
)

// interruptDelay is how long the go command may take to end after an interrupt.
const interruptDelay = 20 * time.Second

// lockLimit is how long another process may build. A slow machine needs a quarter of an hour for all programs.
const lockLimit = 45 * time.Minute

// Set has the paths of the programs.
type Set struct {
	Etcd, APIServer, Kubectl, Helm string
	Kubernetes                     string // the version of the API server and kubectl
}

// Find returns the programs. Those that are missing in the user's cache are built, which takes minutes; say is told
// before. The working directory must be in this module.
func Find(ctx context.Context, say func(text string)) (Set, error) {
	etcd, err := findEtcd()
	if err != nil {
		return Set{}, err
	}
	version, err := output(ctx, "go", "list", "-m", "-f", "{{.Version}}", kubernetesModule)
	if err != nil {
		return Set{}, fmt.Errorf("find the version of %s in go.mod: %w", kubernetesModule, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Set{}, fmt.Errorf("find the user's cache: %w", err)
	}
	b := builder{cache: filepath.Join(cache, "step-posture-connector"), say: say}
	set := Set{Etcd: etcd, Kubernetes: version}
	release := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(release) != 3 {
		return Set{}, fmt.Errorf("the version of %s is %q, want three numbers", kubernetesModule, version)
	}
	// Without these, the programs believe that they are of an unknown version.
	const stamp = " -X k8s.io/component-base/version."
	stamps := stamp + "gitVersion=" + version + stamp + "gitMajor=" + release[0] + stamp + "gitMinor=" + release[1]
	for _, program := range []struct {
		path    *string
		folder  string
		command []string
	}{
		{&set.APIServer, "kubernetes-" + version, []string{"build", "-ldflags=-s -w" + stamps, kubernetesModule + "/cmd/kube-apiserver"}},
		{&set.Kubectl, "kubernetes-" + version, []string{"build", "-ldflags=-s -w" + stamps, kubernetesModule + "/cmd/kubectl"}},
		{&set.Helm, "helm-" + helmVersion, []string{"install", "-ldflags=-s -w", helmProgram + "@" + helmVersion}},
	} {
		if *program.path, err = b.build(ctx, program.folder, program.command); err != nil {
			return Set{}, err
		}
	}
	return set, nil
}

// findEtcd finds Debian's etcd. It is no Go tool here: its module cannot be built beside that of the API server.
func findEtcd() (string, error) {
	path, err := exec.LookPath("etcd")
	if err != nil {
		// A PATH without it is no reason not to find Debian's.
		path, err = exec.LookPath("/usr/bin/etcd")
	}
	if err != nil {
		return "", fmt.Errorf("%w: install Debian's etcd-server (make test-etcd), or put an etcd 3.4 or later into PATH", err)
	}
	return path, nil
}

type builder struct {
	cache string
	say   func(text string)
}

// build returns the path of a program in the cache. A program that is not there is built beside it, and moved, so that
// no other run can find a half-written one.
func (b builder) build(ctx context.Context, folder string, command []string) (path string, err error) {
	verb, rest := command[0], command[1:]
	name, _, _ := strings.Cut(filepath.Base(rest[len(rest)-1]), "@")
	path = filepath.Join(b.cache, folder, name)
	if there, err := exists(path); there || err != nil {
		return path, err
	}
	if err := os.MkdirAll(filepath.Join(b.cache, folder), 0o700); err != nil {
		return "", fmt.Errorf("make the folder of %s: %w", name, err)
	}
	unlock, err := lock(ctx, filepath.Join(b.cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	// The one who had the lock may have built it.
	if there, err := exists(path); there || err != nil {
		return path, err
	}
	b.say(fmt.Sprintf("Building %s (%s), which takes minutes and is needed once.", name, folder))
	if err := b.sweep(); err != nil {
		return "", err
	}
	// In the cache, because a file cannot be moved to another file system at once.
	scratch, err := os.MkdirTemp(b.cache, "build-")
	if err != nil {
		return "", fmt.Errorf("make a folder to build %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	bin := filepath.Join(scratch, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return "", fmt.Errorf("make a folder to build %s: %w", name, err)
	}
	arguments := append([]string{verb, "-trimpath"}, rest...)
	if verb == "build" {
		arguments = append([]string{verb, "-trimpath", "-o", bin + string(filepath.Separator)}, rest...)
	}
	cmd := exec.CommandContext(ctx, "go", arguments...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+scratch, "GOBIN="+bin, "GOFLAGS=-buildvcs=false")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = interruptDelay
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	if err := os.Rename(filepath.Join(bin, name), path); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, err)
	}
	return path, nil
}

// exists tells whether there is a file.
func exists(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for a program in the cache: %w", err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is no file: remove it", path)
	}
	return true, nil
}

// lock waits until no other process builds: the tests of several packages run at the same time. The system ends the lock with the process.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the cache: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil // closing it unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the cache: %w", err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for another process that builds programs: %w", ctx.Err()), file.Close())
		case <-time.After(time.Second):
		}
	}
}

// sweep removes what builds have left that were killed long ago.
func (b builder) sweep() error {
	left, err := filepath.Glob(filepath.Join(b.cache, "build-*"))
	if err != nil {
		return fmt.Errorf("look for old builds: %w", err)
	}
	for _, folder := range left {
		info, err := os.Stat(folder)
		if err != nil || time.Since(info.ModTime()) < 24*time.Hour {
			continue // another run has just removed it, or still builds in it
		}
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("remove an old build: %w", err)
		}
	}
	return nil
}

func output(ctx context.Context, name string, arguments ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, arguments...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}
