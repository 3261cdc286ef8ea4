package doors

import (
	"errors"
	"net/http"
	"net/textproto"
	"strings"

	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// deviceHeader is sent with every allow, whatever the configuration says.
const deviceHeader = "X-Device-Id"

// readForwardAuth reads the certificate that a web server hands on. Nothing else of the question counts: method, query, path and
// body are the browser's.
func (q *question) readForwardAuth(r *http.Request) *problem {
	values := r.Header[textproto.CanonicalMIMEHeaderKey(q.entry.ForwardAuth.Header)]
	switch {
	case len(values) > 1: // of two, the client could have sent one
		return problemf(outcome.Malformed, "there is more than one header %s", q.entry.ForwardAuth.Header)
	case len(values) == 0 || values[0] == "":
		return problemf(posture.CertificateMissing, "the header %s is missing or empty: the browser has shown no certificate, or the web server does not hand it on", q.entry.ForwardAuth.Header)
	case strings.HasPrefix(values[0], "{http."):
		return problemf(posture.CertificateMissing, "the header %s has a placeholder of Caddy: the browser has shown no certificate", q.entry.ForwardAuth.Header)
	case len(values[0]) > maxCertificate:
		return problemf(outcome.TooLarge, "the header %s has more than %d bytes", q.entry.ForwardAuth.Header, maxCertificate)
	}
	der, err := decodeCertificate(values[0])
	if err != nil {
		return problemf(posture.CertificateUntrusted, "the header %s: %w", q.entry.ForwardAuth.Header, err)
	}
	known, p := q.doors.trust.Check(der, q.event.Time)
	if known != nil {
		q.event.Identifier = known.Name() // for the log, also where it is refused
	}
	if p != nil {
		return &problem{p.Code, p.Err}
	}
	if q.id, p = known.Identify(q.entry.ForwardAuth.Identity); p != nil {
		return &problem{p.Code, p.Err}
	}
	q.event.Identifier = q.id.String()
	q.event.PublicKey = known.PublicKey
	q.shown, q.fingerprint, q.expires = known, known.Fingerprint, known.Names.NotAfter
	return nil
}

// concludeForwardAuth makes the answer of a decision.
func (q *question) concludeForwardAuth(decision posture.Decision) answer {
	event := q.event
	if !decision.Allowed() {
		return refuseWith(event, &problem{decision.Code(), errors.New(decision.Reason())}, decision.Message())
	}
	event.Allowed, event.Reason = true, decision.Reason()
	a := answer{status: http.StatusOK, body: []byte(`{"allow":true}`)}
	// All of them on every allow, also where they are empty: for one that is missing, Caddy hands on the browser's own.
	a.headers = append(a.headers, header{deviceHeader, headerText(q.id.String())})
	for _, h := range q.entry.ForwardAuth.Headers {
		text, err := h.Text(event.Evidence)
		if err != nil {
			text = "" // unknown
		}
		a.headers = append(a.headers, header{h.Name, headerText(text)})
	}
	return a
}

// headerText is a text that a header can carry. One that is too long is unknown: a part of a list of groups could be another
// group.
func headerText(text string) string {
	if text = strings.TrimSpace(plainText(text)); len(text) > maxHeaderText {
		return ""
	}
	return text
}
