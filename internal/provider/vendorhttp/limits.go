package vendorhttp

import "time"

// The time limits and bounds of requests to a vendor. docs/operation.md has them in one table with the limits around
// them, from step-ca's on; a test compares the two.
const (
	// defaultAtOnce is how many requests run at once where Options do not say it.
	defaultAtOnce = 5
	// maxAnswer bounds an answer, in bytes. A full record of Jamf's Classic API can reach some MiB.
	maxAnswer = 16 << 20

	// maxListed and maxList bound a list, in devices and in bytes: no inventory has as much.
	maxListed = 2_000_000
	maxList   = 1 << 30
	// tries is how often a page of a list is asked for at most, where it fails.
	tries = 3
	// placesForLists is how many requests must be allowed at once where lists are fetched: one is for a page.
	placesForLists = 2
	// pageTimeout bounds the request for a page of a list, from when it has a place.
	pageTimeout = 60 * time.Second
	// pagePause is left between two tries of a page.
	pagePause = time.Second
	// longestTurn is how long a page waits while lookups come first.
	longestTurn = 10 * time.Minute

	// longestRequest bounds a request where TIMEOUT is larger. No lookup waits longer; but lookups that come one after
	// the other may join the same request, as for a token, and all of them would wait for one that hangs.
	longestRequest = 9 * time.Second

	// connectTimeout bounds name resolution and TCP connect together. A resolver whose first server is
	// dead takes 5 s, and each of several addresses gets 2 s at least.
	connectTimeout = 6 * time.Second
	// handshakeTimeout bounds the TLS handshake, with a proxy's included once more.
	handshakeTimeout = 3 * time.Second
	// pingAfter and pingTimeout find a dead HTTP/2 connection: when nothing has arrived on it for so long, a PING is
	// sent, and it is closed when that is not answered. Together they are less than what the first try
	// of a request has (5.5 s), so that the second one has a new connection.
	pingAfter   = 3 * time.Second
	pingTimeout = 2 * time.Second
	// probeAfter, probeInterval and probeCount are those of TCP keep-alive, for idle HTTP/1.1 connections.
	probeAfter    = 15 * time.Second
	probeInterval = 5 * time.Second
	probeCount    = 3
	// idleTimeout is how long an unused connection is kept.
	idleTimeout = 90 * time.Second

	// repetition is what a try of a request leaves of the lookup's time, when it has had as much itself: a
	// connection may be dead unnoticed, and then only a second try on a new one helps.
	repetition = 3 * time.Second
	// firstTry is how long a try has that lookups join one after the other: as long as when there is one of them.
	firstTry = 5500 * time.Millisecond
	// retryPause is left between a request that failed and its repetition.
	retryPause = 100 * time.Millisecond
	// LeastTime is what a request needs; with less than this left it is not repeated.
	LeastTime = 250 * time.Millisecond
	// longestWait bounds what a Retry-After header can ask for: a proxy that names an hour must not keep every
	// device out for an hour.
	longestWait = 10 * time.Second

	// assertionLifetime is how long a signed assertion is valid, and clockSkew how long before now it begins to be: the
	// vendor's clock may be slow.
	assertionLifetime = 5 * time.Minute
	clockSkew         = 30 * time.Second

	// unknownLifetime is assumed of a token that does not say how long it lives.
	unknownLifetime = 60 * time.Second
	// longestMargin is how long before its end a token is replaced at most; a fifth of its life otherwise.
	longestMargin = time.Minute
)
