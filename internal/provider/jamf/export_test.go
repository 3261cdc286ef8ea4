package jamf

import "time"

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
