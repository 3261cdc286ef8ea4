package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The goals of a policy file, as multiples of the same daemon without one.
const (
	rulesGoal  = 1.2
	beforeGoal = 1.03 // of a daemon without a policy file to one from before there were any
)

// ruleRounds divides the usual rounds: a small difference needs many, which may be short.
const ruleRounds = 6

// measuredRules are of every kind: words, a version, times, texts, a group, an attribute, a fact that may be unknown,
// the request's own facts, and a list of names. Every device of the inventory meets them all, so that all are evaluated
// and the device gets its data.
func measuredRules() []string {
	return []string{
		`device.last_seen > now - days(30)`,
		`device.os_version.atLeast("15.4")`,
		`device.os == "macOS" || device.os == "Windows"`,
		`device.encrypted`,
		`"Employees" in device.groups`,
		`device.attributes["asset"].startsWith("A-")`,
		`!has(device.compliant) || device.compliant`,
		`user.email_address.endsWith("@example.com")`,
		`request.key_type == "EC" && request.key_bits >= 256`,
		`request.names.all(n, sameIdentifier(n, device.identifier))`,
	}
}

// measuredData makes what the inventory without facts gives.
const measuredData = `    data:
      department: user.department
      email: user.email_address
      asset: device.attributes["asset"]
`

// ruleFile writes a policy file with the first rules of measuredRules.
func (b *bench) ruleFile(rules int) (string, error) {
	var text strings.Builder
	text.WriteString("policies:\n  default:\n")
	for i, rule := range measuredRules()[:rules] {
		if i == 0 {
			text.WriteString("    rules:\n")
		}
		fmt.Fprintf(&text, "      - {name: rule_%d, require: '%s'}\n", i+1, rule)
	}
	text.WriteString(measuredData)
	path := b.folder.file(fmt.Sprintf("%d_rules.yaml", rules))
	if err := os.WriteFile(path, []byte(text.String()), private); err != nil {
		return "", fmt.Errorf("write policy file: %w", err)
	}
	return path, nil
}

