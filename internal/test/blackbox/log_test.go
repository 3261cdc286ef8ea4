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

	"step-posture-connector/internal/test/program"
)

// startUnread starts the daemon with a pipe as standard error, which only the test can read. It returns when
// the daemon answers.
func startUnread(t *testing.T, env program.Environment) (d *program.Daemon, log *os.File) {
	t.Helper()
	log, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	d = program.StartWithLog(t, env, writer)
	_ = writer.Close()
	return d, log
}

// fillLog sends requests, each a long line of the log, until holds is true. Each of them must be answered.
func fillLog(t *testing.T, d *program.Daemon, by *program.PKI, atLeast int, holds func() bool) {
	t.Helper()
	long := strings.Repeat("C02XK1JK", 256/8)
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	var clients sync.WaitGroup
	var mu sync.Mutex
	answers := 0
	for range 4 {
		s := program.NewStepCA(t, by, d.Address, nil)
		clients.Go(func() {
			for ctx.Err() == nil {
				status, text, err := s.Send(t, program.WebhookBody(long))
				if err != nil || status != http.StatusOK || !strings.HasPrefix(text, program.NotFound) {
					t.Errorf("got %d %s (%v), want an answer although the log is not read", status, text, err)
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
	d.Eventually(t, fmt.Sprintf("%d answers and what the test waits for", atLeast), func() bool {
		return ctx.Err() != nil || count() >= atLeast && holds()
	})
	enough()
	clients.Wait()
	t.Logf("%d answers", count())
}

// dropped is how many lines of the log were dropped, according to the metrics.
func dropped(t *testing.T, d *program.Daemon) int {
	t.Helper()
	n, err := strconv.ParseFloat(d.Metric(t, "step_posture_log_lines_dropped_total"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// While the log is an open pipe without a reader, every request is answered; /readyz and the metrics say
// what is wrong, and SIGTERM stops the daemon.
func TestLogIsStuck(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d, _ := startUnread(t, program.WorkingEnvironment(t, p))
	if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("before: /readyz = %d %s %q", code, status, wrong)
	}
	fillLog(t, d, p, 1000, func() bool {
		_, status, wrong := d.Ready(t)
		return status == "degraded" && strings.HasPrefix(wrong["log"], "degraded: ")
	})
	if got := d.Metric(t, `step_posture_check_ok{check="log"}`); got != "0" {
		t.Errorf("step_posture_check_ok of the log is %s, want 0", got)
	}
	begin := time.Now()
	d.Signal(t, syscall.SIGTERM)
	d.WantExit(t, 0)
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
}

// When the reader comes back, a line says how many lines were lost, in their place.
func TestLogReaderComesBack(t *testing.T) {
	t.Parallel()
	for format, lost := range map[string]string{
		"text": `^time="[^"]+" level=warning msg="(\d+) lines of the log were lost`,
		"json": `^\{"time":"[^"]+","level":"warning","msg":"(\d+) lines of the log were lost[^"]*"\}$`,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			p := program.NewPKI(t)
			d, log := startUnread(t, program.WorkingEnvironment(t, p).With("LOG_FORMAT", format))
			fillLog(t, d, p, 1000, func() bool { return dropped(t, d) > 0 })

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
				if want := strconv.Itoa(dropped(t, d)); n != want {
					t.Errorf("the log says that %s lines were lost, the metric says %s", n, want)
				}
			case <-time.After(program.Patience):
				t.Fatal("the log does not say that lines were lost")
			}
			d.Eventually(t, "the log is healthy again", func() bool { _, status, _ := d.Ready(t); return status == "ok" })
			d.Signal(t, syscall.SIGTERM)
			d.WantExit(t, 0)
		})
	}
}

// Lines that cannot be written, as on a full disk, are counted and reported too, and do not stop the daemon.
func TestLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Logf("this system has no /dev/full: %v", err)
		return
	}
	defer full.Close()
	p := program.NewPKI(t)
	d := program.StartWithLog(t, program.WorkingEnvironment(t, p), full)
	program.NewStepCA(t, p, d.Address, nil).WantDecision(t, "without a log", "C02XK1JKLVCG", program.Allowed)
	d.Eventually(t, "/readyz reports it", func() bool {
		_, status, wrong := d.Ready(t)
		return status == "degraded" && strings.Contains(wrong["log"], "no space left on device")
	})
	if dropped(t, d) == 0 {
		t.Error("no line is counted as dropped")
	}
	d.Signal(t, syscall.SIGTERM)
	d.WantExit(t, 0)
}

// The last line says why the daemon exits, also after an error.
func TestLastLine(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
	if code, output := d.Stop(t); code != 0 || !strings.HasSuffix(output, "msg=\"stopped; every request was answered\"\n") {
		t.Errorf("exit code %d, and the log ends in %s", code, output)
	}
	d = program.StartDaemon(t, program.WorkingEnvironment(t, p), func(*exec.Cmd) {})
	_, port, _ := net.SplitHostPort(d.Address)
	if got := program.Run(t, program.WorkingEnvironment(t, p).With("PORT", port), ""); got.Code != 1 || !strings.Contains(got.Stderr, "address already in use") {
		t.Errorf("a second one = %d %s, want 1 and the reason", got.Code, got.Stderr)
	}
}

// LOGGING_LEVEL=2 logs connections and read files; 1 logs neither.
func TestDebugLevel(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	for level, want := range map[string]bool{"1": false, "2": true} {
		d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("LOGGING_LEVEL", level))
		s := program.NewStepCA(t, p, d.Address, nil)
		s.WantDecision(t, "level "+level, "C02XK1JKLVCG", program.Allowed)
		s.Client.CloseIdleConnections()
		d.Hangup(t)
		d.Eventually(t, "everything is reloaded", func() bool {
			return strings.Contains(d.Output(), "reloaded: TLS") && strings.Contains(d.Output(), "reloaded: 3 devices")
		})
		if want {
			d.Eventually(t, "the connection is closed", func() bool {
				return regexp.MustCompile(`level=trace msg="connection from 127\.0\.0\.1:\d+: closed after [^"]+"`).MatchString(d.Output())
			})
		}
		_, output := d.Stop(t)
		for _, line := range []string{`level=trace msg="connection from 127.0.0.1:`, `level=trace msg="reading the inventory"`, `level=trace msg="reading the certificate`} {
			if got := strings.Contains(output, line); got != want {
				t.Errorf("level %s: the log has %s: %v, want %v", level, line, got, want)
			}
		}
	}
}

// A log without a reader (SIGPIPE) does not end the daemon.
func TestLogReaderIsGone(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	d := program.StartWithLog(t, program.WorkingEnvironment(t, p), writer)
	_ = writer.Close()
	s := program.NewStepCA(t, p, d.Address, nil)
	for range 3 {
		s.WantDecision(t, "without a reader of the log", "C02XK1JKLVCG", program.Allowed)
	}
}
