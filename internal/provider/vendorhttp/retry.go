package vendorhttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"step-posture-connector/internal/provider/flight"
)

// retry does work, and repeats it once where that may help and enough time is left. It backs off from a server that
// asked for it.
func (c *Client) retry(ctx context.Context, work func(context.Context) error) error {
	if err := c.backOff(ctx); err != nil {
		return err
	}
	err := work(ctx)
	failed := (*Fault)(nil)
	if !errors.As(err, &failed) || !failed.retriable() || ctx.Err() != nil {
		return err
	}
	pause := retryPause
	if failed.wait > 0 {
		pause = failed.wait
	}
	if pageOf(ctx) != nil || pause > longestWait || !sleep(ctx, pause) {
		return err // Pages repeats a page, and a lock-out is not waited for
	}
	if failed.Status == 0 {
		// Once more, because by now HTTP/2 has noticed that its connection is idle.
		c.way.http.CloseIdleConnections()
	}
	return work(context.WithValue(ctx, lastTry{}, true))
}

// backOff waits until the time that the server asked for has passed, or fails when that is too late.
func (c *Client) backOff(ctx context.Context) error {
	until := c.notBefore.Load()
	if until == nil {
		return nil
	}
	if wait := time.Until(*until); wait > longestWait || wait > 0 && !sleep(ctx, wait) {
		if c.options.Lockout > 0 {
			return errLockedOut
		}
		return errors.New("the server asked not to be asked for a while (Retry-After)")
	}
	return nil
}

// errLockedOut is the error of a request that is not sent after a 429.
var errLockedOut = errors.New("the server has answered that there are too many requests, and is not asked for a while")

// holdOff keeps requests from the server for so long. It never makes the time shorter: the answer to another request may have said more.
func (c *Client) holdOff(wait time.Duration) {
	until := time.Now().Add(wait)
	for {
		old := c.notBefore.Load()
		if old != nil && old.After(until) || c.notBefore.CompareAndSwap(old, &until) {
			return
		}
	}
}

// lockedOut is why a request that has waited for its place or its turn must not be sent any more to a server that locks out
// who goes on asking; nil where it may be sent.
func (c *Client) lockedOut(endpoint string) error {
	until := c.notBefore.Load()
	if c.options.Lockout <= 0 || until == nil {
		return nil
	}
	if wait := time.Until(*until); wait > 0 {
		return &Fault{Endpoint: endpoint, cause: errLockedOut, wait: wait}
	}
	return nil
}

// sleep waits, and reports whether enough time is left to go on. It does not begin to wait when too little will be left.
func sleep(ctx context.Context, pause time.Duration) bool {
	if deadline, ok := flight.Deadline(ctx); ok && time.Until(deadline) < pause+LeastTime {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads the Retry-After header (RFC 9110 section 10.2.3), in either of its forms.
func retryAfter(response *http.Response) time.Duration {
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := response.Header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), longestWait)
}
