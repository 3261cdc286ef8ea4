package jamf

import "time"

// TokenUntil is until when the token in memory is used.
func (p *Provider) TokenUntil() time.Time {
	p.client.tokens.mu.Lock()
	defer p.client.tokens.mu.Unlock()
	return p.client.tokens.until
}
