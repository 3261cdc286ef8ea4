//go:build compose

package podspec_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// restart is what kubectl rollout restart changes.
func restart(template *corev1.PodTemplateSpec) {
	if template.Annotations == nil {
		template.Annotations = map[string]string{}
	}
	template.Annotations["kubectl.kubernetes.io/restartedAt"] = time.Now().Format(time.RFC3339)
}

// replaced: all pods are replaced while devices order. No order is lost, and every connection finds a pod that listens.
func (s *stack) replaced(t *testing.T) {
	before, missed := s.d.current(), s.notReached(t)
	orders, stop := s.load(t)
	defer stop()
	hangUp := s.connect(t)
	defer hangUp()
	orders.more(t, 10)
	s.d.replace(restart)
	s.await(t, before)
	orders.more(t, 10)
	stop()
	t.Logf("%d connections beside those of step-ca", hangUp())
	t.Logf("%d orders", orders.placed.Load())
	for _, err := range orders.all() {
		t.Error(err)
	}
	if got := s.notReached(t); got != missed {
		t.Errorf("%d connections found nobody at an endpoint", got-missed)
	}
	for _, p := range before {
		if !p.happened("container connector exits with the status 0 after the signal") {
			t.Errorf("a replaced pod did not end well: %s", p.describe())
		}
		if log := both(s.ctx, p.container("connector").current()); strings.Contains(log, "panic") {
			t.Errorf("a replaced pod panicked:\n%s", log)
		}
	}
}

// heldUp: pods in which nothing listens never become ready, so none of the old ones ends. Without the probes they would,
// and then no order succeeds.
func (s *stack) heldUp(t *testing.T) {
	good, before := s.d.spec.Template.DeepCopy(), s.d.current()
	orders, stop := s.load(t)
	defer stop()
	s.d.replace(func(template *corev1.PodTemplateSpec) {
		c := &template.Spec.Containers[0]
		c.Image, c.Command, c.Args = "smallstep/step-ca", []string{"sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait"}, nil
	})
	var deaf *container
	eventually(t, "a pod runs in which nothing listens", func() bool {
		for _, p := range s.d.current() {
			if c := p.container("connector"); c != nil && !slices.Contains(before, p) && c.current() != "" {
				deaf = c
			}
		}
		return deaf != nil
	})
	orders.more(t, 40)
	// As long as a pod without probes needs to become available.
	if !sleep(t.Context(), 2*time.Duration(s.d.spec.MinReadySeconds)*time.Second) {
		t.Fatal("the test ends")
	}
	s.settle(t)
	stop()
	for _, err := range orders.all() {
		t.Errorf("while the replacement is held up: %v", err)
	}
	if deaf.pod.wasReady() {
		t.Error("a pod in which nothing listens was ready")
	}
	for _, p := range before {
		if p.terminating() {
			t.Error("a good pod ended before a new one was ready")
		}
	}
	// The control: the probes are what held it up.
	old := s.d.current()
	s.d.replace(func(template *corev1.PodTemplateSpec) {
		c := &template.Spec.Containers[0]
		c.StartupProbe, c.ReadinessProbe, c.LivenessProbe = nil, nil, nil
	})
	s.await(t, old)
	if _, err := s.ca.order(t.Context(), known); err == nil {
		t.Error("without the probes an order succeeds too: this test would find nothing")
	}
	old = s.d.current()
	s.d.replace(func(template *corev1.PodTemplateSpec) { *template = *good })
	s.await(t, old)
	s.ca.wantCertificate(t, "the good pods are back", known)
}

// withoutPreStop is the control of replaced: without the hook, pods close their listener while connections still come.
func (s *stack) withoutPreStop(t *testing.T) {
	good, before := s.d.spec.Template.DeepCopy(), s.d.current()
	s.d.replace(func(template *corev1.PodTemplateSpec) { template.Spec.Containers[0].Lifecycle = nil })
	s.await(t, before)
	before, missed := s.d.current(), s.notReached(t)
	orders, stop := s.load(t)
	defer stop()
	hangUp := s.connect(t)
	defer hangUp()
	s.d.replace(func(template *corev1.PodTemplateSpec) { *template = *good })
	s.await(t, before)
	stop()
	hangUp()
	missed = s.notReached(t) - missed
	t.Logf("without preStop %d connections found nobody, and %d of %d orders were lost", missed, len(orders.all()), orders.placed.Load())
	if missed == 0 {
		t.Error("without the preStop hook every connection found a pod: this test would find nothing")
	}
}

