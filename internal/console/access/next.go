package access

import (
	"net/url"
	"strings"
)

// home is where a person goes who has asked for no other page.
const home = "/"

// cleanNext is the page to go to after the log-in: a path of the console, with its query. Everything else is home. Fail closed: a
// link to the log-in that ends at another host is how passwords are stolen, so what browsers and net/url might read differently is
// refused, not repaired.
func cleanNext(text string) string {
	if len(text) > maxNext || !strings.HasPrefix(text, "/") || strings.ContainsFunc(text, foreign) {
		return home
	}
	u, err := url.ParseRequestURI(text)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" {
		return home
	}
	// Of the decoded path, so that neither %2f nor %5c hides one.
	if strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/..") || strings.ContainsFunc(strings.ReplaceAll(u.Path, " ", ""), foreign) {
		return home
	}
	switch u.Path {
	case PathLogIn, PathLogOut, PathOIDC, PathCallback, PathStyle:
		return home
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).RequestURI()
}

// foreign reports whether a character is none of a path: browsers take a backslash for a slash, and ignore tabs and line ends.
func foreign(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r == '\ufffd' }
