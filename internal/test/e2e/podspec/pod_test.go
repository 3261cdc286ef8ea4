//go:build compose

package podspec_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// pod is one that runs: a sandbox, which has the network and the address, and containers that share it.
type pod struct {
	node   *node
	name   string
	labels map[string]string
	spec   corev1.PodSpec
	ip     string            // written before made is closed
	mounts map[string]string // docker's part of a volume; likewise
	made   chan struct{}     // closed when sandbox and volumes exist
	ended  chan struct{}     // closed when nothing of it runs

	filesMu sync.Mutex
	mounted map[string]map[string]file

	mu         sync.Mutex
	containers []*container
	events     []string
	readySince time.Time // zero: it is not ready
	readyOnce  bool
	stop       context.CancelFunc
	stopping   bool
}

// start starts a pod. It ends with the node, or by terminate.
func (n *node) start(name string, labels map[string]string, spec corev1.PodSpec) *pod {
	ctx, cancel := context.WithCancel(n.ctx)
	p := &pod{
		node: n, name: n.id + "-" + name, labels: labels, spec: *spec.DeepCopy(), stop: cancel,
		made: make(chan struct{}), ended: make(chan struct{}), mounted: map[string]map[string]file{}, mounts: map[string]string{},
	}
	n.mu.Lock()
	n.pods = append(n.pods, p)
	n.mu.Unlock()
	n.working.Go(func() {
		defer close(p.ended)
		if err := p.run(ctx); err != nil && n.ctx.Err() == nil {
			p.event("the pod fails: %v", err)
		}
		p.remove()
	})
	return p
}

// run does what the kubelet does, from the volumes to the end of the last container.
func (p *pod) run(ctx context.Context) error {
	if err := p.admit(); err != nil {
		return err
	}
	for {
		err := p.mount(ctx)
		if err == nil {
			break
		}
		// What it refers to may come.
		p.event("%v", err)
		if !sleep(ctx, time.Second) {
			return nil
		}
	}
	if err := p.sandbox(ctx); err != nil {
		return err
	}
	close(p.made)
	var running sync.WaitGroup
	defer running.Wait()
	for _, spec := range p.spec.InitContainers {
		c := p.add(spec)
		if spec.RestartPolicy == nil {
			if err := c.complete(ctx); err != nil {
				return err
			}
			continue
		}
		// A sidecar: it ends after the others.
		life, end := context.WithCancel(context.WithoutCancel(ctx))
		running.Go(func() { c.keep(life) })
		defer end()
		if err := c.awaitStarted(ctx); err != nil {
			return err
		}
	}
	var mains sync.WaitGroup
	for _, spec := range p.spec.Containers {
		c := p.add(spec)
		mains.Go(func() { c.keep(ctx) })
	}
	mains.Wait()
	return nil
}

// admit refuses what this kubelet would not do.
func (p *pod) admit() error {
	if fields := unheeded(p.spec); len(fields) > 0 {
		return fmt.Errorf("the kubelet of these tests does not know %s", strings.Join(fields, ", "))
	}
	// A pod with a token of its service account, or with variables of services, would have more than these tests show.
	if token := p.spec.AutomountServiceAccountToken; token == nil || *token {
		return errors.New("it mounts the token of its service account")
	}
	if links := p.spec.EnableServiceLinks; links == nil || *links {
		return errors.New("it has a variable for each Service of its namespace")
	}
	return nil
}

func (p *pod) mount(ctx context.Context) error {
	p.filesMu.Lock()
	defer p.filesMu.Unlock()
	for _, v := range p.spec.Volumes {
		if _, done := p.mounts[v.Name]; done {
			continue
		}
		source, err := p.volume(ctx, v)
		if err != nil {
			return err
		}
		p.mounts[v.Name] = source
	}
	return nil
}

// sandbox starts the container that owns the pod's network, as the pause container of a real node does.
func (p *pod) sandbox(ctx context.Context) error {
	args := []string{
		"docker", "run", "--detach", "--name", p.name, "--label", p.node.id, "--network", p.node.network, "--hostname", p.name,
		"--ipc", "shareable", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65535:65535",
	}
	for _, v := range p.spec.Volumes {
		if v.EmptyDir != nil {
			args = append(args, "--volume", p.mounts[v.Name]+":/keep/"+v.Name+":nocopy")
		}
	}
	if _, err := run(ctx, nil, append(args, "--entrypoint", "sleep", p.node.stepCA, "86400")...); err != nil {
		return err
	}
	ip, err := run(ctx, nil, "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", p.name)
	p.ip = strings.TrimSpace(ip)
	if err == nil && p.ip == "" {
		err = errors.New("the sandbox has no address")
	}
	return err
}

// terminate begins the end of a pod; it is no endpoint from now on.
func (p *pod) terminate() {
	p.mu.Lock()
	p.stopping, p.readySince = true, time.Time{}
	p.mu.Unlock()
	p.stop()
}

func (p *pod) terminating() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopping
}

// availableFor says whether the pod has been ready for so long.
func (p *pod) availableFor(least time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.readySince.IsZero() && time.Since(p.readySince) >= least
}

// judge computes whether the pod is ready: all of its containers are.
func (p *pod) judge() {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := !p.stopping && len(p.containers) >= len(p.spec.Containers)
	mains := 0
	for _, c := range p.containers {
		main := !c.isInit()
		if main {
			mains++
		}
		if (main || c.spec.RestartPolicy != nil) && !c.isReady() {
			ready = false
		}
	}
	ready = ready && mains == len(p.spec.Containers)
	switch {
	case ready && p.readySince.IsZero():
		p.readySince, p.readyOnce = time.Now(), true
	case !ready:
		p.readySince = time.Time{}
	}
}

// remove removes what the pod had, except for its containers, whose log tells why a test has failed.
func (p *pod) remove() {
	ctx := context.WithoutCancel(p.node.ctx)
	p.mu.Lock()
	p.readySince = time.Time{}
	p.mu.Unlock()
	if p.ip != "" {
		_, _ = run(ctx, nil, "docker", "kill", p.name)
	}
	p.filesMu.Lock()
	clear(p.mounted)
	p.filesMu.Unlock()
}

func (p *pod) event(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, fmt.Sprintf(format, args...))
}

// happened says whether an event has a text.
func (p *pod) happened(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(strings.Join(p.events, "\n"), text)
}

func (p *pod) wasReady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.readyOnce
}

// container is the one of a name, or nil.
func (p *pod) container(name string) *container {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.containers {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

// describe is what kubectl describe and kubectl logs would show.
func (p *pod) describe() string {
	p.mu.Lock()
	text := fmt.Sprintf("pod %s, events: %q", p.name, p.events)
	containers := append([]*container(nil), p.containers...)
	p.mu.Unlock()
	for _, c := range containers {
		for _, id := range c.attempts() {
			text += fmt.Sprintf("\n%s printed:\n%s", id, last(both(context.WithoutCancel(p.node.ctx), id), 40))
		}
	}
	return text
}

// last are the last lines of a text.
func last(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

// sleep says whether the time has passed before the end.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