// hanging: a process that is stopped is not ready, is then not alive, and is started again. Meanwhile, wrong pods.
func (s *stack) hanging(t *testing.T) {
	c := s.connectors()[0]
	s.docker(t, "kill", "--signal", "STOP", c.current())
	s.wrong(t)
	eventually(t, "the container is started again", func() bool { return len(c.attempts()) == 2 && c.isReady() })
	for _, want := range []string{"Liveness probe failed", "has not exited within its grace period"} {
		if !c.pod.happened(want) {
			t.Errorf("the pod has no event %q: %s", want, c.pod.describe())
		}
	}
	s.settle(t)
	for range 2 * len(s.connectors()) {
		s.ca.wantCertificate(t, "started again", known)
	}
}

// wrong pods are refused, or say what is wrong.
func (s *stack) wrong(t *testing.T) {
	begin := func(name string, change func(*corev1.PodSpec)) *pod {
		spec := s.manifests.deployment.Spec.Template.Spec.DeepCopy()
		change(spec)
		return s.node.start(name, nil, *spec)
	}
	// The files of the secrets belong to root then.
	unreadable := begin("no-group", func(spec *corev1.PodSpec) { spec.SecurityContext.FSGroup = nil })
	writable := begin("writable", func(spec *corev1.PodSpec) { spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem = nil })
	missing := begin("no-secret", func(spec *corev1.PodSpec) {
		for i, v := range spec.Volumes {
			if v.Name == "webhook" {
				spec.Volumes[i].Secret.SecretName = "late"
			}
		}
	})
	elsewhere := begin("other-port", func(spec *corev1.PodSpec) { spec.Containers[0].StartupProbe.HTTPGet.Port.StrVal = "https" })
	const expiredSecret = name + "-tls-expired"
	s.applySecret(t, expiredSecret, s.expiredFiles(t))
	expired := begin("expired", func(spec *corev1.PodSpec) {
		for i, v := range spec.Volumes {
			if v.Secret != nil && v.Secret.SecretName == s.manifests.certificate.Spec.SecretName {
				spec.Volumes[i].Secret.SecretName = expiredSecret
			}
		}
	})
	root := int64(0)
	asRoot := begin("as-root", func(spec *corev1.PodSpec) { spec.SecurityContext.RunAsUser = &root })
	unknownField := begin("host", func(spec *corev1.PodSpec) { spec.HostNetwork = true })

	eventually(t, "a pod with a field that is not heeded is refused", func() bool { return unknownField.happened("does not know hostNetwork") })
	eventually(t, "a pod of root is refused", func() bool { return asRoot.happened("runAsNonRoot") })
	eventually(t, "the connector without its secrets exits", func() bool { return unreadable.happened("container connector exits with the status") })
	log := both(s.ctx, unreadable.container("connector").attempts()[0])
	if !strings.Contains(log, "permission denied") || !strings.Contains(log, "WEBHOOK_") {
		t.Errorf("the connector that cannot read its secrets says\n%s", log)
	}
	eventually(t, "the connector with an expired certificate exits", func() bool { return expired.happened("container connector exits with the status") })
	if log := both(s.ctx, expired.container("connector").attempts()[0]); !strings.Contains(log, "TLS_CERT_PATH") || !strings.Contains(log, "expired at") {
		t.Errorf("the connector with an expired certificate says\n%s", log)
	}
	eventually(t, "the pod with a writable root is ready", writable.wasReady)
	if got := s.rootMount(t, writable.container("connector")); len(got) == 0 || got[0] != "rw" {
		t.Errorf("without readOnlyRootFilesystem the root is mounted with %q: the test of the others finds nothing", got)
	}
	eventually(t, "the pod without its secret waits", func() bool { return missing.happened(`there is no Secret "late"`) })
	object, err := s.secret(name + "-webhook")
	if err != nil {
		t.Fatal(err)
	}
	s.applySecret(t, "late", map[string]string{"ids": string(object.Data["ids"]), "secrets": string(object.Data["secrets"])})
	eventually(t, "the pod with its secret is ready", missing.wasReady)
	if elsewhere.wasReady() {
		t.Error("a pod whose startup probe asks another port was ready")
	}
	for _, p := range []*pod{unreadable, writable, missing, elsewhere, expired} {
		p.terminate()
	}
}

// expiredFiles is the content of a Secret with a certificate that has expired.
func (s *stack) expiredFiles(t *testing.T) map[string]string {
	t.Helper()
	// The CA issues none for less than five minutes, so most of them are in the past.
	files := s.ca.issue(t, s.manifests.certificate, "--not-before=-10m", "--not-after=10m1s")
	end := parse(t, files["tls.crt"]).NotAfter
	eventually(t, "the certificate expires", func() bool { return time.Now().After(end) })
	return files
}
