package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// startFloor runs the floor in this process, with everything needed to call it.
func startFloor(t *testing.T, mutual bool) (*bench, *target) {
	t.Helper()
	b := &bench{folder: folder(t.TempDir()), progress: io.Discard}
	var err error
	if b.identity, err = b.folder.prepare(); err != nil {
		t.Fatal(err)
	}
	if b.caller, err = newCaller(b.identity.secret); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- floorOn(ctx, listener, b.folder, mutual, constant([]byte(allowing(floorDevice.data()))))
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b, &target{process: &process{name: "floor", address: listener.Addr().String()}, mutual: mutual}
}

// Every way to send requests gets its answers, and notices a wrong one.
func TestDrivers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mutual bool
		kind   kind
		dial   func(context.Context, *bench, *target) (driver, error)
	}{
		"keep-alive": {dial: func(ctx context.Context, b *bench, t *target) (driver, error) { return b.keepAlive(ctx, t, 2) }},
		"HTTP/2":     {dial: func(ctx context.Context, b *bench, t *target) (driver, error) { return b.multiplexed(ctx, t) }},
		"new, plain": {kind: kind{closing: true}, dial: func(ctx context.Context, b *bench, t *target) (driver, error) { return b.fresh(ctx, t, false) }},
		"new, resumed": {kind: kind{closing: true}, dial: func(ctx context.Context, b *bench, t *target) (driver, error) {
			return b.fresh(ctx, t, true)
		}},
		"new, mutual": {mutual: true, kind: kind{closing: true}, dial: func(ctx context.Context, b *bench, t *target) (driver, error) {
			return b.fresh(ctx, t, false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, floor := startFloor(t, test.mutual)
			d, err := test.dial(t.Context(), b, floor)
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()
			calls, err := b.calls(t.Context(), floor, 40, test.kind)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.drive(t.Context(), calls); err != nil {
				t.Errorf("drive = %v", err)
			}
			calls[17].want = allowing(device(1).data())
			if err := d.drive(t.Context(), calls); err == nil || !strings.Contains(err.Error(), "wrong answer") {
				t.Errorf("drive with a wrong answer = %v, want an error that says so", err)
			}
		})
	}
}

// Latency counts from the time that a request was due.
func TestOpenLoop(t *testing.T) {
	t.Parallel()
	b, floor := startFloor(t, false)
	k, err := b.keepAlive(t.Context(), floor, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	calls, err := b.calls(t.Context(), floor, 3, kind{})
	if err != nil {
		t.Fatal(err)
	}
	times := []time.Duration{0, time.Millisecond, 20 * time.Millisecond}
	all, err := k.openLoop(t.Context(), calls, times)
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range all {
		if one.at != times[i] || one.latency <= 0 {
			t.Errorf("request %d = %+v, want one due at %s with a latency", i, one, times[i])
		}
	}
	calls[1].want = "{}"
	if all, err := k.openLoop(t.Context(), calls, times); err == nil {
		t.Errorf("openLoop with a wrong answer = %v, want an error", all)
	}
}

func TestFloorRefusesOtherSignatures(t *testing.T) {
	t.Parallel()
	b, floor := startFloor(t, false)
	var err error
	if b.caller, err = newCaller([]byte("another secret")); err != nil {
		t.Fatal(err)
	}
	k, err := b.keepAlive(t.Context(), floor, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	calls, err := b.calls(t.Context(), floor, 1, kind{})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.drive(t.Context(), calls); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("drive = %v, want a 401", err)
	}
}
