package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// bench is one run.
type bench struct {
	options
	folder   folder
	identity identity
	caller   *caller
	progress io.Writer

	processes []*process // that are running
	started   int

	floorServer *target
	sizes       []*target // a daemon for each size of the inventory, the smallest first
	idle        *idlers
	idleRows    []row

	rows  []row
	notes []string
	noise float64 // the largest spread of the floor's rounds, relative to their median
	curve curve
}

// section is a part of the benchmark that can be run alone.
type section struct {
	name string
	run  func(ctx context.Context) error
	// alone says that it runs only where -only names it.
	alone bool
}

// sections are in the order of the table. Idle connections are opened first, so that the time until
// they are closed is not waited for.
func (b *bench) sections() []section {
	return []section{
		{name: "idle", run: b.openIdle},
		{name: "keepalive", run: b.withSizes(b.keptConnections)},
		{name: "http2", run: b.withSizes(b.sharedConnection)},
		{name: "connections", run: b.withSizes(b.newConnections)},
		{name: "rules", run: b.withoutSizes(b.rules)},
		{name: "policies", run: b.withoutSizes(b.policies)},
		{name: "latency", run: b.withSizes(b.constantLoad)},
		{name: "log", run: b.withoutSizes(b.logLoad)},
		{name: "load", run: b.withoutSizes(b.loading)},
		{name: "reload", run: b.withoutSizes(b.reloading)},
		{name: "idle", run: b.closeIdle},
		{name: "jamf", run: b.withoutSizes(b.jamf)},
		{name: "doors", run: b.withoutSizes(b.doors), alone: true},
		{name: "storm", run: b.storm, alone: true},
		{name: "outage", run: b.outage, alone: true},
		{name: "fleet", run: b.fleet, alone: true},
	}
}

// measureAll runs the benchmark and cleans up after it.
func measureAll(ctx context.Context, o options, out, progress io.Writer) (err error) {
	if _, err := cpuTime(os.Getpid()); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "posture-bench-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer os.RemoveAll(temporary)
	b := &bench{options: o, folder: folder(temporary), progress: progress}
	defer func() {
		stopped := b.stop()
		if ctx.Err() != nil {
			err = fmt.Errorf("not finished: %w", context.Cause(ctx)) // what broke thereby is no news
			return
		}
		err = errors.Join(err, stopped)
	}()
	if b.identity, err = b.folder.prepare(); err != nil {
		return err
	}
	if b.caller, err = newCaller(b.identity.secret); err != nil {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	began := time.Now()
	for _, s := range b.sections() {
		if len(b.only) == 0 && s.alone || len(b.only) > 0 && !slices.Contains(b.only, s.name) {
			continue
		}
		if err := s.run(ctx); err != nil {
			return err
		}
	}
	b.say("measured in %s", time.Since(began).Round(time.Second))
	return b.publish(out)
}

// withSizes starts the floor and the daemons of every size, unless they run already.
func (b *bench) withSizes(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if b.floorServer != nil {
			return run(ctx)
		}
		var err error
		if b.floorServer, err = b.floor(ctx, false); err != nil {
			return err
		}
		for _, size := range b.scale.sizes {
			t, err := b.daemonOf(ctx, size, false)
			if err != nil {
				return err
			}
			b.sizes = append(b.sizes, t)
		}
		return run(ctx)
	}
}

// withoutSizes ends them again: what comes then starts its own, and memory may be short.
func (b *bench) withoutSizes(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if b.floorServer != nil {
			ended := []*process{b.floorServer.process}
			for _, t := range b.sizes {
				ended = append(ended, t.process)
			}
			b.floorServer, b.sizes = nil, nil
			if err := b.end(ended...); err != nil {
				return err
			}
		}
		return run(ctx)
	}
}

// size is the daemon with so many devices.
func (b *bench) size(devices int) *target {
	i := slices.IndexFunc(b.sizes, func(t *target) bool { return t.devices == devices })
	return b.sizes[i]
}

// stop ends every server that is still running.
func (b *bench) stop() error {
	var faults []error
	for _, p := range slices.Clone(b.processes) {
		faults = append(faults, b.end(p))
	}
	return errors.Join(faults...)
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "bench: "+format+"\n", args...)
}
