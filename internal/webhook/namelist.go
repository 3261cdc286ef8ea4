package webhook

import (
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/certname"
)

// nameList is a list of names to which the JSON of step-ca can be added.
type nameList struct{ certname.List }

// addMember adds the names of a JSON list; null is an empty one.
func (l *nameList) addMember(list jsontext.Value, read func(text string) (name string, ok bool), kind certname.Kind) {
	var texts []string
	if len(list) == 0 {
		return
	}
	if json.Unmarshal(list, &texts) != nil {
		l.Unread()
	}
	for _, text := range texts {
		name, ok := read(text)
		l.Add(kind, name, ok)
	}
}

// addSANs adds the two JSON forms of subject alternative names. Of the kinds that have no text of their own, such as
// directory names, step-ca makes DER, and only that is read: without it they are unknown.
func (l *nameList) addSANs(sans []san, extensions []extension) {
	hasExtension := false
	p := eachSANExtension(extensions, func(der []byte) *Problem {
		hasExtension = true
		l.AddExtension(der)
		return nil
	})
	for _, s := range sans {
		name, inDER, ok := s.name()
		switch {
		case !inDER:
			l.Add(s.kind(), name, ok)
		case !hasExtension:
			l.Unread()
		}
	}
	if p != nil {
		l.Unread()
	}
}

// name is the text of a SAN that a template wrote, as step-ca reads it; inDER says that only the extension has it.
func (s san) name() (name string, inDER, ok bool) {
	if is, p := s.isPermanentIdentifier(); p != nil {
		return "", false, false
	} else if is {
		name, p = s.permanentIdentifier()
		return name, false, p == nil
	}
	switch s.Type {
	case "", "auto":
		// step-ca finds out which kind it is.
		if name, ok = certname.IPAddress(s.Value); !ok {
			name, ok = s.Value, true
			if parsed, err := url.Parse(s.Value); err == nil && parsed.Scheme != "" {
				name = parsed.String()
			}
		}
	case "dns", "email", "userPrincipalName":
		name, ok = s.Value, true
	case "ip":
		name, ok = certname.IPAddress(s.Value)
	case "uri":
		if parsed, err := url.Parse(s.Value); err == nil {
			name, ok = parsed.String(), true
		}
	case "registeredID":
		name, ok = s.Value, certname.IsCanonicalOID(s.Value)
	default:
		return "", true, false
	}
	return name, false, ok
}

// kind is the kind that step-ca makes of the SAN.
func (s san) kind() certname.Kind {
	switch s.Type {
	case "dns":
		return certname.DNS
	case "email":
		return certname.Email
	case "ip":
		return certname.IP
	case "uri":
		return certname.URI
	case "", "auto":
		parsed, err := url.Parse(s.Value)
		switch _, isIP := certname.IPAddress(s.Value); {
		case isIP:
			return certname.IP
		case err == nil && parsed.Scheme != "":
			return certname.URI
		case strings.Contains(s.Value, "@"):
			return certname.Email
		}
		return certname.DNS
	}
	return certname.OtherKind
}

func plainName(text string) (name string, ok bool) { return text, true }
