//go:build compose

package compose_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBuild: BuildKit, as Compose uses it, and the classic builder, which has made the image that the other
// tests use, make the same program of the same commit.
func TestBuild(t *testing.T) {
	s := newStack(t, image(t, "GO_IMAGE"))
	classic := strings.TrimPrefix(image(t, "CONNECTOR_IMAGE"), "CONNECTOR_IMAGE=")
	const kit = "step-posture-connector:buildkit"
	s.env = append(s.env, "CONNECTOR_IMAGE="+kit)
	version := strings.Fields(s.run(t, "docker", "run", "--rm", classic, "version")) // NAME VERSION commit COMMIT GO
	if len(version) != 5 {
		t.Fatalf("the image says it is %q", version)
	}
	s.run(t, "docker", "compose", "--file", filepath.Join("..", "..", "..", "docker", "docker-compose.yml"), "build", "--quiet",
		"--build-arg", "VERSION="+version[1], "--build-arg", "COMMIT="+version[3], "connector")
	if one, other := s.program(t, classic), s.program(t, kit); one != other {
		t.Errorf("the classic builder makes %s\nBuildKit makes %s", one, other)
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

// program returns the digest of the program in an image.
func (s *stack) program(t *testing.T, name string) string {
	t.Helper()
	container := strings.TrimSpace(s.run(t, "docker", "create", name))
	defer s.run(t, "docker", "rm", container)
	path := filepath.Join(t.TempDir(), "program")
	s.run(t, "docker", "cp", "--quiet", container+":/step-posture-connector", path)
	digest, _, _ := strings.Cut(s.run(t, "sha256sum", path), " ")
	return digest
}
