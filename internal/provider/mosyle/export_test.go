package mosyle

import "time"

// Unlimited makes a provider that sends requests as fast as it can, for tests of answers.
func Unlimited(c Config) (*Provider, error) { return newAt(c, 0) }

// Age makes what is known about tokens older.
func (p *Provider) Age(by time.Duration) {
	before := p.now
	p.now = func() time.Time { return before().Add(by) }
}

// Body shows what the request of a login holds.
func (p *Provider) Body() ([]byte, error) {
	r, err := p.login()
	return r.Body, err
}