// factInventory is the inventory of so many devices with what measuredRules read, in columns of facts.
func (b *bench) factInventory(count int) (inventory, error) {
	in := inventory{b.folder.file(fmt.Sprintf("%d_facts.csv", count)), formatCSV, count}
	file, err := os.Create(in.path)
	if err != nil {
		return in, fmt.Errorf("write inventory: %w", err)
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	_, _ = fmt.Fprintln(out, "Identifier,user.department,user.email_address,asset,device.os,device.os_version,device.encrypted,device.last_seen,device.groups")
	seen := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for d := range device(count) {
		_, _ = fmt.Fprintf(out, "%s,%s,%s,%s,macOS,15.%d.1,true,%s,%s;Employees\n", d.identifier(), d.department(), d.email(), d.asset(), 4+d%4, seen, d.department())
	}
	if err := out.Flush(); err != nil { // the first error of all writes
		return in, fmt.Errorf("write inventory: %w", err)
	}
	return in, nil
}

// competitor is a daemon in the comparison of policies.
type competitor struct {
	name     string
	daemon   string // path
	settings map[string]string
}

// competitors are the daemon without a policy file, first, and with one of no, one and ten rules. With -before, a daemon
// of another version is the last.
func (b *bench) competitors() ([]competitor, error) {
	plain, err := b.folder.inventory(formatCSV, thousandDevices)
	if err != nil {
		return nil, err
	}
	facts, err := b.factInventory(thousandDevices)
	if err != nil {
		return nil, err
	}
	settings := func(in inventory, policy string) map[string]string {
		all := map[string]string{"PROVIDER": "file", "FILE_TYPE": in.format, "FILE_PATH": in.path}
		if policy != "" {
			all["POLICY_PATH"] = policy
		}
		return all
	}
	all := []competitor{{"without a policy file", b.daemonPath(), settings(plain, "")}}
	for _, rules := range []int{0, 1, len(measuredRules())} {
		path, err := b.ruleFile(rules)
		if err != nil {
			return nil, err
		}
		all = append(all, competitor{withRules(rules), b.daemonPath(), settings(facts, path)})
	}
	if b.before != "" {
		all = append(all, competitor{ofBefore, b.before, settings(plain, "")})
	}
	return all, nil
}

func (b *bench) start(ctx context.Context, c competitor) (*target, error) {
	command := b.connector(c.settings)
	p, err := b.run(ctx, c.name, func(ctx context.Context, address string) *exec.Cmd {
		made := command(ctx, address)
		made.Path, made.Args[0] = c.daemon, c.daemon
		return made
	})
	return &target{process: p, devices: thousandDevices}, err
}

// rules measures what a policy file costs: CPU time of a request, memory, and time until the daemon is ready.
func (b *bench) rules(ctx context.Context) error {
	all, err := b.competitors()
	if err != nil {
		return err
	}
	targets := make([]*target, len(all))
	for i, c := range all {
		if targets[i], err = b.start(ctx, c); err != nil {
			return err
		}
	}
	for _, way := range []struct {
		name string
		dial func(ctx context.Context, t *target) (driver, error)
	}{
		{"HTTP/1.1 keep-alive, 16 connections", func(ctx context.Context, t *target) (driver, error) { return b.keepAlive(ctx, t, connections) }},
		{"one HTTP/2 connection, 16 streams", func(ctx context.Context, t *target) (driver, error) { return b.multiplexed(ctx, t) }},
	} {
		held, err := b.hold(ctx, contest{
			name: "policies, " + way.name, rounds: b.scale.rounds * ruleRounds, requests: b.scale.requests / ruleRounds, limit: b.scale.contestLimit, dial: way.dial,
		}, targets...)
		if err != nil {
			return err
		}
		b.rows = append(b.rows, ruleRows(way.name, held)...)
	}
	if err := b.startWithRules(ctx, all, targets); err != nil {
		return err
	}
	ended := make([]*process, len(targets))
	for i, t := range targets {
		ended[i] = t.process
	}
	return b.end(ended...)
}

// ruleRows compares each daemon with the one without a policy file, round by round: they took turns, so what slowed a
// round down has slowed its neighbours too.
func ruleRows(way string, held []*contestant) (rows []row) {
	without := held[0]
	for _, one := range held[1:] {
		ratios := make([]float64, len(one.rounds))
		for i := range one.rounds {
			ratios[i] = one.rounds[i].perRequest() / without.rounds[i].perRequest()
		}
		r := row{
			what:  fmt.Sprintf("CPU per request, %s: %s", way, one.name),
			floor: micros(without.summary().median), measured: micros(one.summary().median), ratio: fmt.Sprintf("%.2f", median(ratios)),
			goal: none, result: reported,
		}
		switch one.name {
		case allRules():
			r.goal, r.result = "≤ "+short(rulesGoal)+" × without a policy file", verdict(median(ratios) <= rulesGoal)
		case ofBefore:
			// It is this version that is compared with the other.
			ratio := 1 / median(ratios)
			r.floor, r.measured, r.ratio = r.measured, r.floor, fmt.Sprintf("%.2f", ratio)
			r.what = fmt.Sprintf("CPU per request, %s: %s", way, againstBefore)
			r.goal, r.result = "≤ "+short(beforeGoal)+" × before", verdict(ratio <= beforeGoal)
		}
		rows = append(rows, r)
	}
	return rows
}

// startWithRules compares memory and time to ready: of the policy with all rules, and of the daemon of before. The memory
// afterwards is that of daemons that had the same number of requests.
func (b *bench) startWithRules(ctx context.Context, all []competitor, used []*target) error {
	afterwards := make([]float64, len(all))
	for i, t := range used {
		m, err := t.memory()
		if err != nil {
			return err
		}
		afterwards[i] = m.now
	}
	atReady, toReady := make([]float64, len(all)), make([]float64, len(all))
	for n := range b.scale.loads {
		for i, c := range all {
			t, err := b.start(ctx, c)
			if err != nil {
				return err
			}
			m, err := t.memory()
			if err != nil {
				return err
			}
			if n == 0 || inMillis(t.toReady) < toReady[i] {
				toReady[i] = inMillis(t.toReady)
			}
			atReady[i] = max(atReady[i], m.now)
			if err := b.end(t.process); err != nil {
				return err
			}
		}
	}
	for _, c := range []struct {
		what   string
		values []float64
		in     unit
	}{{"memory at ready", atReady, mebibytes}, {"memory after the requests above", afterwards, mebibytes}, {"time to ready", toReady, millis}} {
		for i := range all {
			if all[i].name != allRules() && all[i].name != ofBefore {
				continue
			}
			name, of, to := all[i].name, c.values[i], c.values[0]
			if name == ofBefore { // it is this version that is compared with the other
				name, of, to = againstBefore, to, of
			}
			r := reportOnly(fmt.Sprintf("%s, 1,000 devices: %s", c.what, name), c.in(of))
			r.floor, r.ratio = c.in(to), fmt.Sprintf("%.2f", of/to)
			b.rows = append(b.rows, r)
		}
	}
	return nil
}

// ofBefore is the name of the daemon of -before; againstBefore is what is compared with it.
const (
	ofBefore      = "the daemon of before"
	againstBefore = "without a policy file, against the daemon of before"
)

func withRules(count int) string {
	if count == 1 {
		return "a policy with 1 rule"
	}
	return fmt.Sprintf("a policy with %d rules", count)
}

func allRules() string { return withRules(len(measuredRules())) }

// inMillis is a duration in milliseconds, the unit that the tables have.
func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
