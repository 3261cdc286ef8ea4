package intune

import "time"

// Age makes what is known about permissions older.
func (p *Provider) Age(by time.Duration) {
	before := p.now
	p.now = func() time.Time { return before().Add(by) }
}

// Properties are those that $select names.
func Properties() []string { return properties() }
