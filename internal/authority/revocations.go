package authority

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Revocations are lists of revoked certificates (CRLs). They never change. Of nil, none is revoked.
type Revocations struct {
	setting  string // what names their file in the configuration, for messages
	lists    []*revocationList
	byIssuer map[string][]*revocationList // by the raw name of the issuer
}

// revocationList is one CRL whose signature was verified.
type revocationList struct {
	scope   scope
	issuer  string // for messages
	part    string // which certificates it is limited to, for messages; empty for all
	number  *big.Int
	made    time.Time // thisUpdate
	next    time.Time // nextUpdate; zero when the list has none
	serials map[string]struct{}
	roots   []*x509.Certificate // of the CAs, those that its signer chains to
}

// scope distinguishes lists that do not replace each other. Two CAs may have one name, and one CA may have several lists,
// which differ in their distribution point.
type scope struct{ issuer, key, point string }

// Revocation is a certificate on a list.
type Revocation struct {
	Certificate *x509.Certificate // nil for FindSerial
	serial      *big.Int
	list        *revocationList
	setting     string
}

// Find returns a certificate of these chains that is on a list, or nil. Fail closed: a client that has several chains is
// revoked when one of them is. Entries count by name of the issuer and serial number, whichever key of that name signed the list.
func (r *Revocations) Find(chains [][]*x509.Certificate) *Revocation {
	for _, chain := range chains {
		for _, certificate := range chain {
			if found := r.FindSerial(certificate.RawIssuer, certificate.SerialNumber); found != nil {
				found.Certificate = certificate
				return found
			}
		}
	}
	return nil
}

// FindSerial is Find for a certificate of which only its serial number and the raw name of its issuer are known: a RADIUS
// server does not pass the certificate on.
func (r *Revocations) FindSerial(rawIssuer []byte, serial *big.Int) *Revocation {
	if r == nil {
		return nil
	}
	for _, list := range r.byIssuer[string(rawIssuer)] {
		if _, revoked := list.serials[serialKey(serial)]; revoked {
			return &Revocation{nil, serial, list, r.setting}
		}
	}
	return nil
}

// Without returns the CAs that have no list, so that nobody can revoke what they have issued. A list of CAs only names no
// device and no server.
func (r *Revocations) Without(cas *Authorities) (found []*x509.Certificate) {
	for _, ca := range cas.All() {
		isOf := func(list *revocationList) bool {
			return list.scope.issuer == string(ca.RawSubject) && list.scope.key == string(ca.RawSubjectPublicKeyInfo) && list.part != casOnly
		}
		if r == nil || !slices.ContainsFunc(r.lists, isOf) {
			found = append(found, ca)
		}
	}
	return found
}

// serialKey is a serial number of any size; one below zero equals none above.
func serialKey(serial *big.Int) string {
	if serial.Sign() < 0 {
		return "-" + string(serial.Bytes())
	}
	return "+" + string(serial.Bytes())
}

// add adds a list. Two with the same scope in one file are refused: which of them counts could not be seen.
func (r *Revocations) add(list *revocationList) error {
	if r.of(list.scope) != nil {
		return fmt.Errorf("it is the second one of %s; the file must have the newest only", list.issuer)
	}
	r.lists = append(r.lists, list)
	if r.byIssuer == nil {
		r.byIssuer = map[string][]*revocationList{}
	}
	r.byIssuer[list.scope.issuer] = append(r.byIssuer[list.scope.issuer], list)
	return nil
}

// of returns the list of a scope, or nil.
func (r *Revocations) of(s scope) *revocationList {
	if r == nil {
		return nil
	}
	for _, list := range r.lists {
		if list.scope == s {
			return list
		}
	}
	return nil
}

// follows says why r must not replace the lists in effect: an old file, put in their place, would accept certificates
// again that were revoked since. After a restart no list is in effect.
func (r *Revocations) follows(previous *Revocations, cas *Authorities) error {
	if previous == nil {
		return nil
	}
	for _, old := range previous.lists {
		list := r.of(old.scope)
		if list == nil && slices.ContainsFunc(old.roots, cas.has) {
			return fmt.Errorf("it lacks the list of %s, which is in effect; add it, or restart the connector to do without it", old.issuer)
		}
		if list == nil {
			continue // its CA was removed
		}
		if err := list.follows(old); err != nil {
			return err
		}
	}
	return nil
}

