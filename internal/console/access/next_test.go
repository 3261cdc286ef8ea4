package access_test

import (
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/console/access"
)

// After the log-in only pages of the console are gone to.
func TestCleanNext(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/": "/", "/decisions?denied=1&since=24h": "/decisions?denied=1&since=24h", "/search?q=a%2Fb": "/search?q=a%2Fb",
		"/devices/C02%20X": "/devices/C02%20X", "/rules/a%2Fb/c": "/rules/a%2Fb/c",
		"": "/", "decisions": "/", "https://evil.example": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/",
		"/\t/evil.example": "/", "/\n/evil.example": "/", " /x": "/", "/x y": "/", "/%2f/evil.example": "/", "/%2Fevil.example": "/", "/%5cevil.example": "/",
		"/%09/evil.example": "/", "/%00": "/", "/..//evil.example": "/", "/x/../../y": "/", "/%2e%2e/x": "/", "javascript:alert(1)": "/", "/x#y": "/x%23y",
		"/login": "/", "/login?next=/x": "/", "/logout": "/", "/oidc/start": "/", "/oidc/callback?code=1": "/", "/style.css": "/",
		"/" + strings.Repeat("x", 1024): "/", "/%zz": "/", "*": "/", "@evil.example": "/", "/\u2028": "/%E2%80%A8",
	} {
		if got := access.CleanNext(text); got != want && (text != "/x#y" && text != "/\u2028" || got != "/") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzNext wants a path of this host, whatever comes.
func FuzzNext(f *testing.F) {
	for _, text := range []string{"/", "//x", `/\x`, "/%2f%2fx", "/x?y#z", "/..//x", "\x00", "https:/x", "/;//x", "/?//x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		next := access.CleanNext(text)
		base := &url.URL{Scheme: "https", Host: "console.example"}
		to, err := base.Parse(next)
		if err != nil || to.Host != base.Host || to.Scheme != "https" || to.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
			strings.ContainsAny(next, "\\\t\r\n ") {
			t.Errorf("%q: %q (%v)", text, next, to)
		}
		if again := access.CleanNext(next); again != next {
			t.Errorf("%q: %q, and then %q", text, next, again)
		}
	})
}

// FuzzHost wants the three names, and nothing else.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost", "localhost:1", "[::1]:1", "127.0.0.1", "::1", "[::1]", "localhost.", "[localhost]:1", "127.0.0.1:", "a:b:c"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name := strings.TrimRight(host, "0123456789")
		name = strings.ToLower(strings.TrimSuffix(name, ":"))
		is := name == "localhost" || name == "[::1]" || host == "127.0.0.1" || strings.HasPrefix(host, "127.0.0.1:")
		if access.IsLocalHost(host) && !is {
			t.Errorf("%q is taken for a name of this machine", host)
		}
	})
}

// FuzzCookie wants that nothing is taken for a cookie that was not signed.
func FuzzCookie(f *testing.F) {
	for _, value := range []string{"", "a", strings.Repeat("A", 86), strings.Repeat("A", 200), "a=b; c", "\x00"} {
		f.Add(value)
	}
	guard := access.NewGuard(access.Settings{TLS: true})
	f.Fuzz(func(t *testing.T, value string) {
		if guard.Opened(value) {
			t.Errorf("%q is taken for a cookie of ours", value)
		}
	})
}

// Addresses of one IPv6 network are one client, and those of IPv4 each another.
func TestClientOf(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:1": "192.0.2.1", "[fe80::1%eth0]:1": "fe80::/64", "?": "?",
	} {
		if got := access.ClientOf(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
