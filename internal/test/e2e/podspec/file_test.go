//go:build compose

package podspec_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFile runs the overlay file: its two pods are asked by a real step-ca, are given other files, and are replaced.
func TestFile(t *testing.T) {
	t.Parallel()
	s := newStack(t, "file")
	secret := s.manifests.certificate.Spec.SecretName
	s.applySecret(t, secret, s.ca.issue(t, s.manifests.certificate))
	s.start(t)
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"ready", s.ready},
		{"confined", s.confined},
		{"decides", s.decides},
		{"devices", s.devices},
		{"policy", s.policy},
		{"webhook secret", s.webhookSecret},
		{"server certificate", s.serverCertificate},
		{"rolling replacement", s.replaced},
		{"a pod that does not listen holds up the replacement", s.heldUp},
		{"without preStop", s.withoutPreStop},
		{"hanging", s.hanging},
	} {
		if !t.Run(part.name, part.test) {
			return
		}
	}
}

// ready: both pods are, and the commands work in them that help an operator.
func (s *stack) ready(t *testing.T) {
	if got, want := len(s.connectors()), int(*s.manifests.deployment.Spec.Replicas); got != want || want < 2 {
		t.Fatalf("%d pods run, want %d, and at least 2", got, want)
	}
	for _, c := range s.connectors() {
		if out, err := s.exec(c, "/step-posture-connector", "healthcheck"); err != nil || strings.TrimSpace(out) != "ok" {
			t.Errorf("healthcheck prints %q, %v", out, err)
		}
		if out, err := s.exec(c, "/step-posture-connector", "lookup", known); err != nil || !strings.Contains(out, "ada@example.com") {
			t.Errorf("lookup prints %q, %v", out, err)
		}
		if out, err := s.exec(c, "/step-posture-connector", "lookup", unknown); err == nil {
			t.Errorf("lookup finds an unknown device: %q", out)
		}
		if out, err := s.exec(c, "/step-posture-connector", "check"); err != nil || !strings.HasSuffix(out, "ok\n") {
			t.Errorf("check prints %q, %v", out, err)
		}
	}
}

// look looks at the first process of a container, as its user, from a container that shares its processes.
func (s *stack) look(t *testing.T, c *container, script string) string {
	t.Helper()
	return s.docker(t, "run", "--rm", "--label", s.id, "--pid", "container:"+c.current(), "--network", "none", "--user", "65532:65532",
		"--cap-drop", "ALL", "--entrypoint", "sh", s.stepCA, "-c", script)
}

// confined: what the kernel says of the process is what the manifest says.
func (s *stack) confined(t *testing.T) {
	c := s.connectors()[0]
	status := s.look(t, c, "cat /proc/1/status")
	for _, want := range []string{
		"Uid:\t65532\t65532\t65532\t65532", "Gid:\t65532\t65532\t65532\t65532", "CapPrm:\t0000000000000000",
		"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, "\n"+want+"\n") {
			t.Errorf("the process has no %q in\n%s", want, status)
		}
	}
	if got := s.rootMount(t, c); !slices.Contains(got, "ro") {
		t.Errorf("the root of the file system is mounted with %q", got)
	}
	// Every pod has /dev/shm and /dev/mqueue.
	writable := strings.Fields(s.look(t, c, `awk '{print $5}' /proc/1/mountinfo | while read -r place; do
		if touch "/proc/1/root$place/probe" 2>/dev/null; then echo "$place"; rm "/proc/1/root$place/probe"; fi; done`))
	writable = slices.DeleteFunc(writable, func(place string) bool { return place == "/dev/shm" || place == "/dev/mqueue" })
	if len(writable) > 0 {
		t.Errorf("the process can make files in %q", writable)
	}
	// As the kubelet makes them: links into a folder that is replaced as a whole.
	const folder = "/proc/1/root/run/step-posture-connector/webhook/"
	if got := strings.TrimSpace(s.look(t, c, "readlink "+folder+"ids; stat -L -c '%u:%g %a' "+folder+"secrets")); got != "..data/ids\n0:65532 440" {
		t.Errorf("the files of the secret are\n%s", got)
	}
	limit := s.manifests.deployment.Spec.Template.Spec.Containers[0].Resources.Limits.Memory()
	if got := strings.TrimSpace(s.docker(t, "inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.Privileged}} {{.HostConfig.PortBindings}}", c.current())); limit.IsZero() ||
		got != fmt.Sprint(limit.Value(), " false map[]") {
		t.Errorf("the container has the limits %q, the manifest %s", got, limit)
	}
	environment := s.docker(t, "inspect", "--format", "{{json .Config.Env}}", c.current())
	object, err := s.secret(name + "-webhook")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(environment, string(object.Data["secrets"])) || strings.Contains(environment, "KUBERNETES_") {
		t.Error("the variables have a secret, or those of a Service")
	}
}

// rootMount are the options with which the root of the file system is mounted.
func (s *stack) rootMount(t *testing.T, c *container) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(s.look(t, c, `awk '$5 == "/" {print $6}' /proc/1/mountinfo`)), ",")
}

func (s *stack) decides(t *testing.T) {
	// Each connection goes to the next pod.
	for range 2 * len(s.connectors()) {
		s.ca.wantCertificate(t, "at first", known)
		s.ca.wantRefused(t, "at first", unknown, "deviceNotFound")
	}
	for _, c := range s.connectors() {
		_, body, err := c.health(t.Context(), "/metrics")
		if err != nil || !strings.Contains(body, "\nstep_posture_decisions_total{") || !strings.Contains(body, `outcome="allow"`) {
			t.Errorf("the Service does not lead to the pod %s: %v", c.pod.name, err)
		}
	}
}

