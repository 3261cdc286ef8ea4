package vendorhttp

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/provider/flight"
)

// progress is how far a request has come. Some errors of net/http do not say it, such as io.EOF.
type progress struct {
	handshake, connected, certificateWanted, givenUp atomic.Bool
	// alive says that the connection of the request cannot be dead unnoticed: it was just made, or it is HTTP/2, which
	// sends PINGs.
	alive atomic.Bool
}

type progressKey struct{}

// follow returns a context: net/http and crypto/tls report the progress of a request through it.
func (p *progress) follow(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, progressKey{}, p)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { p.handshake.Store(true) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { p.handshake.Store(err != nil) },
		GotConn: func(info httptrace.GotConnInfo) {
			encrypted, ok := info.Conn.(*tls.Conn)
			p.alive.Store(!info.Reused || ok && encrypted.ConnectionState().NegotiatedProtocol == "h2")
			p.connected.Store(true)
		},
	})
}

// lastTry is in the context of a request that will not be repeated.
type lastTry struct{}

// giveUpInTime cancels a request while enough time for a repetition is left: its connection may be dead unnoticed.
// Where it cannot be dead, and the request may be slow, the server is slow: then the request goes on, because a
// repetition would be slow too. The request has at least as much time as it leaves for the repetition. The deadline of
// ctx is read again each time, because a more patient caller may have joined; but a caller that joins late must not
// take the repetition from those who came first.
func (p *progress) giveUpInTime(ctx, request context.Context, mayBeSlow bool, cancel func()) *time.Timer {
	begin := time.Now()
	armed := make(chan *time.Timer, 1)
	timer := time.AfterFunc(repetition, func() {
		timer := <-armed
		defer func() { armed <- timer }()
		deadline, ok := flight.Deadline(ctx)
		switch left, more := time.Until(deadline), firstTry-time.Since(begin); {
		case !ok || request.Err() != nil || mayBeSlow && p.alive.Load():
		case left > repetition && more > 0:
			timer.Reset(min(left-repetition, more))
		case left > retryPause+LeastTime:
			p.givenUp.Store(true)
			cancel()
		default:
			timer.Reset(max(left, LeastTime))
		}
	})
	armed <- timer
	return timer
}
