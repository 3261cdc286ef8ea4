package e2e_test

import (
	"context"
	"os/exec"
	"strconv"
	"testing"

	"step-posture-connector/internal/test/e2e/machine"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// machines is a CA that also signs SSH certificates, and what machines prove their identity with.
type machines struct {
	*lab
	web    *machine.Server
	script string // path of sh
}

func newMachines(t *testing.T) *machines {
	t.Helper()
	m := &machines{lab: &lab{programs: buildPrograms(t)}, web: startServer(t)}
	var err error
	if m.script, err = exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	m.ca, err = stepca.Init(t.Context(), stepca.Config{
		StepCA: m.programs.StepCA(), Step: m.programs.Step(), Dir: t.TempDir(), RemoteManagement: true,
		InitArgs: []string{"--ssh"},
		Args: []string{
			"--resolver", m.web.Names.Address(), "--insecure", "--acme-http-port", strconv.Itoa(m.web.Web.Port()),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.startCA(t)
	return m
}

func startServer(t *testing.T) *machine.Server {
	t.Helper()
	// The test's context ends before the CA does, which may still ask.
	ctx := context.WithoutCancel(t.Context())
	names, err := machine.StartNames(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := names.Close(); err != nil {
			t.Errorf("stop name service: %v", err)
		}
	})
	web, err := machine.StartWeb(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := web.Close(); err != nil {
			t.Errorf("stop web server: %v", err)
		}
	})
	return &machine.Server{Web: web, Names: names}
}

// sh runs commands in a folder, as an operator of the CA or one of its clients does. The first failure ends them.
func (m *machines) sh(t *testing.T, dir, commands string, more ...string) process.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	result, err := process.Finish(ctx, process.Spec{
		Path: m.script, Args: []string{"-euc", commands}, Dir: dir, Env: append(m.ca.Operator(), more...),
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// must runs commands that may not fail, and returns what they printed.
func (m *machines) must(t *testing.T, dir, commands string, more ...string) string {
	t.Helper()
	result := m.sh(t, dir, commands, more...)
	if result.Status != 0 {
		t.Fatalf("%s\nends with %d and prints\n%s%s", commands, result.Status, result.Stdout, result.Stderr)
	}
	return result.Stdout
}
