package e2e_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// pollInterval is the pause between two checks of a condition.
const pollInterval = 10 * time.Millisecond

// setInventory replaces the inventory of a running connector and waits until the log
// reports the result.
func setInventory(t *testing.T, g *gate.Gate, content, says string) {
	t.Helper()
	if err := g.SetInventory(content); err != nil {
		t.Fatal(err)
	}
	expectLog(t, g.Connector(), says)
}

// testBrokenInventory: with a broken file the previous version stays in effect, and
// /readyz reports that until the file is fixed.
func testBrokenInventory(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{Health: true})
	order := l.order(t, g.DirectoryURL(), unknownSerial)
	grown := strings.Replace(jsonInventory, "[", `[{
		"identifier": "C02E2ENOBODY", "data": {"department": "Sales", "email": "bob@example.com"}
	}, `, 1)
	setInventory(t, g, grown[:len(grown)-1], "reload failed")
	expectHealth(t, g, `"status":"degraded"`, `"inventory":{"status":"degraded"`)
	cert, err := finalize(t, l.order(t, g.DirectoryURL(), knownSerial))
	expectEnriched(t, cert, err)
	cert, err = finalize(t, order)
	expectNotFound(t, g.Connector(), cert, err)
	expectReady(t, order)

	setInventory(t, g, grown, "reloaded: 2 devices")
	expectHealth(t, g, `"status":"ok"`, `"inventory":{"status":"ok"}`)
	cert, err = finalize(t, order)
	expectIssuedTo(t, unknownSerial, cert, err)
}

// expectHealth waits until /readyz has the wanted text, because a reload is logged
// before its result is recorded. Its status must be 200 meanwhile.
func expectHealth(t *testing.T, g *gate.Gate, texts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	for {
		status, text, err := g.Connector().Health(ctx, "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		if status != http.StatusOK {
			t.Fatalf("/readyz = %d, want 200", status)
		}
		lacking := slices.IndexFunc(texts, func(want string) bool { return !strings.Contains(text, want) })
		if lacking < 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("/readyz says %s, want %s", text, texts[lacking])
		case <-time.After(pollInterval):
		}
	}
}

// testOwnCertificateRenewed: step-ca renews the connector's own certificate, at last with
// a new key, while devices order certificates without pause. No order fails, and each
// new certificate is served, measured, and accepted by step-ca.
func testOwnCertificateRenewed(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{MutualTLS: true, AllowedNames: stepca.Name, Health: true, Relayed: true})
	ordering := l.orderWithoutPause(t, g)
	// Certificates have times in seconds: a renewal within the same second would not change the expiry.
	ordering.goOn(t, time.Second)
	for _, rekey := range []bool{false, false, false, true} {
		logged := len(g.Connector().Log())
		testRenewed(t, g, rekey)
		ordering.goOn(t, 0)
		if log := g.Connector().Log()[logged:]; strings.Contains(log, "[DENY]") {
			t.Errorf("a request was not allowed:\n%s", log)
		}
		// Until now step-ca has used its first connection.
		if g.CutConnections() == 0 {
			t.Error("step-ca had no connection to the connector")
		}
		ordering.goOn(t, time.Second)
	}
	ordering.stop()
}

// testRenewed renews the connector's certificate, and waits until the connector
// presents the new one.
func testRenewed(t *testing.T, g *gate.Gate, rekey bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	before, err := g.Connector().Presents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Renew(ctx, rekey); err != nil {
		t.Fatal(err)
	}
	after, err := g.Connector().Presents(ctx)
	if err != nil {
		t.Fatalf("the renewed certificate is not served: %v", err)
	}
	if after.SerialNumber.Cmp(before.SerialNumber) == 0 || !after.NotAfter.After(before.NotAfter) {
		t.Errorf("certificate %v until %v was renewed as %v until %v",
			before.SerialNumber, before.NotAfter, after.SerialNumber, after.NotAfter)
	}
	if got, want := bytes.Equal(after.RawSubjectPublicKeyInfo, before.RawSubjectPublicKeyInfo), !rekey; got != want {
		t.Errorf("the key stayed the same: %v, want %v", got, want)
	}
	expiry, err := g.Connector().Metric(ctx, "step_posture_certificate_expiry_timestamp_seconds")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := int64(expiry), after.NotAfter.Unix(); got != want {
		t.Errorf("the metric of the expiry is %d, want %d", got, want)
	}
}

// orderers is how many devices order at once.
const orderers = 3

// orders are placed by several devices at once; each device places one after the other.
type orders struct {
	done    chan struct{}
	placed  [orderers]atomic.Int64
	working sync.WaitGroup
}

// orderWithoutPause makes known devices order certificates until stop. An order without
// a certificate fails the test.
func (l *lab) orderWithoutPause(t *testing.T, g *gate.Gate) *orders {
	t.Helper()
	o := &orders{done: make(chan struct{})}
	for i := range orderers {
		o.working.Go(func() {
			for {
				select {
				case <-o.done:
					return
				default:
				}
				if err := l.placeOrder(t.Context(), g.DirectoryURL()); err != nil {
					t.Errorf("order %d of device %d: %v", o.placed[i].Load(), i, err)
					return
				}
				o.placed[i].Add(1)
			}
		})
	}
	t.Cleanup(o.stop)
	return o
}

// placeOrder makes a new device with the known serial number, which gets a certificate.
func (l *lab) placeOrder(ctx context.Context, directory string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	d, err := l.maker.Make(knownSerial, "00008030-"+knownSerial)
	if err != nil {
		return err
	}
	order, err := d.Order(ctx, l.client, directory)
	if err != nil {
		return err
	}
	_, err = order.Finalize(ctx)
	return err
}

// goOn lets the devices order for a while, and then until each has a certificate
// that it ordered after this call.
func (o *orders) goOn(t *testing.T, least time.Duration) {
	t.Helper()
	begun := time.Now()
	for i := range o.placed {
		// The first of the two may have been ordered before.
		want := o.placed[i].Load() + 2
		for o.placed[i].Load() < want || time.Since(begun) < least {
			if t.Failed() || time.Since(begun) > least+answerTimeout {
				t.Fatalf("device %d has %d certificates, want %d", i, o.placed[i].Load(), want)
			}
			time.Sleep(pollInterval)
		}
	}
}

func (o *orders) stop() {
	select {
	case <-o.done:
	default:
		close(o.done)
	}
	o.working.Wait()
}
