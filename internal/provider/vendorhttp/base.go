package vendorhttp

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// ParseBase reads a base URL. It keeps a path, and drops what people paste along: a slash at the end, and the
// given suffixes, such as /api.
func ParseBase(text string, suffixes ...string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case base.Scheme != "https":
		// Credentials travel over it.
		return nil, errors.New("does not begin with https://")
	case base.Hostname() == "" || base.Opaque != "":
		return nil, errors.New("has no host")
	case base.Port() == "" && strings.HasSuffix(base.Host, ":"), strings.HasPrefix(base.Path, "//"):
		return nil, errors.New("has https:// twice, or a colon without a port")
	case base.Port() != "" && !isPort(base.Port()):
		return nil, errors.New("has a port that is none")
	case base.User != nil:
		return nil, errors.New("holds a user name or password")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("has a query or a fragment")
	}
	path := strings.TrimRight(base.Path, "/")
	for _, suffix := range suffixes {
		path = strings.TrimSuffix(path, suffix)
	}
	return &url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimRight(path, "/")}, nil
}

func isPort(text string) bool {
	number, err := strconv.ParseUint(text, 10, 16)
	return err == nil && number > 0
}
