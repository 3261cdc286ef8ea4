// Package toolchain builds the programs that the end-to-end tests and the demo
// run: step-ca and step, at the versions that this module's go.mod pins, and the
// connector and the simulated servers, from the repository around it.
package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// modulePath is the module whose tools are built. Locate must be called in its folder.
const modulePath = "step-posture-connector/internal/test/e2e"

// interruptDelay is how long the go command may take to exit after an interrupt.
const interruptDelay = 20 * time.Second

// Toolchain knows where the sources and the built programs are.
type Toolchain struct {
	module string // folder of this module's go.mod
}

// Locate finds the module of the working directory. It fails outside of the
// end-to-end module, because it would build something else there.
func Locate(ctx context.Context) (Toolchain, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}}\n{{.Dir}}").Output()
	if err != nil {
		return Toolchain{}, fmt.Errorf("find the end-to-end module: %w", withStderr(err))
	}
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if path != modulePath {
		return Toolchain{}, fmt.Errorf("working directory is in module %q, want %q", path, modulePath)
	}
	return Toolchain{module: dir}, nil
}

// Step is the path of the step command line client.
func (t Toolchain) Step() string { return filepath.Join(t.Dir(), "step") }

// StepCA is the path of the certificate authority.
func (t Toolchain) StepCA() string { return filepath.Join(t.Dir(), "step-ca") }

// Connector is the path of the program under test.
func (t Toolchain) Connector() string { return filepath.Join(t.Dir(), "step-posture-connector") }

// FakeJamf is the path of the simulated Jamf Pro server.
func (t Toolchain) FakeJamf() string { return filepath.Join(t.Dir(), "fakejamf") }

// FakeSnipeIT is the path of the simulated Snipe-IT server.
func (t Toolchain) FakeSnipeIT() string { return filepath.Join(t.Dir(), "fakesnipeit") }

// FakeVendor is the path of the simulated servers of the other vendors.
func (t Toolchain) FakeVendor() string { return filepath.Join(t.Dir(), "fakevendor") }

// Dir is the folder of the built programs; git ignores it.
func (t Toolchain) Dir() string { return filepath.Join(t.module, ".tools") }

// Repository is the root of the repository, where the connector's sources are.
func (t Toolchain) Repository() string { return filepath.Dir(filepath.Dir(filepath.Dir(t.module))) }

// HasTools reports whether any version of step and step-ca has been built before. It
// serves to announce a long build, not to skip it.
func (t Toolchain) HasTools() bool {
	for _, path := range []string{t.Step(), t.StepCA()} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

// BuildTools builds step and step-ca. The first build takes minutes; a later one
// takes less than a second when go.mod has not changed.
func (t Toolchain) BuildTools(ctx context.Context) error {
	// With cgo, step would need the smart card library of the system.
	return build(ctx, t.module, "-o", t.Dir()+string(filepath.Separator), "tool")
}

// BuildConnector builds the connector as it is in the working tree.
func (t Toolchain) BuildConnector(ctx context.Context) error {
	return build(ctx, t.Repository(), "-trimpath", "-o", t.Connector(), ".")
}

// BuildFakeJamf builds the simulated Jamf Pro server as it is in the working tree.
func (t Toolchain) BuildFakeJamf(ctx context.Context) error {
	return build(ctx, t.Repository(), "-o", t.FakeJamf(), "./internal/provider/jamf/jamftest/cmd/fakejamf")
}

// BuildFakeSnipeIT builds the simulated Snipe-IT server as it is in the working tree.
func (t Toolchain) BuildFakeSnipeIT(ctx context.Context) error {
	return build(ctx, t.Repository(), "-o", t.FakeSnipeIT(), "./internal/provider/httpjson/httpjsontest/cmd/fakesnipeit")
}

// BuildFakeVendor builds the simulated servers of the other vendors as they are in the working tree.
func (t Toolchain) BuildFakeVendor(ctx context.Context) error {
	return build(ctx, t.Repository(), "-o", t.FakeVendor(), "./internal/provider/providertest/cmd/fakevendor")
}

func build(ctx context.Context, dir string, args ...string) (err error) {
	// The go command leaves its temporary files behind when it is interrupted.
	temp, err := os.MkdirTemp("", "step-posture-build-")
	if err != nil {
		return fmt.Errorf("make build folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	// Without -buildvcs=false a checkout that belongs to another user, as in
	// many CI containers, does not build.
	args = append([]string{"build", "-buildvcs=false"}, args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+temp)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptDelay
	if _, err := cmd.Output(); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), withStderr(err))
	}
	return nil
}

// withStderr adds the go command's error output, which exec keeps in a field.
func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
