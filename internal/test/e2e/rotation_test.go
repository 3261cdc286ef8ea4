package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/stepca"
)

const (
	// guideSerial is the device in the inventory of docs/setup.md.
	guideSerial = "C02EXAMPLE01"
	// retryPause is how long step-ca waits before its only retry of a webhook request.
	retryPause = time.Second
	// rotationPause separates the steps of the rotation, so that orders meet the state after each step. It is as long as
	// retryPause: the page waits half a minute, and a retry of a call that met the first restart must not meet the second.
	rotationPause = "sleep 1\n"
	// awaitChecked keeps the CA and the connector running until the test has checked them.
	awaitChecked = "echo ROTATED\nuntil [ -e checked ]; do sleep 0.1; done\n"
)

// TestRotation runs the commands of docs/setup.md and then those of docs/operation.md that rotate the webhook's
// secret, literally and in order, while a known device and an unknown one order without pause. The known one
// always gets its certificate, the other never.
func TestRotation(t *testing.T) {
	t.Parallel()
	programs := buildPrograms(t)
	maker, err := device.NewManufacturer()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "simulated.crt"), string(maker.RootPEM()))
	setup := shellBlocks(t, filepath.Join(programs.Repository(), "docs", "setup.md"))
	steps := shellBlocks(t, rotationSection(t, programs.Repository()))
	last := len(setup) - 1
	script := guidePrologue + strings.Join(setup[:last], "") + guideInterlude +
		rotationPause + strings.Join(steps, rotationPause) + rotationPause + awaitChecked + setup[last]
	writeFile(t, filepath.Join(dir, "setup.sh"), script)

	ctx, cancel := context.WithTimeout(t.Context(), 2*guideTimeout)
	defer cancel()
	port, guide := startGuide(ctx, t, programs, dir)
	await := func(text string) {
		t.Helper()
		err := guide.Await(ctx, func(context.Context) error {
			if !strings.Contains(guide.Output(), text+"\n") {
				return fmt.Errorf("the script has not printed %s", text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	await("READY")
	client, err := stepca.ClientOf(filepath.Join(dir, "step", "certs", "root_ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	r := &rotation{
		lab:       lab{client: client, maker: maker},
		directory: "https://localhost:" + strconv.Itoa(port) + "/acme/devices/directory",
		connector: net.JoinHostPort("127.0.0.1", setting(t, dir, "PORT")),
		done:      make(chan struct{}),
	}
	r.start(ctx)
	t.Cleanup(r.stop)
	writeFile(t, filepath.Join(dir, "ordered"), "")
	await("ROTATED")
	r.stop()
	r.check(t)
	checkRotated(t, dir)
	writeFile(t, filepath.Join(dir, "checked"), "")
	if err := guide.Wait(ctx); err != nil {
		t.Errorf("the script ended with %v", err)
	}
}

// rotationSection returns a file with the section of docs/operation.md about the rotation.
func rotationSection(t *testing.T, repository string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Rotate a webhook secret\n")
	if !found {
		t.Fatal("docs/operation.md does not describe the rotation")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	path := filepath.Join(t.TempDir(), "rotation.md")
	writeFile(t, path, section)
	return path
}

// checkRotated checks that two webhooks called the connector, and that it is configured for the second only.
func checkRotated(t *testing.T, dir string) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, "connector.log"))
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	last := ""
	for _, match := range regexp.MustCompile(`\[ALLOW\] .*webhook_id=(\S+)`).FindAllStringSubmatch(string(log), -1) {
		last = match[1]
		called[last] = true
	}
	if len(called) != 2 {
		t.Errorf("the connector answered %d webhooks, want 2", len(called))
	}
	if ids := setting(t, dir, "WEBHOOK_IDS"); ids != last {
		t.Errorf("in the end WEBHOOK_IDS is %s, want only %s", ids, last)
	}
}

// setting returns a variable of the connector's .env.
func setting(t *testing.T, dir, name string) string {
	t.Helper()
	env, err := os.ReadFile(filepath.Join(dir, ".env"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindSubmatch(env)
	if match == nil {
		t.Fatalf("the connector's .env has no %s", name)
	}
	return string(match[1])
}

// rotation is the devices that order during the rotation of a secret, and the results.
type rotation struct {
	lab
	directory string
	connector string // its address

	working sync.WaitGroup
	done    chan struct{}
	ending  sync.Once

	mu              sync.Mutex
	issued, refused int
	failures        []failure

	seen     time.Time // when the connector last accepted a connection
	absences []absence
}

// failure is an order with a wrong result.
type failure struct {
	from, to time.Time
	err      error
}

// absence is a time in which the connector did not accept connections.
type absence struct{ from, to time.Time }

func (a absence) length() time.Duration { return a.to.Sub(a.from) }

func (r *rotation) start(ctx context.Context) {
	for range orderers {
		r.repeat(func() { r.order(ctx, guideSerial) })
	}
	r.repeat(func() { r.order(ctx, unknownSerial) })
	r.repeat(func() { r.watch(ctx) })
}

// repeat calls f repeatedly until stop.
func (r *rotation) repeat(f func()) {
	r.working.Go(func() {
		for {
			select {
			case <-r.done:
				return
			default:
				f()
			}
		}
	})
}

func (r *rotation) stop() {
	r.ending.Do(func() { close(r.done) })
	r.working.Wait()
}

func (r *rotation) order(ctx context.Context, serial string) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	begun := time.Now()
	err := r.finalize(ctx, serial)
	problem := (*acme.Error)(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch known := serial == guideSerial; {
	case known && err == nil:
		r.issued++
	case !known && errors.As(err, &problem) && problem.StatusCode == http.StatusUnauthorized:
		r.refused++
	case !known && err == nil:
		r.failures = append(r.failures, failure{begun, time.Now(), errors.New("the unknown device has a certificate")})
	default:
		r.failures = append(r.failures, failure{begun, time.Now(), fmt.Errorf("order of %s: %w", serial, err)})
	}
}

func (r *rotation) finalize(ctx context.Context, serial string) error {
	d, err := r.maker.Make(serial, "00008030-"+serial)
	if err != nil {
		return err
	}
	order, err := d.Order(ctx, r.client, r.directory)
	if err != nil {
		return err
	}
	cert, err := order.Finalize(ctx)
	if err == nil && strings.Join(cert.Subject.OrganizationalUnit, ",") != "Design" {
		return fmt.Errorf("the certificate is for %s, want the department of the inventory in it", cert.Subject)
	}
	return err
}

// watch records for how long the connector accepts no connection. The cause may also be a busy machine.
func (r *rotation) watch(ctx context.Context) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.connector)
	now := time.Now()
	if err == nil {
		_ = conn.Close()
		if !r.seen.IsZero() && now.Sub(r.seen) > 5*pollInterval {
			r.absences = append(r.absences, absence{r.seen, now})
		}
		r.seen = now
	}
	time.Sleep(pollInterval)
}

// check reports every failure, except that of an order during an absence as long as step-ca's retry pause: no
// procedure helps on a machine that is so busy.
func (r *rotation) check(t *testing.T) {
	t.Helper()
	for _, a := range r.absences {
		t.Logf("the connector accepted no connection for %v", a.length().Round(time.Millisecond))
	}
	for _, f := range r.failures {
		if r.excused(f) {
			t.Logf("an order failed around a restart that took too long: %v", f.err)
		} else {
			t.Errorf("an order failed: %v", f.err)
		}
	}
	if r.issued == 0 || r.refused == 0 {
		t.Errorf("%d certificates were issued and %d orders denied, want some of each", r.issued, r.refused)
	}
	t.Logf("%d certificates were issued and %d orders denied", r.issued, r.refused)
}

func (r *rotation) excused(f failure) bool {
	problem := (*acme.Error)(nil)
	if !errors.As(f.err, &problem) || problem.StatusCode != http.StatusInternalServerError {
		return false
	}
	for _, a := range r.absences {
		if a.length() > retryPause*9/10 && f.from.Before(a.to) && f.to.After(a.from) {
			return true
		}
	}
	return false
}
