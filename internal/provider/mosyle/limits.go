package mosyle

import "time"

// The limits that only Mosyle needs; package vendorhttp has those of every request. Mosyle publishes none, and locks accounts out
// in ways that are not documented, so these are low.
const (
	// maxRequests is how many requests run at once.
	maxRequests = 3
	// perSecond is how many requests a second are sent, and burst how many of them at once: a lookup of any device takes four.
	perSecond = 5
	burst     = 20
	// leastTime is what a lookup of four requests needs: their turns take 0.8 s.
	leastTime = 1500 * time.Millisecond
	// lockout is how long Mosyle is not asked after a 429.
	lockout = 5 * time.Second

	// tokenUse is how long a token is used. It lives for a day.
	tokenUse = 23 * time.Hour
	// refusalMemory: after a 403, a token of this age is replaced. Sources differ in whether an expired one is answered with 401
	// or 403; where an address is refused, this is one login a minute. After a login that was refused, no other one is sent for as
	// long: with a wrong password, each lookup would bring the account nearer to being locked.
	refusalMemory = time.Minute

	// listPageSize is how many devices a page of a list is asked for.
	listPageSize = 100
	// mostPages bounds what a lookup reads where Mosyle ignores the serial number.
	mostPages = 20
	// maxLogin bounds the answer to a login, in bytes.
	maxLogin = 1 << 20
)
