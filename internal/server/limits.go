package server

import "time"

// How long a client may take. step-ca's own idle time is 90 s.
const (
	// headerTimeout is for the TLS handshake, and for the header of a request.
	headerTimeout = 10 * time.Second
	// readTimeout is for the body of a request, on HTTP/1.1 with its header. On HTTP/2 the webhook has no other limit.
	readTimeout = 10 * time.Second
	// writeTimeout is for a whole request: body 10 s, decision 9 s, the rest for the answer.
	writeTimeout = 40 * time.Second
	// stallTimeout is for an HTTP/2 client that does not read what is written.
	stallTimeout = 10 * time.Second
	// idleTimeout is how long a connection stays open without a request.
	idleTimeout = 120 * time.Second
	// expireEvery is how often idle connections are searched for.
	expireEvery = time.Second
)

// How long shutdown takes.
const (
	// drainTimeout is how long requests in flight may take to finish.
	drainTimeout = 15 * time.Second
	// grace is how long a connection without a request in flight stays open after shutdown began. A request may be on
	// its way: clients learn from GOAWAY that they must send it elsewhere, and need a round trip for that. step-ca
	// pauses for a second before its only retry, and must find the next daemon by then.
	grace = 150 * time.Millisecond
	// unauthenticatedGrace is how long shutdown waits for a request on a connection without an authenticated one. Its
	// body is not complete: otherwise it would be authenticated or refused already.
	unauthenticatedGrace = 2 * time.Second
	// lookEvery is how often shutdown checks the connections.
	lookEvery = 10 * time.Millisecond
)

// Which connections make room for others; see victim.
const (
	// young is how long a new connection is spared: time for the handshake and one request.
	young = time.Second
	// afterAnswer is how long a connection is spared after a request, whose answer is still being written.
	afterAnswer = 100 * time.Millisecond
)

// What one client may send, in bytes.
const (
	// maxHeader is what net/http reads of a header; the handler refuses more than 16 KiB, with an answer and an event.
	maxHeader = 64 << 10
	// maxStream is the unread part of one HTTP/2 request.
	maxStream = 64 << 10
	// maxUnread is the unread part of all requests of one HTTP/2 connection.
	maxUnread = 256 << 10
	// maxFrame is the size of one HTTP/2 frame, which is allocated when it is announced; HTTP/2 allows no smaller one.
	maxFrame = 16 << 10
	// maxStreams is how many requests one HTTP/2 connection has at once. For each further one, Go's client opens another
	// connection, with a handshake. maxUnfinished limits their memory over all connections.
	maxStreams = 32
)

// What all unauthenticated clients together may hold, in bytes, and how it is counted; see bodies.
const (
	// maxUnfinished is for requests whose bodies have not ended, and for incomplete headers and handshakes.
	maxUnfinished = 32 << 20
	// unfinishedCost is what a request holds without its header and its body: stack, stream.
	unfinishedCost = 8 << 10
	// fieldCost is what a field of a header holds beside its text, which may be a single byte.
	fieldCost = 128
	// bodyCost is how often a byte of a body, or of the text of a header, is counted: a buffer that grows is copied.
	bodyCost = 2
	// receivedFree is how many bytes of a connection are not counted: about what step-ca needs.
	receivedFree = 4 << 10
	// receivedCost is how often the other received bytes are counted: a header of many short fields holds that much more
	// memory than was sent.
	receivedCost = 16
)

// How often the log has a notice of the same kind: unauthenticated clients can cause them.
const (
	noticeEvery = time.Minute
	// noticeSeldom is for the failures that scanners and health checks cause all the time.
	noticeSeldom = time.Hour
	// maxRevoked is how many revoked callers have a line of their own in a minute; the others share one.
	maxRevoked = 64
)

// manyCAs is more than one organization has: the file is a bundle of public CAs.
const manyCAs = 20
