//go:build compose

package compose_test

import (
	"debug/elf"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuild: BuildKit, which Compose uses, and the classic builder, which has built the image of the other tests,
// build the same program from the same commit.
func TestBuild(t *testing.T) {
	s := newStack(t, image(t, "GO_IMAGE"))
	classic := strings.TrimPrefix(image(t, "CONNECTOR_IMAGE"), "CONNECTOR_IMAGE=")
	const kit = "step-posture-connector:buildkit"
	s.env = append(s.env, "CONNECTOR_IMAGE="+kit)
	version := strings.Fields(s.run(t, "docker", "run", "--rm", classic, "version")) // NAME VERSION commit COMMIT GO
	if len(version) != 5 {
		t.Fatalf("the image says it is %q", version)
	}
	s.run(t, "docker", "compose", "--file", filepath.Join("..", "..", "..", "..", "docker", "docker-compose.yml"), "build", "--quiet",
		"--build-arg", "VERSION="+version[1], "--build-arg", "COMMIT="+version[3], "connector")
	if one, other := s.program(t, classic), s.program(t, kit); one != other {
		t.Errorf("the classic builder built %s\nBuildKit built %s", one, other)
	}
	for _, name := range []string{classic, kit} {
		labels := s.run(t, "docker", "image", "inspect", "--format", "{{json .Config.Labels}}", name)
		for _, want := range []string{`"org.opencontainers.image.version":"` + version[1] + `"`, `"org.opencontainers.image.revision":"` + version[3] + `"`} {
			if !strings.Contains(labels, want) {
				t.Errorf("the image %s has the labels %s, want %s", name, labels, want)
			}
		}
	}
}

// TestBuildForArm cross-compiles the program for another platform. A multi-platform builder, which docs/release.md
// describes, sets the same arguments.
func TestBuildForArm(t *testing.T) {
	s := newStack(t, image(t, "GO_IMAGE"))
	const name = "step-posture-connector:arm64"
	top := filepath.Join("..", "..", "..", "..")
	s.run(t, "docker", "build", "--quiet", "--file", filepath.Join(top, "docker", "Dockerfile"), "--tag", name,
		"--build-arg", image(t, "GO_IMAGE"), "--build-arg", "TARGETOS=linux", "--build-arg", "TARGETARCH=arm64", top)
	program, err := elf.Open(s.extract(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Machine != elf.EM_AARCH64 {
		t.Errorf("the program is for %s", program.Machine)
	}
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it needs the libraries %q (%v), and the image has none", libraries, err)
	}
}

// program returns the digest of the program in an image.
func (s *stack) program(t *testing.T, name string) string {
	t.Helper()
	digest, _, _ := strings.Cut(s.run(t, "sha256sum", s.extract(t, name)), " ")
	return digest
}

// extract copies the program out of an image, and returns its path.
func (s *stack) extract(t *testing.T, name string) string {
	t.Helper()
	container := strings.TrimSpace(s.run(t, "docker", "create", name))
	defer s.run(t, "docker", "rm", container)
	path := filepath.Join(t.TempDir(), "program")
	s.run(t, "docker", "cp", "--quiet", container+":/step-posture-connector", path)
	return path
}
