package jamf

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/provider/flight"
)

// progress is how far a request has come. Some errors of net/http do not say it, io.EOF for one.
type progress struct{ handshake, connected, certificateWanted, givenUp atomic.Bool }

type progressKey struct{}

// follow returns a context with which net/http and crypto/tls report the progress of a request.
func (p *progress) follow(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, progressKey{}, p)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { p.handshake.Store(true) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { p.handshake.Store(err != nil) },
		GotConn:           func(httptrace.GotConnInfo) { p.connected.Store(true) },
	})
}

// lastTry is in the context of a request that will not be repeated.
type lastTry struct{}

// giveUpInTime cancels a request while there is time for a repetition: its connection may be dead without a
// sign of it. The request has at least as much time as it leaves. How long somebody waits for the work of
// ctx is asked again each time: a more patient caller may have joined it. But one that joins late must not take
// the repetition from those who came first.
func (p *progress) giveUpInTime(ctx, request context.Context, cancel func()) *time.Timer {
	begin := time.Now()
	armed := make(chan *time.Timer, 1)
	timer := time.AfterFunc(repetition, func() {
		timer := <-armed
		defer func() { armed <- timer }()
		deadline, ok := flight.Deadline(ctx)
		switch left, more := time.Until(deadline), firstTry-time.Since(begin); {
		case !ok || request.Err() != nil:
		case left > repetition && more > 0:
			timer.Reset(min(left-repetition, more))
		case left > retryPause+leastTime:
			p.givenUp.Store(true)
			cancel()
		default:
			timer.Reset(max(left, leastTime))
		}
	})
	armed <- timer
	return timer
}
