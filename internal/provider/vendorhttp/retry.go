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
		until := time.Now().Add(failed.wait)
		c.notBefore.Store(&until)
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

var errLockedOut = errors.New("the server has answered that there are too many requests, and is not asked for a while")

// lockedOut is errLockedOut where a 429 has come while a request waited for its turn: a vendor that locks out may count also
// the requests that follow at once.
func (c *Client) lockedOut() error {
	if until := c.notBefore.Load(); c.options.Lockout > 0 && until != nil && time.Until(*until) > 0 {
		return errLockedOut
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
