//go:build compose

package podspec_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	controlTime = 100 * time.Millisecond // between two looks of a controller
	// usualLag is how long a node does not know of a change of the endpoints. On real ones it is about a second.
	usualLag = 3 * time.Second
)

// deployment replaces pods by the strategy of its specification.
type deployment struct {
	node     *node
	revision int
	spec     appsv1.DeploymentSpec
	pods     []*pod // those that do not terminate
	revs     map[*pod]int
	made     int
	orders   chan appsv1.DeploymentSpec
	reports  chan chan []*pod
}

// deploy starts a controller for a deployment.
func (n *node) deploy(t *testing.T, spec appsv1.DeploymentSpec) *deployment {
	t.Helper()
	known := strings.Fields(deploymentFields)
	for _, field := range others(spec, known) {
		if !strings.HasPrefix(field, "template.spec.") {
			t.Fatalf("the controller of these tests does not know the field %s of a deployment", field)
		}
	}
	d := &deployment{
		node: n, revs: map[*pod]int{}, orders: make(chan appsv1.DeploymentSpec), reports: make(chan chan []*pod), spec: *spec.DeepCopy(),
	}
	if d.spec.Replicas == nil || d.spec.Strategy.RollingUpdate == nil {
		t.Fatal("the deployment says nothing of replicas or of the rolling update")
	}
	n.working.Go(d.control)
	return d
}

func (d *deployment) control() {
	for {
		select {
		case <-d.node.ctx.Done():
			return
		case spec := <-d.orders:
			d.spec = spec
			d.revision++
		case report := <-d.reports:
			report <- slices.Clone(d.pods)
		case <-time.After(controlTime):
		}
		d.step()
	}
}

// step is one look: it starts and ends what the strategy allows.
func (d *deployment) step() {
	replicas := int(*d.spec.Replicas)
	surge, unavailable := scaled(d.spec.Strategy.RollingUpdate.MaxSurge, replicas, true), scaled(d.spec.Strategy.RollingUpdate.MaxUnavailable, replicas, false)
	newer := func() (count int) {
		for _, p := range d.pods {
			if d.revs[p] == d.revision {
				count++
			}
		}
		return count
	}
	for newer() < replicas && len(d.pods) < replicas+surge {
		d.made++
		p := d.node.start(fmt.Sprintf("pod%d", d.made), d.spec.Template.Labels, d.spec.Template.Spec)
		d.pods = append(d.pods, p)
		d.revs[p] = d.revision
	}
	least := time.Duration(d.spec.MinReadySeconds) * time.Second
	// Old pods that are not available go first: they are no loss.
	slices.SortStableFunc(d.pods, func(a, b *pod) int {
		return map[bool]int{false: 0, true: 1}[a.availableFor(least)] - map[bool]int{false: 0, true: 1}[b.availableFor(least)]
	})
	for _, p := range slices.Clone(d.pods) {
		available := 0
		for _, other := range d.pods {
			if other != p && other.availableFor(least) {
				available++
			}
		}
		if d.revs[p] == d.revision || available < replicas-unavailable {
			continue
		}
		p.terminate()
		d.pods = slices.DeleteFunc(d.pods, func(other *pod) bool { return other == p })
	}
}

func scaled(value *intstr.IntOrString, replicas int, up bool) int {
	if value == nil {
		quarter := intstr.FromString("25%") // the default of the API
		value = &quarter
	}
	number, err := intstr.GetScaledValueFromIntOrPercent(value, replicas, up)
	if err != nil {
		return 0
	}
	return number
}

// replace is kubectl apply of another pod template.
func (d *deployment) replace(change func(*corev1.PodTemplateSpec)) {
	d.current() // the controller has taken what was sent before
	spec := *d.spec.DeepCopy()
	change(&spec.Template)
	d.orders <- spec
}

// current are the pods that do not terminate.
func (d *deployment) current() []*pod {
	report := make(chan []*pod)
	d.reports <- report
	return <-report
}

// complete says whether all replicas are of a revision and available, and no other pod is there.
func (d *deployment) complete(others []*pod) bool {
	pods := d.current()
	for _, p := range pods {
		if slices.Contains(others, p) || !p.availableFor(time.Duration(d.spec.MinReadySeconds)*time.Second) {
			return false
		}
	}
	return len(pods) == int(*d.spec.Replicas)
}

// serve makes a Service: a name in the network, behind which a balancer follows the endpoints, which are those pods that
// the selector selects and that are ready.
func (n *node) serve(t *testing.T, service corev1.Service, namespace, balancer string) string {
	t.Helper()
	if len(service.Spec.Ports) != 1 || len(service.Spec.Selector) == 0 {
		t.Fatalf("the Service %s has not one port and a selector", service.Name)
	}
	port := service.Spec.Ports[0]
	folder := shared(t, "endpoints")
	var current string
	write := func(text string) error {
		if err := os.WriteFile(filepath.Join(folder, "new"), []byte(text), 0o644); err != nil {
			return err
		}
		current = text
		return os.Rename(filepath.Join(folder, "new"), filepath.Join(folder, "list"))
	}
	if err := write(""); err != nil {
		t.Fatal(err)
	}
	name := n.id + "-" + service.Name
	n.docker(t, "run", "--detach", "--name", name, "--label", n.id, "--network", n.network,
		"--network-alias", service.Name+"."+namespace+".svc.cluster.local", "--read-only", "--cap-drop", "ALL",
		"--volume", folder+":/endpoints:ro", balancer, fmt.Sprintf(":%d", port.Port), "endpoints:/endpoints/list")
	n.working.Go(func() {
		type change struct {
			at   time.Time
			text string
		}
		var coming []change
		latest := current
		for sleep(n.ctx, controlTime) {
			if text := n.endpoints(service.Spec.Selector, port.TargetPort); text != latest {
				latest = text
				coming = append(coming, change{time.Now().Add(time.Duration(n.lag.Load())), text})
			}
			for len(coming) > 0 && time.Now().After(coming[0].at) {
				if err := write(coming[0].text); err != nil {
					t.Errorf("write the endpoints: %v", err)
				}
				coming = coming[1:]
			}
		}
	})
	return name
}

// endpoints are the addresses of the ready pods with all of some labels, one a line.
func (n *node) endpoints(selector map[string]string, port intstr.IntOrString) string {
	n.mu.Lock()
	pods := slices.Clone(n.pods)
	n.mu.Unlock()
	var found []string
pods:
	for _, p := range pods {
		for label, value := range selector {
			if p.labels[label] != value {
				continue pods
			}
		}
		if p.terminating() || !p.availableFor(0) {
			continue
		}
		for _, c := range p.spec.Containers {
			if number, err := (&container{pod: p, spec: c}).port(port); err == nil {
				found = append(found, net.JoinHostPort(p.ip, strconv.Itoa(number)))
				break
			}
		}
	}
	return strings.Join(found, "\n")
}
