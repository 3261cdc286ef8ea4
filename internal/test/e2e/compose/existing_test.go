//go:build compose

package compose_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/process"
)

// TestExistingCA adds a connector to a CA that the public image started, with the literal commands of the comment in
// docker-compose.existing-ca.yml.
func TestExistingCA(t *testing.T) {
	s := newStack(t)
	s.files = []string{"docker-compose.existing-ca.yml", "test/existing-ca.yml"}
	port, err := process.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ca := s.name + "-ca"
	s.env = append(s.env, "TEST_NETWORK="+ca, fmt.Sprintf("CONNECTOR_PORT=%d", port))
	s.write(t, ".env", "WEBHOOK_IDS=none\nCA_URL=https://ca.example.com:9000\nCA_DNS_NAME=ca.example.com\n")
	step := strings.TrimPrefix(image(t, "STEP_CA_IMAGE"), "STEP_CA_IMAGE=")
	s.run(t, "docker", "network", "create", ca)
	t.Cleanup(func() {
		s.compose(t, "down", "--volumes", "--timeout", "20")
		s.run(t, "docker", "rm", "--force", "--volumes", ca)
		s.run(t, "docker", "network", "rm", ca)
	})
	const password = "the-password-of-the-test"
	s.run(t, "docker", "run", "--detach", "--name", ca, "--network", ca, "--network-alias", "ca.example.com", "--publish", fmt.Sprintf("%d:9000", s.port),
		"--env", "DOCKER_STEPCA_INIT_NAME=Existing", "--env", "DOCKER_STEPCA_INIT_DNS_NAMES=ca.example.com,localhost",
		"--env", "DOCKER_STEPCA_INIT_REMOTE_MANAGEMENT=true", "--env", "DOCKER_STEPCA_INIT_PASSWORD="+password, step)
	s.eventually(t, "the CA is up", func() bool {
		return strings.Contains(s.run(t, "docker", "logs", ca)+s.run(t, "docker", "exec", ca, "sh", "-c", "step ca health 2>&1 || :"), "ok")
	})
	// This is why docker-compose.yml does not use this entry point; with an image that prints no password the test would
	// prove nothing.
	if !strings.Contains(s.run(t, "docker", "logs", ca), "Your CA administrative password is: "+password) {
		t.Error("the image's entry point does not print the password, as that of the public image does")
	}

	text, err := os.ReadFile(filepath.Join(s.folder, s.files[0]))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, match := range regexp.MustCompile(`(?m)^#   (\S.*)$`).FindAllStringSubmatch(string(text), -1) {
		commands = append(commands, match[1])
	}
	if len(commands) != 8 || !strings.HasPrefix(commands[5], "chown ") || !strings.HasSuffix(commands[6], " up --detach --wait") || !strings.HasSuffix(commands[7], " check") {
		t.Fatalf("the comment has the commands\n%s", strings.Join(commands, "\n"))
	}
	// at runs commands in the root of the sources; the environment answers what step would ask.
	at := func(lines ...string) string {
		top := filepath.Dir(s.folder)
		return s.run(t, "docker", "run", "--rm", "--network", ca, "--user", "0:0", "--volume", top+":"+top, "--workdir", top, "--env", "STEPPATH=/tmp/step",
			"--env", "STEP_ADMIN_SUBJECT=step", "--env", "STEP_ADMIN_PROVISIONER=admin", "--env", "STEP_ADMIN_PASSWORD_FILE=/tmp/password",
			"--env", "STEP_PROVISIONER_PASSWORD_FILE=/tmp/password", "--entrypoint", "sh", step, "-euc", strings.Join(append([]string{
				"exec 2>&1", "printf %s " + password + " >/tmp/password", "mkdir -p /tmp/step",
				"step ca bootstrap --ca-url https://ca.example.com:9000 --fingerprint " + strings.TrimSpace(s.run(t, "docker", "exec", ca, "step", "certificate", "fingerprint", "/home/step/certs/root_ca.crt")),
			}, lines...), "\n"))
	}
	printed := at(append(commands[:5:5], "step ca provisioner update devices --attestation-roots docker/simulated.crt")...)
	if t.Failed() {
		t.FailNow()
	}
	field := func(name string) string {
		match := regexp.MustCompile(name + `: (\S+)`).FindStringSubmatch(printed)
		if match == nil {
			t.Fatalf("the commands printed no %s:\n%s", name, printed)
		}
		return match[1]
	}
	s.write(t, "webhook_secrets", field("Secret")+"\n")
	s.write(t, ".env", "WEBHOOK_IDS="+field("Webhook ID")+"\nCA_URL=https://ca.example.com:9000\nCA_DNS_NAME=ca.example.com\n")
	s.write(t, "inventory/devices.json", `{"devices":[{"identifier":"`+known+`","data":{"user":"ada"}}]}`)
	at(commands[5])

	for _, command := range commands[6:] {
		// In the root of the sources, with the stack's copy of the folder docker. The second file connects it to the CA.
		command = strings.Replace(command, s.files[0], s.files[0]+" --file docker/"+s.files[1], 1)
		printed = s.run(t, "sh", "-c", "cd "+filepath.Dir(s.folder)+" && "+command)
		if t.Failed() {
			t.FailNow()
		}
	}
	if !strings.Contains(printed, "\naudit log: /audit/audit.jsonl\n") || !strings.HasSuffix(printed, "\nok\n") {
		t.Errorf("check printed\n%s", printed)
	}
	s.trust(t, s.run(t, "docker", "exec", ca, "cat", "/home/step/certs/root_ca.crt"))
	s.wantCertificate(t, "with an existing CA", known)
	s.wantRefused(t, "with an existing CA", unknown, 401, "deviceNotFound")
	audit, err := os.ReadFile(filepath.Join(s.folder, "audit", "audit.jsonl"))
	if err != nil || strings.Count(string(audit), "\n") < 2 {
		t.Errorf("the audit log has %q, %v", audit, err)
	}
}