func (l *revocationList) follows(old *revocationList) error {
	const restart = "; only a restart of the connector puts an older list into effect"
	switch {
	case old.number != nil && l.number == nil:
		return fmt.Errorf("the list of %s has no CRL number, and the one in effect has %s"+restart, l.issuer, digits(old.number))
	case old.number != nil && l.number.Cmp(old.number) < 0:
		return fmt.Errorf("the list of %s has the CRL number %s, which is lower than %s of the one in effect"+restart, l.issuer, digits(l.number), digits(old.number))
	case old.number == nil && l.number == nil && l.made.Before(old.made):
		return fmt.Errorf("the list of %s is of %s, which is before %s of the one in effect"+restart, l.issuer, utc(l.made), utc(old.made))
	}
	return nil
}

// has reports whether a certificate is one of the CAs.
func (a *Authorities) has(certificate *x509.Certificate) bool {
	return slices.ContainsFunc(a.All(), certificate.Equal)
}

// Entries is how many certificates the lists name.
func (r *Revocations) Entries() int {
	count := 0
	if r != nil {
		for _, list := range r.lists {
			count += len(list.serials)
		}
	}
	return count
}

// NextUpdate is when the first of the lists has to be replaced; zero when none says so.
func (r *Revocations) NextUpdate() time.Time {
	var first time.Time
	if r != nil {
		for _, list := range r.lists {
			if !list.next.IsZero() && (first.IsZero() || list.next.Before(first)) {
				first = list.next
			}
		}
	}
	return first
}

// Overdue says which lists should have been replaced. They go on counting: a list that is not replaced must not bring
// back the certificates on it.
func (r *Revocations) Overdue(now time.Time) string {
	var late []*revocationList
	if r != nil {
		for _, list := range r.lists {
			if !list.next.IsZero() && now.After(list.next) {
				late = append(late, list)
			}
		}
	}
	return listed(late, func(list *revocationList) string {
		return fmt.Sprintf("the list of %s should have been replaced by %s", list.issuer, utc(list.next))
	})
}

// String describes the lists; of nil it is empty.
func (r *Revocations) String() string {
	if r == nil {
		return ""
	}
	return listed(r.lists, (*revocationList).String)
}

// Warnings says what is probably not meant.
func (r *Revocations) Warnings(now time.Time) (found []string) {
	if r == nil {
		return nil
	}
	if late := r.Overdue(now); late != "" {
		found = append(found, r.setting+": "+late+"; it goes on counting, but lacks what was revoked since: fetch the present one")
	}
	for _, list := range r.lists {
		if list.next.IsZero() {
			found = append(found, fmt.Sprintf("%s: the list of %s does not say when it is replaced (nextUpdate), so an old one is not noticed", r.setting, list.issuer))
		}
	}
	return found
}

func (l *revocationList) String() string {
	text := l.issuer
	if l.number != nil {
		text += fmt.Sprintf(", CRL number %s", digits(l.number))
	}
	text += ", of " + utc(l.made)
	if !l.next.IsZero() {
		text += ", to be replaced by " + utc(l.next)
	}
	if l.part != "" {
		text += ", " + l.part + " only"
	}
	entries := fmt.Sprintf(", %d entries", len(l.serials))
	if len(l.serials) == 1 {
		entries = ", 1 entry"
	}
	return text + entries
}

func (r *Revocation) String() string {
	of := ""
	if r.list.number != nil {
		of = fmt.Sprintf(", CRL number %s", digits(r.list.number))
	}
	return fmt.Sprintf("its serial number %s is on the list of %s in %s%s", digits(r.serial), r.list.issuer, r.setting, of)
}

// listed describes at most maxListed of them.
func listed[T any](all []T, describe func(T) string) string {
	var texts []string
	for i, one := range all {
		if i == maxListed {
			texts = append(texts, fmt.Sprintf("and %d more", len(all)-maxListed))
			break
		}
		texts = append(texts, describe(one))
	}
	return strings.Join(texts, "; ")
}

func utc(at time.Time) string { return at.UTC().Format(time.RFC3339) }
