package browser_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"step-posture-connector/internal/test/testca"

	"step-posture-connector/internal/test/browser"
)

// good is a page without faults; tests plant them into it.
const good = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Decisions</title>
<link rel="icon" href="data:,">
<style>
body { color: #222; background: #fff; margin: 1rem }
a { color: #0645ad }
:focus-visible { outline: 2px solid #0645ad }
.box { overflow-x: auto }
@media (prefers-color-scheme: dark) {
	body { color: #ddd; background: #111 }
	a { color: #8ab4f8 }
	:focus-visible { outline-color: #8ab4f8 }
	svg text { fill: #ddd }
}
</style>
</head>
<body>
<header><nav aria-label="Pages"><a href="/">Overview</a> <a href="/other">Other page</a></nav></header>
<main>
<h1>Decisions</h1>
<form action="/search" method="get">
<label>Reference or serial number <input name="q" type="search"></label>
<label><input type="checkbox" name="denied"> Denied only</label>
<label>Order <select name="order"><option>newest</option><option>oldest</option></select></label>
<button>Search</button>
</form>
<h2>Devices</h2>
<div class="box"><table><caption>Devices</caption><thead><tr><th scope="col">Serial number</th></tr></thead><tbody><tr><td>C02XK1JKLVCG</td></tr></tbody></table></div>
<svg role="img" aria-label="Decisions of today" width="100" height="20"><rect width="40" height="20" fill="none"></rect><text x="0" y="15">42</text></svg>
<noscript><p>Works without JavaScript.</p></noscript>
</main>
</body>
</html>
`

// site serves pages over TLS, with the policy of a page that has only styles of its own.
type site struct {
	server *httptest.Server
	pages  map[string]string
	policy string
}

const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'"

func newSite(t *testing.T, pages map[string]string) *site {
	t.Helper()
	ca := testca.New(t, "root")
	leaf, key := ca.Issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "site"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	s := &site{pages: pages, policy: policy}
	s.server = httptest.NewUnstartedServer(s)
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // the browser gives up connections
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", s.policy)
	text, ok := s.pages[r.URL.Path]
	switch {
	case strings.HasPrefix(r.URL.Path, "/script"):
		w.Header().Del("Content-Security-Policy")
	case r.URL.Path == "/search":
		text, ok = strings.Replace(good, "<h2>", "<p>Searched: "+html.EscapeString(r.URL.RawQuery)+"</p><h2>", 1), true
	case r.URL.Path == "/moved":
		http.Redirect(w, r, "/other", http.StatusSeeOther)
		return
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		text = strings.Replace(good, "<h1>Decisions", "<h1>Not found", 1)
	}
	_, _ = io.WriteString(w, text)
}

func (s *site) url(path string) string { return s.server.URL + path }

// with is the good page with a change, which must be one.
func with(t *testing.T, old, changed string) string {
	t.Helper()
	if !strings.Contains(good, old) {
		t.Fatalf("the good page has no %q", old)
	}
	return strings.Replace(good, old, changed, 1)
}

// spy is a test that may fail.
type spy struct {
	testing.TB
	failures []string
	atEnd    []func()
}

func (s *spy) Errorf(format string, arguments ...any) {
	s.failures = append(s.failures, fmt.Sprintf(format, arguments...))
}

func (s *spy) Fatalf(format string, arguments ...any) {
	s.Errorf(format, arguments...)
	runtime.Goexit()
}

func (s *spy) Fatal(arguments ...any)  { s.Fatalf("%s", fmt.Sprint(arguments...)) }
func (s *spy) Cleanup(function func()) { s.atEnd = append(s.atEnd, function) }
func (s *spy) Helper()                 {}

// failuresOf runs a test to its end, and returns how it has failed.
func failuresOf(t *testing.T, test func(testing.TB)) string {
	t.Helper()
	s := &spy{TB: t}
	run := func(function func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			function()
		}()
		<-done
	}
	run(func() { test(s) })
	for i := len(s.atEnd) - 1; i >= 0; i-- {
		run(s.atEnd[i])
	}
	return strings.Join(s.failures, "\n")
}

// wantFailure fails where the test has not failed with this text.
func wantFailure(t *testing.T, want string, test func(testing.TB)) {
	t.Helper()
	if got := failuresOf(t, test); !strings.Contains(got, want) {
		t.Errorf("the test fails with %q, want %q", got, want)
	}
}

// open opens a page in a window of its own.
func open(t testing.TB, b *browser.Browser, s *site, path string) *browser.Page {
	t.Helper()
	p := b.NewPage(t)
	if status := p.Open(t, s.url(path)); status != http.StatusOK {
		t.Fatalf("%s: status %d", path, status)
	}
	return p
}