// policyData is the ConfigMap of policy and devices, with a change.
func (s *stack) policyData(changes map[string]string) map[string]string {
	data := maps.Clone(s.manifests.configMaps[name+"-policy"].Data)
	maps.Copy(data, changes)
	return data
}

// devices: a change of the ConfigMap is in effect without a restart, in both directions.
func (s *stack) devices(t *testing.T) {
	shipped := s.policyData(nil)["devices.csv"]
	s.reloaded(t, "inventory", "success", func() {
		s.applyConfigMap(t, name+"-policy", s.policyData(map[string]string{"devices.csv": shipped + unknown + ",grace@example.com,Research\n"}))
	})
	for range 2 * len(s.connectors()) {
		s.ca.wantCertificate(t, "added", unknown)
	}
	s.reloaded(t, "inventory", "success", func() { s.applyConfigMap(t, name+"-policy", s.policyData(nil)) })
	for range 2 * len(s.connectors()) {
		s.ca.wantRefused(t, "removed", unknown, "deviceNotFound")
		s.ca.wantCertificate(t, "not removed", known)
	}
}

// policy: a rule that is added refuses; a file with a mistake changes nothing, and the pods stay ready.
func (s *stack) policy(t *testing.T) {
	const rule = "policies:\n  default:\n    rules:\n      - {name: research, code: notResearch, require: 'device.attributes[\"department\"] == \"Research\"'}\n"
	s.reloaded(t, "policy", "success", func() {
		s.applyConfigMap(t, name+"-policy", s.policyData(map[string]string{"posture.yaml": rule}))
	})
	for range 2 * len(s.connectors()) {
		s.ca.wantRefused(t, "a rule is added", known, "notResearch")
	}
	s.reloaded(t, "policy", "failure", func() {
		s.applyConfigMap(t, name+"-policy", s.policyData(map[string]string{"posture.yaml": "policies: {default: {rulez: []}}\n"}))
	})
	s.wantReadiness(t, "degraded")
	for range 2 * len(s.connectors()) {
		s.ca.wantRefused(t, "a mistake in the policy", known, "notResearch")
	}
	s.reloaded(t, "policy", "success", func() { s.applyConfigMap(t, name+"-policy", s.policyData(nil)) })
	s.wantReadiness(t, "ok")
	s.ca.wantCertificate(t, "the rule is removed", known)
}

// wantReadiness: each pod is ready, and says so with a status.
func (s *stack) wantReadiness(t *testing.T, want string) {
	t.Helper()
	for _, c := range s.connectors() {
		eventually(t, "a pod says that it is "+want, func() bool {
			code, body, err := c.health(t.Context(), "/readyz")
			var said struct{ Status string }
			return err == nil && code == 200 && json.Unmarshal([]byte(body), &said) == nil && said.Status == want
		})
		if !c.isReady() {
			t.Errorf("a pod that says %s is not ready", want)
		}
	}
}

// webhookSecret: step-ca's webhook is replaced by one with another ID and secret, as docs/operation.md has it, while
// devices order.
func (s *stack) webhookSecret(t *testing.T) {
	old, err := s.secret(name + "-webhook")
	if err != nil {
		t.Fatal(err)
	}
	orders, stop := s.load(t)
	defer stop()
	id, secret := s.ca.webhook(t, "posture2", "--cert-type", "SSH")
	s.reloaded(t, "policy", "success", func() {
		s.applySecret(t, name+"-webhook", map[string]string{"ids": string(old.Data["ids"]) + "\n" + id, "secrets": string(old.Data["secrets"]) + "\n" + secret})
	})
	s.ca.provisioner(t, "webhook", "update", "devices", "posture2", "--cert-type", "X509")
	template, err := os.ReadFile(filepath.Join(s.ca.setup, "device.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.ca.setup, "device2.tpl"), []byte(strings.ReplaceAll(string(template), "posture", "posture2")), 0o644); err != nil {
		t.Fatal(err)
	}
	s.ca.provisioner(t, "update", "devices", "--x509-template", "/setup/device2.tpl")
	s.ca.provisioner(t, "webhook", "remove", "devices", "posture")
	orders.more(t, 20)
	s.reloaded(t, "policy", "success", func() { s.applySecret(t, name+"-webhook", map[string]string{"ids": id, "secrets": secret}) })
	orders.more(t, 20)
	stop()
	t.Logf("%d orders", orders.placed.Load())
	for _, err := range orders.all() {
		t.Error(err)
	}
	// Only this one is left: with another secret no call is believed.
	s.reloaded(t, "policy", "success", func() {
		s.applySecret(t, name+"-webhook", map[string]string{"ids": id, "secrets": string(old.Data["secrets"])})
	})
	if _, err := s.ca.order(t.Context(), known); err == nil {
		t.Error("a call with another secret is believed")
	}
	s.reloaded(t, "policy", "success", func() { s.applySecret(t, name+"-webhook", map[string]string{"ids": id, "secrets": secret}) })
	s.ca.wantCertificate(t, "the secret is right again", known)
}

// serverCertificate: what cert-manager writes into the Secret is shown in the next handshakes.
func (s *stack) serverCertificate(t *testing.T) {
	renewed := s.ca.issue(t, s.manifests.certificate)
	want := parse(t, renewed["tls.crt"])
	for _, c := range s.connectors() {
		if s.served(t, c).Equal(want) {
			t.Fatal("the new certificate is shown before the Secret has it")
		}
	}
	s.reloaded(t, "tls", "success", func() { s.applySecret(t, s.manifests.certificate.Spec.SecretName, renewed) })
	for _, c := range s.connectors() {
		if got := s.served(t, c); !got.Equal(want) {
			t.Errorf("shown is the certificate of %s, want that of %s", got.NotBefore, want.NotBefore)
		}
	}
	s.ca.wantCertificate(t, "renewed", known)
}
