//go:build compose

package compose_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestReplicas restarts two connectors behind one name, one after the other, while devices order certificates
// without pause. No order is lost, and each gets the right answer.
func TestReplicas(t *testing.T) {
	s := newStack(t, image(t, "BALANCER_IMAGE"), "CONNECTOR_HOST=balancer", "AUDIT_LOG_PATH=", "STATE_URL=")
	s.files = append(s.files, "test/balancer.yml")
	s.up(t, "--scale", "connector=2")
	replicas := strings.Fields(s.container(t, "connector"))
	if len(replicas) != 2 {
		t.Fatalf("%d replicas run, want 2", len(replicas))
	}
	done := make(chan struct{})
	var placed atomic.Int64
	var working sync.WaitGroup
	for range 2 {
		working.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if i%4 == 3 {
					s.wantRefused(t, "during the replacement", unknown, 401, "deviceNotFound")
				} else {
					s.wantCertificate(t, "during the replacement", known)
				}
				placed.Add(1)
			}
		})
	}
	await := func() {
		t.Helper()
		enough := placed.Load() + 20
		s.eventually(t, "orders are placed", func() bool { return placed.Load() >= enough })
	}
	await()
	for _, replica := range replicas {
		s.run(t, "docker", "stop", "--time", "20", replica)
		await()
		s.run(t, "docker", "start", replica)
		s.eventually(t, "the replica is healthy again", func() bool {
			return strings.TrimSpace(s.run(t, "docker", "inspect", "--format", "{{.State.Health.Status}}", replica)) == "healthy"
		})
		await()
	}
	close(done)
	working.Wait()
	t.Logf("%d orders", placed.Load())
	for _, replica := range replicas {
		if log := s.run(t, "docker", "logs", replica); strings.Contains(log, "panic") {
			t.Errorf("a replica panicked:\n%s", log)
		}
	}
}
