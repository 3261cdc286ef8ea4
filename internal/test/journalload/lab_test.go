//go:build linux

package journalload_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

const (
	device     = "C02XK1JKLVCG" // with the facts that an MDM has
	longDevice = "C02XK1JKLVCH" // in so many groups that a line about it has a hundred times the length
	callers    = 8              // each has a connection

	policies = `inventories:
  owned: {provider: file, path: devices.json, type: json}
policies:
  laptops:
    inventories: [owned]
    rules:
      - {name: encrypted, require: device.encrypted}
      - {name: updated, require: 'device.os_version.atLeast("15.3")'}
      - {name: staff, require: "'Staff' in device.groups", enforce: false}
webhooks:
  - {name: ca, id: %s, secret: {file: secret}, policy: laptops}
`
)

// lab is what daemons of a test have in common.
type lab struct {
	pki    *program.PKI
	env    program.Environment
	secret string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{pki: program.NewPKI(t), secret: program.NewSecret()}
	files := program.NewPolicies(t, fmt.Sprintf(policies, program.HookID(1)))
	files.WriteFile(t, "secret", l.secret)
	files.WriteFile(t, "devices.json", inventory(t))
	l.env = files.Alone(t, l.pki)
	return l
}

func inventory(t *testing.T) string {
	t.Helper()
	type object = map[string]any
	facts := func(groups []string) object {
		return object{
			"device": object{"os": "macOS", "os_version": "15.4.1", "name": "Ada's MacBook Pro", "model": "MacBookPro18,3", "encrypted": true, "groups": groups, "last_seen": "2026-11-01T08:30:00Z"},
			"user":   object{"username": "ada", "realname": "Ada Lovelace", "email_address": "ada@example.com", "department": "Research"},
		}
	}
	many := []string{"Staff"}
	for i := range 3000 {
		many = append(many, fmt.Sprintf("A group with a long name, and the number %06d", i))
	}
	text, err := json.Marshal(object{"devices": []object{
		{"identifier": device, "facts": facts([]string{"Staff", "Design", "macOS 15"})}, {"identifier": longDevice, "facts": facts(many)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// connector is a daemon with its callers.
type connector struct {
	*program.Daemon

	log      string // the path
	callers  []*program.StepCA
	answered atomic.Int64 // decisions
}

func (l *lab) start(t *testing.T, variables ...string) *connector {
	t.Helper()
	c := &connector{log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(c.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = log.Close()
		if text, _ := os.ReadFile(c.log); t.Failed() {
			t.Logf("the log ends with\n%s", text[max(0, len(text)-3000):])
		}
	})
	c.Daemon = program.StartWithLog(t, l.env.With(variables...), log)
	for range callers {
		c.callers = append(c.callers, program.NewStepCA(t, l.pki, c.Address, nil).As(t, program.HookID(1), l.secret))
	}
	return c
}

// load asks about a device at a rate, for some time, and returns how long each answer took. Every answer is a decision, and allows.
func (c *connector) load(t *testing.T, rate int, howLong time.Duration, device string) (took []time.Duration) {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), howLong)
	defer end()
	due := make(chan struct{}, rate) // a caller that was late asks at once
	go func() {
		defer close(due)
		begin := time.Now()
		for n := 0; ctx.Err() == nil; program.Pause(ctx, time.Millisecond) {
			for ; n < int(time.Since(begin).Seconds()*float64(rate)); n++ {
				select {
				case due <- struct{}{}:
				default: // the machine is too slow
				}
			}
		}
	}()
	var (
		mu      sync.Mutex
		working sync.WaitGroup
	)
	for _, by := range c.callers {
		working.Go(func() {
			var mine []time.Duration
			for range due {
				begin := time.Now()
				status, text, err := by.Send(t, program.WebhookBody(device))
				mine = append(mine, time.Since(begin))
				if err != nil || status != http.StatusOK || !strings.HasPrefix(text, program.Allowed) {
					t.Errorf("got %d %.300s, %v", status, text, err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	working.Wait()
	c.answered.Add(int64(len(took)))
	return took
}

// numbers are the metrics of the journal.
type numbers struct{ written, lost, waiting int64 }

func (c *connector) numbers(t *testing.T) (n numbers) {
	t.Helper()
	_, text := c.Get(t, "/metrics") // one scrape: the three belong together
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case `step_posture_journal_lines_total{result="written"}`:
			n.written = int64(number)
		case `step_posture_journal_lines_total{result="lost"}`:
			n.lost = int64(number)
		case "step_posture_journal_waiting":
			n.waiting = int64(number)
		}
	}
	return n
}

// settled waits until nothing waits, and insists that no decision is missing.
func (c *connector) settled(t *testing.T) numbers {
	t.Helper()
	var n numbers
	c.eventually(t, "nothing waits", func() bool { n = c.numbers(t); return n.waiting == 0 && n.written+n.lost >= c.answered.Load() })
	if n.written+n.lost != c.answered.Load() {
		t.Errorf("%+v are not the %d decisions", n, c.answered.Load())
	}
	return n
}

func (c *connector) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const patience = 3 * time.Minute
	for begin := time.Now(); !holds(); program.Pause(t.Context(), 50*time.Millisecond) {
		if time.Since(begin) > patience {
			log, _ := os.ReadFile(c.log)
			t.Fatalf("not within %s: %s; %+v\n%s", patience, what, c.numbers(t), log[max(0, len(log)-5000):])
		}
	}
}

// loggedLines are the lines of the log that are about the journal.
func (c *connector) loggedLines(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "journal: ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// cpu is the time, user and system, that the daemon has used. That of a server beside it is not in it.
func (c *connector) cpu(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: behind the name, which may have spaces, utime is the 12th field.
	const utime, tick = 11, 10 * time.Millisecond
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, errUser := strconv.Atoi(fields[utime])
	system, errSystem := strconv.Atoi(fields[utime+1])
	if errUser != nil || errSystem != nil {
		t.Fatal(errUser, errSystem)
	}
	return time.Duration(user+system) * tick
}

// quantile sorts the times.
func quantile(took []time.Duration, q float64) time.Duration {
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))]
}

// machineLoad is the load average of the machine, for those who read the numbers.
func machineLoad() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
