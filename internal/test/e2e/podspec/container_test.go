//go:build compose

package podspec_test

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	backoffFirst = 10 * time.Second // before a container that exits is started again; doubled each time
	backoffMost  = 5 * time.Minute
	leastGrace   = 2 // seconds that a container has after its preStop hook, even if that took all the time
)

// container is one of a pod, over all of its starts.
type container struct {
	pod  *pod
	spec corev1.Container

	mu      sync.Mutex
	ids     []string // names in Docker, one for each start
	started bool     // its startup probe has succeeded
	ready   bool
}

// add makes a container known to the pod, which is not ready without it from now on.
func (p *pod) add(spec corev1.Container) *container {
	c := &container{pod: p, spec: spec}
	p.mu.Lock()
	p.containers = append(p.containers, c)
	p.mu.Unlock()
	return c
}

func (c *container) isInit() bool {
	for _, spec := range c.pod.spec.InitContainers {
		if spec.Name == c.spec.Name {
			return true
		}
	}
	return false
}

func (c *container) isReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.started && c.ready
}

// attempts are the names of all starts in Docker.
func (c *container) attempts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.ids...)
}

// current is the name of the last start; empty before the first.
func (c *container) current() string {
	all := c.attempts()
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// launch starts the container once more, and returns a channel that gets its exit status.
func (c *container) launch(ctx context.Context) (<-chan string, error) {
	name := fmt.Sprintf("%s-%s-%d", c.pod.name, c.spec.Name, len(c.attempts()))
	arguments, err := c.arguments(ctx, name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.ids, c.started, c.ready = append(c.ids, name), false, false
	c.mu.Unlock()
	if _, err := run(context.WithoutCancel(ctx), nil, arguments...); err != nil {
		return nil, err
	}
	exited := make(chan string, 1)
	c.pod.node.working.Go(func() {
		for c.pod.node.ctx.Err() == nil {
			// A wait has the limit of every command, and the container may live longer.
			if status, err := run(c.pod.node.ctx, nil, "docker", "wait", name); err == nil {
				exited <- strings.TrimSpace(status)
				return
			}
			sleep(c.pod.node.ctx, pollTime)
		}
	})
	return exited, nil
}

// complete runs an init container until it succeeds.
func (c *container) complete(ctx context.Context) error {
	for pause := backoffFirst; ; pause = min(2*pause, backoffMost) {
		exited, err := c.launch(ctx)
		if err == nil {
			select {
			case status := <-exited:
				if status == "0" {
					return nil
				}
				err = fmt.Errorf("exit status %s: %s", status, last(both(ctx, c.current()), 5))
			case <-ctx.Done():
				c.end(exited)
				return ctx.Err()
			}
		}
		c.pod.event("init container %s: %v", c.spec.Name, err)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// keep runs the container, and starts it again whenever it exits or is not alive, until ctx ends.
func (c *container) keep(ctx context.Context) {
	// The first start again comes at once.
	for pause := time.Duration(0); ; pause = min(max(2*pause, backoffFirst), backoffMost) {
		exited, err := c.launch(ctx)
		if err != nil {
			c.pod.event("container %s: %v", c.spec.Name, err)
		} else if !c.live(ctx, exited) {
			return
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// live probes a container until it exits or is ended. It says whether the container is to be started again.
func (c *container) live(ctx context.Context, exited <-chan string) bool {
	probing, stop := context.WithCancel(ctx)
	var probes sync.WaitGroup
	defer func() {
		stop()
		probes.Wait()
		c.set(false, false)
	}()
	dead := make(chan string, 2)
	probes.Go(func() {
		if !c.start(probing, dead) {
			return
		}
		c.set(true, c.spec.ReadinessProbe == nil)
		if probe := c.spec.ReadinessProbe; probe != nil {
			probes.Go(func() { c.watch(probing, probe, func(good bool, _ error) { c.set(true, good) }) })
		}
		if probe := c.spec.LivenessProbe; probe != nil {
			c.watch(probing, probe, func(good bool, err error) {
				if !good {
					dead <- fmt.Sprintf("Liveness probe failed: %v", err)
				}
			})
		}
	})
	select {
	case status := <-exited:
		c.pod.event("container %s exits with the status %s", c.spec.Name, status)
		return true
	case reason := <-dead:
		c.pod.event("container %s is ended: %s", c.spec.Name, reason)
		c.set(false, false)
		c.end(exited)
		return true
	case <-ctx.Done():
		c.end(exited)
		return false
	}
}

// start waits for the startup probe; until then nothing else is asked.
func (c *container) start(ctx context.Context, dead chan<- string) bool {
	probe := c.spec.StartupProbe
	if probe == nil {
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := false
	c.watch(ctx, probe, func(good bool, err error) {
		if began = good; !good {
			dead <- fmt.Sprintf("Startup probe failed: %v", err)
		}
		cancel()
	})
	return began
}

func (c *container) set(started, ready bool) {
	c.mu.Lock()
	c.started, c.ready = started, ready
	c.mu.Unlock()
	c.pod.judge()
}

func (c *container) awaitStarted(ctx context.Context) error {
	for {
		c.mu.Lock()
		started := c.started
		c.mu.Unlock()
		if started {
			return nil
		}
		if !sleep(ctx, pollTime) {
			return ctx.Err()
		}
	}
}

// end is the end of a container: its preStop hook, the signal, and after the grace period the end by force.
func (c *container) end(exited <-chan string) {
	node := c.pod.node
	grace := int64(30) // the default of the API
	if seconds := c.pod.spec.TerminationGracePeriodSeconds; seconds != nil {
		grace = *seconds
	}
	if hook := c.spec.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Sleep != nil {
		used := min(hook.PreStop.Sleep.Seconds, grace)
		select {
		case <-exited:
			return
		case <-node.ctx.Done():
			return
		case <-time.After(time.Duration(used) * time.Second):
		}
		grace = max(grace-used, leastGrace)
	}
	// A command that fails means that the container has exited meanwhile.
	_, _ = run(node.ctx, nil, "docker", "kill", "--signal", "TERM", c.current())
	select {
	case status := <-exited:
		c.pod.event("container %s exits with the status %s after the signal", c.spec.Name, status)
		return
	case <-node.ctx.Done():
		return
	case <-time.After(time.Duration(grace) * time.Second):
	}
	c.pod.event("container %s has not exited within its grace period", c.spec.Name)
	_, _ = run(node.ctx, nil, "docker", "kill", c.current())
	select {
	case <-exited:
	case <-node.ctx.Done():
	}
}

// user is whom the process runs as, by the container's settings or else the pod's.
func (c *container) user(ctx context.Context, image string) (string, error) {
	inPod, own := c.pod.spec.SecurityContext, c.spec.SecurityContext
	if inPod == nil {
		inPod = &corev1.PodSecurityContext{}
	}
	if own == nil {
		own = &corev1.SecurityContext{}
	}
	uid, gid := cmp.Or(own.RunAsUser, inPod.RunAsUser), cmp.Or(own.RunAsGroup, inPod.RunAsGroup)
	text, err := run(ctx, nil, "docker", "image", "inspect", "--format", "{{.Config.User}}", image)
	if err != nil {
		return "", err
	}
	user := strings.TrimSpace(text)
	if uid != nil {
		user = strconv.FormatInt(*uid, 10)
		if gid != nil {
			user += ":" + strconv.FormatInt(*gid, 10)
		}
	}
	if must := cmp.Or(own.RunAsNonRoot, inPod.RunAsNonRoot); must != nil && *must {
		number, _, _ := strings.Cut(user, ":")
		if id, err := strconv.Atoi(number); err != nil || id == 0 {
			return "", fmt.Errorf("container has runAsNonRoot and would run as %q", user)
		}
	}
	return user, nil
}
