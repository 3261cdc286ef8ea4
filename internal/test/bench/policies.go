package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// policyFile is a generated policy file: how many policies, each with how many rules.
type policyFile struct{ policies, rules int }

// policyFiles are as many policies as a file may have with as many rules as fit, and as many rules as a file may have in
// the fewest policies.
func policyFiles() []policyFile { return []policyFile{{256, 7}, {32, 62}} }

func (f policyFile) String() string {
	return fmt.Sprintf("%d policies with %d rules each", f.policies, f.rules)
}

// write writes the file, with a webhook for each policy but the first, which those of the environment have. No two rules
// are the same, so that each is compiled.
func (f policyFile) write(in folder, path string, version int) error {
	var text, hooks strings.Builder
	text.WriteString("policies:\n")
	hooks.WriteString("webhooks:\n")
	for i := range f.policies {
		name := fmt.Sprintf("policy_%d", i)
		if i == 0 {
			name = "default"
		} else {
			fmt.Fprintf(&hooks, "  - {name: hook_%d, id: 00000000-0000-4000-8000-%012d, secret: {file: %s}, policy: %s}\n", i, i, in.hookSecret(i), name)
		}
		fmt.Fprintf(&text, "  %s:\n    inventories: [file]\n    rules:\n", name)
		for j := range f.rules {
			fmt.Fprintf(&text, "      - {name: rule_%d, require: '(%s) && request.key_bits >= %d'}\n", j+1, measuredRules()[j%len(measuredRules())], i*f.rules+j-version)
		}
		text.WriteString(measuredData)
	}
	arriving := path + ".new"
	if err := os.WriteFile(arriving, []byte(text.String()+hooks.String()), private); err != nil {
		return fmt.Errorf("write policy file: %w", err)
	}
	if err := os.Rename(arriving, path); err != nil {
		return fmt.Errorf("write policy file: %w", err)
	}
	return nil
}

func (f folder) hookSecret(number int) string { return f.file(fmt.Sprintf("hook_%d.secret", number)) }

// hookSecrets writes a secret for each webhook of a policy file.
func (b *bench) hookSecrets() error {
	for _, f := range policyFiles() {
		for i := range f.policies {
			secret := make([]byte, secretLength)
			_, _ = rand.Read(secret) // never fails
			if err := os.WriteFile(b.folder.hookSecret(i), []byte(base64.StdEncoding.EncodeToString(secret)), private); err != nil {
				return fmt.Errorf("write secret: %w", err)
			}
		}
	}
	return nil
}

// policies measures how long large policy files take to load and to reload.
func (b *bench) policies(ctx context.Context) error {
	if err := b.hookSecrets(); err != nil {
		return err
	}
	in, err := b.factInventory(thousandDevices)
	if err != nil {
		return err
	}
	for _, f := range policyFiles() {
		if err := b.largePolicy(ctx, f, in); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

func (b *bench) largePolicy(ctx context.Context, f policyFile, in inventory) error {
	path := b.folder.file(fmt.Sprintf("%d_policies.yaml", f.policies))
	if err := f.write(b.folder, path, 0); err != nil {
		return err
	}
	settings := map[string]string{"PROVIDER": "file", "FILE_TYPE": in.format, "FILE_PATH": in.path, "POLICY_PATH": path}
	var t *target
	ready, cpu := make([]float64, b.scale.loads), make([]float64, b.scale.loads)
	for n := range b.scale.loads {
		b.say("%s: start %d of %d", f, n+1, b.scale.loads)
		var err error
		if t, err = b.start(ctx, competitor{f.String(), b.daemonPath(), settings}); err != nil {
			return err
		}
		spent, err := cpuTime(t.command.Process.Pid)
		if err != nil {
			return err
		}
		ready[n], cpu[n] = t.toReady.Seconds(), spent.Seconds()
		if n < b.scale.loads-1 {
			if err := b.end(t.process); err != nil {
				return err
			}
		}
	}
	atReady, err := t.memory()
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		reportOnly(fmt.Sprintf("start with %s: time to ready, and CPU time", f), seconds(median(ready))+", "+seconds(median(cpu))),
		reportOnly(fmt.Sprintf("start with %s: memory at ready", f), mebibytes(atReady.now)))
	if err := b.reloads(ctx, f, path, t); err != nil {
		return err
	}
	return b.end(t.process)
}

// reloads replaces the policy file, and waits until the daemon says that it has the next one.
func (b *bench) reloads(ctx context.Context, f policyFile, path string, t *target) error {
	log := logWatch{path: t.log}
	took, cpu := make([]float64, b.scale.loads), make([]float64, b.scale.loads)
	for n := range b.scale.loads {
		b.say("%s: reload %d of %d", f, n+1, b.scale.loads)
		if _, err := log.read(); err != nil {
			return err
		}
		if err := f.write(b.folder, path, (n+1)*f.policies*f.rules); err != nil {
			return err
		}
		began := time.Now()
		spent, err := t.spent(func() error {
			if err := t.command.Process.Signal(syscall.SIGHUP); err != nil {
				return fmt.Errorf("ask for a reload: %w", err)
			}
			return awaitPolicies(ctx, &log)
		})
		if err != nil {
			return err
		}
		took[n], cpu[n] = time.Since(began).Seconds(), spent.Seconds()
	}
	after, err := t.memory()
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		reportOnly(fmt.Sprintf("reload of %s: time, and CPU time", f), seconds(median(took))+", "+seconds(median(cpu))),
		reportOnly(fmt.Sprintf("reload of %s: memory after %d", f, b.scale.loads), mebibytes(after.now)))
	return nil
}

// awaitPolicies returns when the daemon says that it has other policies.
func awaitPolicies(ctx context.Context, log *logWatch) error {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	for {
		seen, err := log.read()
		switch {
		case err != nil:
			return err
		case bytes.Contains(seen, []byte("reload failed")):
			return errors.New("the daemon refuses the policy file")
		case bytes.Contains(seen, []byte("reloaded: policies and webhooks")):
			return nil
		}
		if err := pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("wait for a reload: %w", err)
		}
	}
}
