package vendorhttp

import (
	"net/http"
	"net/url"
	"time"
)

// UseProxy does what HTTPS_PROXY does.
func (c *Client) UseProxy(proxy *url.URL) {
	c.way.findProxy = func(*http.Request) (*url.URL, error) { return proxy, nil }
}

// TokenUntil is until when the token in memory is used.
func (c *Client) TokenUntil() time.Time {
	t, ok := c.auth.(*tokens)
	if !ok {
		return time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until
}
