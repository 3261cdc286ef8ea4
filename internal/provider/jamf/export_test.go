package jamf

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"step-posture-connector/internal/posture"
)

// TokenUntil is until when the token in memory is used.
func (p *Provider) TokenUntil() time.Time {
	p.client.tokens.mu.Lock()
	defer p.client.tokens.mu.Unlock()
	return p.client.tokens.until
}

// AgeToken makes the token in memory, and what is known about privileges, older.
func (p *Provider) AgeToken(by time.Duration) {
	t := p.client.tokens
	t.mu.Lock()
	t.issued = t.issued.Add(-by)
	t.mu.Unlock()
	if pro, ok := p.api.(*proAPI); ok {
		pro.departments.mu.Lock()
		pro.departments.forbidden = pro.departments.forbidden.Add(-by)
		pro.departments.mu.Unlock()
	}
}

// Break makes lookups of one type of device panic.
func (p *Provider) Break(t posture.DeviceType) { p.api = &broken{p.api, t} }

type broken struct {
	api
	of posture.DeviceType
}

func (b *broken) lookup(ctx context.Context, t posture.DeviceType, id posture.Identifier) (record, error) {
	if t == b.of {
		panic("a fault of the connector")
	}
	return b.api.lookup(ctx, t, id)
}

// UseProxy does what HTTPS_PROXY does.
func (p *Provider) UseProxy(proxy *url.URL) {
	p.client.findProxy = func(*http.Request) (*url.URL, error) { return proxy, nil }
}
