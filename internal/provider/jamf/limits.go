package jamf

import "time"

// The time limits and bounds of what is asked of Jamf. docs/operation.md has them in one table with the
// limits around them, from step-ca's on; a test compares the two.
const (
	// maxRequests is how many requests run at once: Jamf asks for no more than five connections.
	// https://developer.jamf.com/developer-guide/docs/jamf-pro-api-scalability-best-practices
	maxRequests = 5
	// maxAnswer bounds an answer, in bytes. A full record of the Classic API can reach some MiB.
	maxAnswer = 16 << 20

	// longestRequest bounds a request where TIMEOUT is larger. No lookup waits longer; but lookups that come one after
	// the other may join the same request, as for a token, and one that hangs would be joined for as long as it lasts.
	longestRequest = 9 * time.Second

	// connectTimeout bounds name resolution and TCP connect together. A resolver whose first server is
	// dead takes 5 s, and each of several addresses gets 2 s at least.
	connectTimeout = 6 * time.Second
	// handshakeTimeout bounds the TLS handshake, with a proxy's included once more.
	handshakeTimeout = 3 * time.Second
	// pingAfter and pingTimeout find a dead HTTP/2 connection: one on which nothing arrived for so long is
	// sent a PING, and closed when that is not answered. Together they are less than what the first try
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
	// connection may be dead without a sign of it, and then only a second try on a new one helps.
	repetition = 3 * time.Second
	// firstTry is how long a try has that lookups join one after the other: as long as when there is one of them.
	firstTry = 5500 * time.Millisecond
	// retryPause is left between a request that failed and its repetition.
	retryPause = 100 * time.Millisecond
	// leastTime is what a repeated request needs; with less than this left it is not begun.
	leastTime = 250 * time.Millisecond
	// longestWait bounds what a Retry-After header can ask for: Jamf Pro sends none itself, and a proxy
	// that names an hour must not keep every device out for an hour.
	longestWait = 10 * time.Second

	// departmentTimeout bounds the request for the name of a department, the wait for its turn included:
	// the name is not worth a refusal.
	departmentTimeout = 2 * time.Second
	// versionTimeout bounds the request for the server's version: it is a hint only.
	versionTimeout = 2 * time.Second
	// privilegeMemory is how long a refusal for want of a privilege (403) is believed: a token has the
	// privileges that the API client had when it was issued, so one this old is replaced.
	privilegeMemory = time.Minute

	// unknownLifetime is assumed of a token that does not say how long it lives.
	unknownLifetime = 60 * time.Second
)
