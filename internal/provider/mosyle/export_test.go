package mosyle

import "time"

// Unlimited makes a provider that sends requests as fast as it can, for tests of answers: those of the limits use New.
func Unlimited(c Config) (*Provider, error) { return limited(c, 0, 0, 0) }

// Age makes what is known about tokens older.
func (p *Provider) Age(by time.Duration) {
	before := p.now
	p.now = func() time.Time { return before().Add(by) }
}
