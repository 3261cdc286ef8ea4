package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// inspect checks the digests, each program, and the formula.
func (c checker) inspect(ctx context.Context, dist string) error {
	if err := checkSums(dist); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dist, name+"-*.tar.gz"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New(dist + " has no archive")
	}
	scratch, err := os.MkdirTemp("", "release-inspect-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	for _, file := range files {
		if err := c.command(ctx, scratch, nil, "tar", "-xzf", file); err != nil {
			return err
		}
		full := strings.TrimSuffix(filepath.Base(file), ".tar.gz")
		if err := c.inspectProgram(ctx, filepath.Join(scratch, full), full, filepath.Join(dist, full+".cdx.json")); err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
		if err := c.inspectFormula(ctx, dist, file, full); err != nil {
			return fmt.Errorf("%s.rb: %w", name, err)
		}
	}
	return nil
}

// checkSums compares the list with the files: each is in it, with its digest.
func checkSums(dist string) error {
	list, err := os.ReadFile(filepath.Join(dist, sums))
	if err != nil {
		return err
	}
	if err := writeSums(dist); err != nil {
		return err
	}
	again, err := os.ReadFile(filepath.Join(dist, sums))
	if err == nil && !bytes.Equal(list, again) {
		err = fmt.Errorf("%s is\n%sand must be\n%s", sums, list, again)
	}
	return err
}

// inspectProgram checks the program of an unpacked archive, and runs it where that is possible.
func (c checker) inspectProgram(ctx context.Context, folder, full, sbom string) error {
	platform, ok := platformOf(full)
	if !ok {
		return errors.New("the name does not end in a system and a processor")
	}
	program := filepath.Join(folder, name)
	if err := checkProgram(program, platform); err != nil {
		return err
	}
	if err := checkSBOM(sbom, program); err != nil {
		return err
	}
	run := []string{program}
	switch emulator, err := exec.LookPath("qemu-aarch64-static"); {
	case platform == runtime.GOOS+"/"+runtime.GOARCH:
	case platform == "linux/arm64" && runtime.GOOS == "linux" && err == nil:
		run = []string{emulator, program}
	default:
		fmt.Fprintf(c.out, "%s: the right format, modules and SBOM; NOT RUN here\n", full)
		return nil
	}
	version := strings.TrimSuffix(strings.TrimPrefix(full, name+"-"), "-"+strings.Replace(platform, "/", "-", 1))
	for _, row := range []struct {
		want string
		args []string
		code int
	}{
		{name + " " + version + "\n", []string{"version"}, 0},
		{"1 test, 0 failed", []string{"policy", "test", filepath.Join(folder, "posture.yaml")}, 0},
		// The configuration has no webhook, and the error says so.
		{"WEBHOOK_IDS", []string{"check"}, 1},
	} {
		args := slices.Concat(run[1:], row.args)
		try := exec.CommandContext(ctx, run[0], args...)
		try.Dir, try.Env = folder, []string{"PROVIDER=file", "FILE_TYPE=lines", "FILE_PATH=" + filepath.Join(folder, "LICENSE")}
		output, err := try.CombinedOutput()
		if code := try.ProcessState.ExitCode(); code != row.code || !bytes.Contains(output, []byte(row.want)) {
			return fmt.Errorf("%q: exit status %d (%w), want %d; it printed\n%s\nwant %q in it", row.args, code, err, row.code, output, row.want)
		}
	}
	fmt.Fprintf(c.out, "%s: the right format, modules and SBOM; %s runs\n", full, strings.Join(run, " "))
	return nil
}

// platformOf takes linux/amd64 from the end of a name.
func platformOf(full string) (string, bool) {
	parts := strings.Split(full, "-")
	if len(parts) < 3 {
		return "", false
	}
	return strings.Join(parts[len(parts)-2:], "/"), true
}

// checkProgram compares the header of a program, and what the compiler has written into it, with its platform.
func checkProgram(program, platform string) error {
	got, err := header(program)
	if err != nil {
		return err
	}
	if got != platform {
		return fmt.Errorf("the program is for %s, want %s", got, platform)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	system, processor, _ := strings.Cut(platform, "/")
	for key, want := range map[string]string{"GOOS": system, "GOARCH": processor, "CGO_ENABLED": "0", "-trimpath": "true"} {
		at := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == key })
		if at < 0 || info.Settings[at].Value != want {
			return fmt.Errorf("the program was not built with %s=%s, but with %v", key, want, info.Settings)
		}
	}
	return nil
}

// header reads the platform of a program from its first bytes. One for Linux must need no interpreter, which is the C
// library's.
func header(program string) (string, error) {
	if file, err := elf.Open(program); err == nil {
		defer file.Close()
		if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			return "", errors.New("the program is linked dynamically")
		}
		return "linux/" + map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[file.Machine], nil
	}
	file, err := macho.Open(program)
	if err != nil {
		return "", fmt.Errorf("the program is neither ELF nor Mach-O: %w", err)
	}
	defer file.Close()
	return "darwin/" + map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[file.Cpu], nil
}

// standin loads the formula without Homebrew.
const standin = "internal/test/release/standin.rb"

// inspectFormula compares what the formula downloads on the platform of an archive with that archive. On this platform it
// also installs the archive, and runs the test of the formula.
func (c checker) inspectFormula(ctx context.Context, dist, archive, full string) error {
	platform, _ := platformOf(full)
	args := append([]string{standin, filepath.Join(dist, name+".rb")}, strings.Split(platform, "/")...)
	if platform == runtime.GOOS+"/"+runtime.GOARCH {
		args = append(args, dist)
	}
	ruby := exec.CommandContext(ctx, "ruby", args...)
	ruby.Stderr = c.out
	output, err := ruby.Output()
	if err != nil {
		return fmt.Errorf("ruby %s: %w", strings.Join(args, " "), err)
	}
	var got struct{ URL, SHA256, Version string }
	if err := json.Unmarshal(output, &got); err != nil {
		return err
	}
	sum, err := digest(archive)
	if err != nil {
		return err
	}
	if filepath.Base(got.URL) != filepath.Base(archive) || got.SHA256 != sum || !strings.Contains(full, got.Version) {
		return fmt.Errorf("on %s it installs version %s, %s, %s; want %s, %s", platform, got.Version, got.URL, got.SHA256, archive, sum)
	}
	if len(args) > 4 {
		fmt.Fprintf(c.out, "%s.rb: installs %s, and its test passes (with a stand-in for Homebrew)\n", name, full)
	}
	return nil
}
