package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// nameProblems finds the entries of MTLS_ALLOWED_NAMES that no certificate can contain. Such an entry matches nothing,
// and every order fails. A common name may have any form, so an entry is refused only if it clearly is something else,
// such as a URL.
func nameProblems(names []string) Problems {
	var problems Problems
	for i, name := range names {
		if wrong, accepted := nameFault(name); wrong != "" {
			problems = append(problems, Problem{"MTLS_ALLOWED_NAMES", fmt.Sprintf("entry %d %s", i+1, wrong), accepted})
		}
	}
	return problems
}

var (
	hostName  = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)
	withPort  = regexp.MustCompile(`^[A-Za-z0-9_.-]+:[0-9]{1,5}$`)
	withPath  = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+(:[0-9]+)?/`)
	withLabel = regexp.MustCompile(`(?i)^(CN|DNS|DNS Name|email|emailAddress|IP|IP Address|URI|O|OU|C|subject) ?[=:]`)
	separated = regexp.MustCompile(`[;\s]+`)
)

// nameFault says what is wrong with a name, and what is accepted in its place.
func nameFault(name string) (wrong, accepted string) {
	r, isHidden := hidden(name)
	switch {
	case isHidden:
		return fmt.Sprintf("has a character that is invisible or looks like a space (%U)", r), "the name without it"
	case strings.Contains(name, "*"):
		return "has a wildcard", "names without wildcards"
	case strings.ContainsAny(name[:1]+name[len(name)-1:], `"'`):
		return "has a quotation mark at an end", "names without quotation marks"
	case isAddress(name):
		return "is an IP address, which is not compared", "a DNS name, e-mail address or common name of step-ca's own certificate, such as Step Online CA"
	case strings.Contains(name, "://"), withPath.MatchString(name):
		return "is a URL", "its host name alone"
	case withPort.MatchString(name):
		return "has a port", "the host name alone"
	case withLabel.MatchString(name):
		return "begins with the kind of the name", "the name alone, without CN= or DNS: before it"
	case severalNames(name), strings.Contains(name, ";") && hostName.MatchString(strings.TrimSpace(name[:strings.Index(name, ";")])):
		return "has several names", "names separated by commas"
	case strings.HasSuffix(name, ".") && hostName.MatchString(strings.TrimSuffix(name, ".")):
		return "ends in a dot, which names in certificates do not", "the name without the dot"
	}
	return "", ""
}

// isAddress reports whether a name is an IP address; it may have brackets, a port or a prefix length.
func isAddress(name string) bool {
	_, errAddress := netip.ParseAddr(strings.Trim(name, "[]"))
	_, errPort := netip.ParseAddrPort(name)
	_, errPrefix := netip.ParsePrefix(name)
	return errAddress == nil || errPort == nil || errPrefix == nil
}

// severalNames reports whether all words of a name are DNS names or e-mail addresses of their own.
func severalNames(name string) bool {
	words := separated.Split(name, -1)
	for _, word := range words {
		_, host, isMail := strings.Cut(word, "@")
		if !hostName.MatchString(word) && !(isMail && hostName.MatchString(host)) {
			return false
		}
	}
	return len(words) > 1
}
