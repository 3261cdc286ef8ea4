package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log"
	"net/http"
	"sync/atomic"

	"step-posture-connector/internal/authority"
)

// admission decides which client certificates are accepted. A reload makes another one, unless it is equal.
type admission struct {
	clientCAs *authority.Authorities // nil: no client certificate is required
	revoked   *authority.Revocations // nil: none is revoked
}

// equal reports whether both accept the same clients. Lists that were loaded again are never equal; to look a client up in
// them costs less than to compare them.
func (a *admission) equal(b *admission) bool {
	return a.clientCAs.Equal(b.clientCAs) && a.revoked == b.revoked
}

const clientRefused = "the client certificate is refused: "

// wantNotRevoked returns an error when a certificate of the client's chains is on a list.
func (a *admission) wantNotRevoked(chains [][]*x509.Certificate) error {
	found := a.revoked.Find(chains)
	if found == nil {
		return nil
	}
	text := "it is revoked: "
	leaf := chains[0][0]
	if found.Certificate != leaf {
		text = "a CA certificate of its chain, " + authority.NameOf(found.Certificate) + ", is revoked: "
	}
	return &clientError{revokedCertificate, leaf, clientRefused + text + found.String()}
}

// wantAdmitted returns an error when a client that was admitted by before would not be now. Its chains are those that its
// handshake has verified, and with other CAs those that end in them.
func (a *admission) wantAdmitted(state *tls.ConnectionState, before *admission) error {
	if a.clientCAs == nil {
		return nil
	}
	if state == nil || len(state.PeerCertificates) == 0 {
		return errors.New("no client certificate")
	}
	chains := state.VerifiedChains
	if before == nil || !a.clientCAs.Equal(before.clientCAs) {
		intermediates := x509.NewCertPool()
		for _, certificate := range state.PeerCertificates[1:] {
			intermediates.AddCert(certificate)
		}
		found, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
			Roots: a.clientCAs.Pool(), Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err != nil {
			return err
		}
		chains = append(found, chains...)
	}
	return a.wantNotRevoked(chains)
}

// admits returns an error when a connection whose handshake was made with older files would not be accepted now: neither a
// CA that was removed nor a client that was revoked must keep its open connections.
func (t *TLS) admits(c *connection, state *tls.ConnectionState) error {
	rules, before := t.current.Load().rules, c.admittedBy.Load()
	if rules == before {
		return nil
	}
	if err := rules.wantAdmitted(state, before); err != nil {
		return err
	}
	c.admittedBy.Store(rules)
	return nil
}

// doorman turns away requests on connections of clients that are no longer admitted.
type doorman struct {
	identity *TLS // nil: everybody is admitted
	errorLog *log.Logger
	notices  *notices
	revoked  atomic.Uint64 // requests of revoked clients
}

// turnsAway refuses a request, and ends its connection, when the client is no longer admitted.
func (d *doorman) turnsAway(w http.ResponseWriter, r *http.Request, c *connection) bool {
	if d.identity == nil {
		return false
	}
	err := d.identity.admits(c, r.TLS)
	if err == nil {
		return false
	}
	if refused := (*clientError)(nil); errors.As(err, &refused) {
		d.revoked.Add(1)
		d.notices.sayRevoked(err, "a request on an open connection was refused (401), and the connection is closed: ", c.RemoteAddr())
		c.complete()
		// On HTTP/2 net/http makes a GOAWAY of it, and closes the connection when its other requests have ended; each of
		// their successors comes here too.
		w.Header().Set("Connection", "close")
		http.Error(w, "the client certificate is revoked", http.StatusUnauthorized)
		return true
	}
	d.errorLog.Printf("%s: the client certificate is no longer valid under %s; the connection was closed", r.RemoteAddr, d.notices.wording.clientCA)
	_ = c.Close()
	panic(http.ErrAbortHandler) // net/http aborts the request without a log line
}
