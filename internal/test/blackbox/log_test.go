//go:build unix

package blackbox_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startUnread starts the daemon with a pipe as standard error, which nobody reads as long as the test
// does not. It returns when the daemon answers.
func startUnread(t *testing.T, env environment) (d *process, log *os.File) {
	t.Helper()
	log, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	d = &process{address: freeAddress(t), health: freeAddress(t), ended: make(chan struct{})}
	_, port, _ := net.SplitHostPort(d.address)
	d.cmd = program(t, env.with("PORT", port, "HEALTH_ADDRESS", d.health))
	d.cmd.Stderr = writer
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	go func() { _ = d.cmd.Wait(); close(d.ended) }()
	t.Cleanup(func() { _ = d.cmd.Process.Kill(); <-d.ended })
	d.eventually(t, "it answers", func() bool { code, _ := d.get(t, "/healthz"); return code == http.StatusOK })
	return d, log
}

// fill sends requests, each a long line of the log, until holds says that it is enough. Every one of
// them must be answered.
func (p *process) fill(t *testing.T, by *pki, atLeast int, holds func() bool) {
	t.Helper()
	long := strings.Repeat("C02XK1JK", 256/8)
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	var clients sync.WaitGroup
	var mu sync.Mutex
	answers := 0
	for range 4 {
		s := newSigner(t, by, p.address, nil)
		clients.Go(func() {
			for ctx.Err() == nil {
				status, text, err := s.send(t, order(long))
				if err != nil || status != http.StatusOK || !strings.HasPrefix(text, notFound) {
					t.Errorf("got %d %s (%v), want an answer although nobody reads the log", status, text, err)
					enough()
					return
				}
				mu.Lock()
				answers++
				mu.Unlock()
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return answers }
	p.eventually(t, fmt.Sprintf("%d answers and what the test waits for", atLeast), func() bool {
		return ctx.Err() != nil || count() >= atLeast && holds()
	})
	enough()
	clients.Wait()
	t.Logf("%d answers", count())
}

// dropped is how many lines of the log the daemon says it dropped.
func (p *process) dropped(t *testing.T) int {
	t.Helper()
	n, err := strconv.ParseFloat(p.metric(t, "step_posture_log_lines_dropped_total"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// While nobody reads the log, which is a pipe that stays open, every request is answered; /readyz and
// the metrics say what is wrong, and SIGTERM ends the daemon.
func TestLogIsStuck(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	d, _ := startUnread(t, workingEnvironment(t, p))
	if code, status, wrong := d.ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("before: /readyz = %d %s %q", code, status, wrong)
	}
	d.fill(t, p, 1000, func() bool {
		_, status, wrong := d.ready(t)
		return status == "degraded" && strings.HasPrefix(wrong["log"], "degraded: ")
	})
	if got := d.metric(t, `step_posture_check_ok{check="log"}`); got != "0" {
		t.Errorf("step_posture_check_ok of the log is %s, want 0", got)
	}
	begin := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.wantEnd(t, 0)
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("it took %s to end", took)
	}
}

// When the reader comes back, a line says how many were lost, at the place where they are missing.
func TestLogReaderComesBack(t *testing.T) {
	t.Parallel()
	for format, lost := range map[string]string{
		"text": `^time="[^"]+" level=warning msg="(\d+) lines of the log were lost`,
		"json": `^\{"time":"[^"]+","level":"warning","msg":"(\d+) lines of the log were lost[^"]*"\}$`,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			p := newPKI(t)
			d, log := startUnread(t, workingEnvironment(t, p).with("LOG_FORMAT", format))
			d.fill(t, p, 1000, func() bool { return d.dropped(t) > 0 })

			found := make(chan string, 1)
			go func() {
				lines := bufio.NewScanner(log)
				for lines.Scan() {
					if match := regexp.MustCompile(lost).FindStringSubmatch(lines.Text()); match != nil {
						found <- match[1]
					}
				}
			}()
			select {
			case n := <-found:
				if want := strconv.Itoa(d.dropped(t)); n != want {
					t.Errorf("the log says that %s lines were lost, the metric says %s", n, want)
				}
			case <-time.After(patience):
				t.Fatal("the log does not say that lines were lost")
			}
			d.eventually(t, "the log is healthy again", func() bool { _, status, _ := d.ready(t); return status == "ok" })
			if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			d.wantEnd(t, 0)
		})
	}
}

// That lines cannot be written, as on a full disk, is seen too, and does not end the daemon.
func TestLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Logf("this system has no /dev/full: %v", err)
		return
	}
	defer full.Close()
	p := newPKI(t)
	d := &process{address: freeAddress(t), health: freeAddress(t), ended: make(chan struct{})}
	_, port, _ := net.SplitHostPort(d.address)
	d.cmd = program(t, workingEnvironment(t, p).with("PORT", port, "HEALTH_ADDRESS", d.health))
	d.cmd.Stderr = full
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = d.cmd.Wait(); close(d.ended) }()
	t.Cleanup(func() { _ = d.cmd.Process.Kill(); <-d.ended })
	d.eventually(t, "it answers", func() bool { code, _ := d.get(t, "/healthz"); return code == http.StatusOK })
	newSigner(t, p, d.address, nil).wantDecision(t, "without a log", "C02XK1JKLVCG", allowed)
	d.eventually(t, "/readyz says so", func() bool {
		_, status, wrong := d.ready(t)
		return status == "degraded" && strings.Contains(wrong["log"], "no space left on device")
	})
	if d.dropped(t) == 0 {
		t.Error("no line is counted as dropped")
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.wantEnd(t, 0)
}

// The last line says why the daemon ends, also when that is an error.
func TestLastLine(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	d := startDaemon(t, workingEnvironment(t, p))
	if code, output := d.stop(t); code != 0 || !strings.HasSuffix(output, "msg=\"stopped; every request was answered\"\n") {
		t.Errorf("exit status %d, and the log ends in %s", code, output)
	}
	d = startDaemon(t, workingEnvironment(t, p), func(*exec.Cmd) {})
	_, port, _ := net.SplitHostPort(d.address)
	if got := runOnce(t, workingEnvironment(t, p).with("PORT", port), ""); got.code != 1 || !strings.Contains(got.stderr, "address already in use") {
		t.Errorf("a second one = %d %s, want 1 and the reason", got.code, got.stderr)
	}
}

// LOGGING_LEVEL=2 shows connections and files that are read; 1 shows neither.
func TestDebugLevel(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	for level, want := range map[string]bool{"1": false, "2": true} {
		d := startDaemon(t, workingEnvironment(t, p).with("LOGGING_LEVEL", level))
		s := newSigner(t, p, d.address, nil)
		s.wantDecision(t, "level "+level, "C02XK1JKLVCG", allowed)
		s.client.CloseIdleConnections()
		d.hangup(t)
		d.eventually(t, "all is reloaded", func() bool {
			return strings.Contains(d.output(), "reloaded: TLS") && strings.Contains(d.output(), "reloaded: 3 devices")
		})
		if want {
			d.eventually(t, "the connection is closed", func() bool {
				return regexp.MustCompile(`level=trace msg="connection from 127\.0\.0\.1:\d+: closed after [^"]+"`).MatchString(d.output())
			})
		}
		_, output := d.stop(t)
		for _, line := range []string{`level=trace msg="connection from 127.0.0.1:`, `level=trace msg="reading the inventory"`, `level=trace msg="reading the certificate`} {
			if got := strings.Contains(output, line); got != want {
				t.Errorf("level %s: the log has %s: %v, want %v", level, line, got, want)
			}
		}
	}
}
