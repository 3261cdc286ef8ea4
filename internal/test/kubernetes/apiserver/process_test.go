package apiserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var errNotReady = errors.New("it does not answer")

func never(context.Context) error { return errNotReady }

// A server that ends before it is ready is an error at once, with what it has printed.
func TestServerThatEnds(t *testing.T) {
	t.Parallel()
	_, err := start(t.Context(), never, "/bin/sh", "-c", "echo no such flag >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "ended before it was ready: exit status 3") || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("start = %v, want its exit status and what it has printed", err)
	}
}

// One that is never ready is stopped when nobody waits for it any more.
func TestServerThatIsNeverReady(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	_, err := start(ctx, func(context.Context) error {
		if asked++; asked == 3 {
			cancel()
		}
		return errNotReady
	}, "/bin/sleep", "600")
	if !errors.Is(err, errNotReady) {
		t.Errorf("start = %v, want %v", err, errNotReady)
	}
	if asked < 3 {
		t.Errorf("it was asked %d times, want three or more", asked)
	}
}

// A port that another program takes first is chosen anew, others are not; and not for ever.
func TestPortsThatAreTaken(t *testing.T) {
	t.Parallel()
	tries := 0
	taken := func([]int) error {
		if tries++; tries < 3 {
			return fmt.Errorf("etcd: %w", errPortTaken)
		}
		return nil
	}
	if err := onFreePorts(t.Context(), 2, taken); err != nil || tries != 3 {
		t.Errorf("onFreePorts = %v after %d tries, want none after 3", err, tries)
	}
	tries = 0
	if err := onFreePorts(t.Context(), 1, func([]int) error { tries++; return errNotReady }); !errors.Is(err, errNotReady) || tries != 1 {
		t.Errorf("onFreePorts = %v after %d tries, want %v after one", err, tries, errNotReady)
	}
	tries = 0
	if err := onFreePorts(t.Context(), 1, func([]int) error { tries++; return errPortTaken }); !errors.Is(err, errPortTaken) || tries != portAttempts {
		t.Errorf("onFreePorts = %v after %d tries, want %v after %d", err, tries, errPortTaken, portAttempts)
	}
	ports, err := freePorts(t.Context(), 3)
	if slices.Sort(ports); err != nil || len(slices.Compact(ports)) != 3 || ports[0] == 0 {
		t.Errorf("freePorts = %v, %v, want three different ones", ports, err)
	}
}
