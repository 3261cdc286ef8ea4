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

// pollInterval is how often is looked whether something has happened.
const pollInterval = 10 * time.Millisecond

// setInventory replaces the inventory of a running connector and waits for what
// its log says about that.
func setInventory(t *testing.T, g *gate.Gate, content, says string) {
	t.Helper()
	if err := g.SetInventory(content); err != nil {
		t.Fatal(err)
	}
	expectLog(t, g.Connector(), says)
}

// testBrokenInventory: a file that cannot be used leaves the one before it in
// force, which /readyz says until it is mended.
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

// expectHealth waits until /readyz, which must not say meanwhile that the
// connector cannot decide, says what is wanted: a reload is logged before it is
// noted as done.
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

// testOwnCertificateRenewed: step-ca renews the connector's own certificate, in
// the end with a new key, while devices order certificates without pause. No
// order fails, and each new certificate is served, measured, and accepted by
// step-ca.
func testOwnCertificateRenewed(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{MutualTLS: true, AllowedNames: stepca.Name, Health: true, Relayed: true})
	ordering := l.orderWithoutPause(t, g)
	// Certificates count in seconds: only after one does a renewal change the expiry.
	ordering.goOn(t, time.Second)
	for _, rekey := range []bool{false, false, false, true} {
		logged := len(g.Connector().Log())
		testRenewed(t, g, rekey)
		ordering.goOn(t, 0)
		if log := g.Connector().Log()[logged:]; strings.Contains(log, "[DENY]") {
			t.Errorf("a request was not answered as the others:\n%s", log)
		}
		// So far step-ca has used the connection that it made at first.
		if g.CutConnections() == 0 {
			t.Error("step-ca had no connection to the connector")
		}
		ordering.goOn(t, time.Second)
	}
	ordering.stop()
}

// testRenewed has step-ca renew the connector's certificate, and waits until new
// connections are shown the new one.
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
		t.Errorf("the expiry is measured as %d, want %d", got, want)
	}
}

// orderers is how many devices order at once.
const orderers = 3

// orders are made by devices, each of which makes one after the other.
type orders struct {
	done    chan struct{}
	placed  [orderers]atomic.Int64
	working sync.WaitGroup
}

// orderWithoutPause has known devices order certificates until stop. One that
// does not get its certificate fails the test.
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

// placeOrder has a new device of the known serial number get a certificate.
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

// goOn lets the devices order for a while, and then until each of them has got a
// certificate that it began to order after this was called.
func (o *orders) goOn(t *testing.T, least time.Duration) {
	t.Helper()
	begun := time.Now()
	for i := range o.placed {
		// The first of the two may have been under way.
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
