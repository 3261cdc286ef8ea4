//go:build compose

package compose_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// confined checks the settings of the containers, and what their processes can really do.
func (s *stack) confined(t *testing.T) {
	text := s.run(t, "docker", "inspect", s.container(t, "connector"))
	var all []struct {
		Config     struct{ User string }
		HostConfig struct {
			ReadonlyRootfs bool
			CapAdd         []string
			CapDrop        []string
			SecurityOpt    []string
			Memory         int64
			Privileged     bool
			PortBindings   map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 {
		t.Fatalf("docker inspect: %v", err)
	}
	c, host := all[0].Config, all[0].HostConfig
	if c.User != "65532:65532" || !host.ReadonlyRootfs || host.Privileged || len(host.CapAdd) > 0 || strings.Join(host.CapDrop, "") != "ALL" ||
		strings.Join(host.SecurityOpt, "") != "no-new-privileges:true" || host.Memory == 0 || len(host.PortBindings) > 0 {
		t.Errorf("the container has more privileges than it needs: %+v %+v", c, host)
	}
	s.wantProcess(t, "connector", []string{"24E3", "24E4"}, []string{"/audit", "/var/lib/step-posture-connector"}) // 9443 and 9444
	s.wantProcess(t, "renewer", nil, []string{"/home/step", "/run/connector"})
}

// wantProcess inspects the first process of a service's container from a container that shares its namespaces: the
// capabilities, the ports that it listens on, and the mounts in which its user can make a file.
func (s *stack) wantProcess(t *testing.T, service string, ports, writable []string) {
	t.Helper()
	id := s.container(t, service)
	inspect := func(script string) string {
		return s.run(t, "docker", "run", "--rm", "--pid", "container:"+id, "--network", "container:"+id, "--user", "65532:65532", "--cap-drop", "ALL",
			"--entrypoint", "sh", strings.TrimPrefix(image(t, "STEP_CA_IMAGE"), "STEP_CA_IMAGE="), "-c", script)
	}
	status := inspect("cat /proc/1/status")
	for _, want := range []string{
		"Uid:\t65532\t65532\t65532\t65532", "Gid:\t65532\t65532\t65532\t65532", "CapPrm:\t0000000000000000",
		"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, "\n"+want+"\n") {
			t.Errorf("the process of %s has no %q in\n%s", service, want, status)
		}
	}
	var listening []string
	for line := range strings.Lines(inspect("cat /proc/net/tcp /proc/net/tcp6")) {
		// Every container has Docker's name server.
		if field := strings.Fields(line); len(field) > 3 && field[3] == "0A" && !strings.HasPrefix(field[1], "0B00007F:") {
			_, port, _ := strings.Cut(field[1], ":")
			listening = append(listening, port)
		}
	}
	slices.Sort(listening)
	if !slices.Equal(listening, ports) {
		t.Errorf("%s listens on the ports %q, want %q (hexadecimal)", service, listening, ports)
	}
	found := strings.Fields(inspect(`ls -d /proc/1/root/. >/dev/null && awk '{print $5}' /proc/1/mountinfo | while read -r place; do
		if touch "/proc/1/root$place/probe" 2>/dev/null; then echo "$place"; rm "/proc/1/root$place/probe"; fi; done`))
	// The kernel's message queues: every container has them, and they hold no files.
	found = slices.DeleteFunc(found, func(place string) bool { return place == "/dev/mqueue" })
	slices.Sort(found)
	if !slices.Equal(found, writable) {
		t.Errorf("%s can make files in %q, want %q", service, found, writable)
	}
}

// hidden: the secrets are in no layer of the image, in no log, and not in docker inspect.
func (s *stack) hidden(t *testing.T) {
	saved := s.run(t, "docker", "save", strings.TrimPrefix(image(t, "CONNECTOR_IMAGE"), "CONNECTOR_IMAGE="))
	if got, want := layerFiles(t, saved), []string{"etc/ssl/certs/ca-certificates.crt", "step-posture-connector"}; !slices.Equal(got, want) {
		t.Errorf("the image has %q, want %q", got, want)
	}
	secret := strings.TrimSpace(s.compose(t, "exec", "-T", "renewer", "cat", "/run/connector/webhook_secret"))
	password := strings.TrimSpace(s.compose(t, "exec", "-T", "step-ca", "cat", "/password/password"))
	everything := map[string]string{"the layers of the image": saved, "the logs": s.compose(t, "logs", "--no-color")}
	for _, service := range []string{"password", "step-ca", "setup", "connector", "renewer"} {
		everything["docker inspect of "+service] = s.run(t, "docker", "inspect", s.container(t, service))
	}
	for name, hidden := range map[string]string{"the webhook's secret": secret, "the CA's password": password} {
		if len(hidden) < 20 {
			t.Errorf("%s is %d bytes long", name, len(hidden))
			continue
		}
		for where, text := range everything {
			if strings.Contains(text, hidden) {
				t.Errorf("%s shows in %s", name, where)
			}
		}
	}
}

// layerFiles are the regular files in the layers of a saved image.
func layerFiles(t *testing.T, saved string) []string {
	t.Helper()
	var files []string
	for image := tar.NewReader(strings.NewReader(saved)); ; {
		entry, err := image.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(image)
		if err != nil {
			t.Fatal(err)
		}
		// Every other file is JSON; the names depend on the engine.
		if entry.Typeflag != tar.TypeReg || !bytes.Contains(content[:min(len(content), 512)], []byte("ustar")) {
			continue
		}
		for layer := tar.NewReader(bytes.NewReader(content)); ; {
			file, err := layer.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if file.Typeflag != tar.TypeDir {
				files = append(files, file.Name)
			}
		}
	}
	slices.Sort(files)
	return files
}
