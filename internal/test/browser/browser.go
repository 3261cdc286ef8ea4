package browser

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Browser is a running Chromium.
type Browser struct {
	ctx context.Context // chromedp keeps the browser in it

	mu   sync.Mutex
	left []string // what the browser wanted of other hosts
}

// Start starts a browser until the end of the test, with an empty profile of its own. It accepts servers' certificates that
// have a key of one of these; a CA counts where the server sends it too. It reaches the loopback interface only, whatever a page
// asks for: everything else goes to a proxy, which refuses it and fails the test.
func Start(t testing.TB, trusted ...*x509.Certificate) *Browser {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{}
	proxy := httptest.NewServer(http.HandlerFunc(b.refuse))
	t.Cleanup(proxy.Close)
	t.Cleanup(func() {
		if left := b.Left(); len(left) > 0 {
			t.Errorf("the browser wanted to leave this machine: %q", left)
		}
	})
	profile := newProfile(t)
	var wrong error
	for _, sandbox := range []bool{true, false} {
		var stop func()
		if stop, wrong = b.start(t, path, flags(profile, proxy.URL, sandbox, trusted)); wrong == nil {
			t.Cleanup(stop)
			return b
		}
		// Without user namespaces, as in some containers, there is no sandbox. Our own pages need none.
		if !strings.Contains(wrong.Error(), "sandbox") {
			break
		}
	}
	t.Fatalf("start the browser: %v", wrong)
	return nil
}

// program finds the browser. The script of Debian adds flags, so its program comes first. On macOS applications are not in PATH.
func program() (string, error) {
	const macOS = "/Applications/"
	for _, name := range []string{"/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome", macOS + "Chromium.app/Contents/MacOS/Chromium", macOS + "Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("neither Chromium nor Google Chrome is installed; on Debian run: make test-chromium, or: apt-get install chromium fonts-dejavu-core")
}

// newProfile makes the folder of the profile. It is no folder of the test: the browser's user may not pass through that.
func newProfile(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "step-posture-browser-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A process that is being killed may still write.
		for range 20 {
			if err = os.RemoveAll(folder); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("remove the profile: %v", err)
	})
	if err := own(folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

// flags are those of the browser: an empty profile, no network, no services of its vendor.
func flags(profile, proxy string, sandbox bool, trusted []*x509.Certificate) []chromedp.ExecAllocatorOption {
	var keys []string
	for _, certificate := range trusted {
		sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
		keys = append(keys, base64.StdEncoding.EncodeToString(sum[:]))
	}
	return append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.UserDataDir(filepath.Join(profile, "profile")),
		chromedp.NoInheritEnv,
		chromedp.Env("HOME="+profile, "TMPDIR="+profile, "LANG=C.UTF-8", "TZ=UTC"),
		chromedp.Flag("no-sandbox", !sandbox),
		chromedp.ProxyServer(proxy),
		// Without it, names are looked up for hints in pages, in spite of the proxy.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]"),
		chromedp.Flag("force-webrtc-ip-handling-policy", "disable_non_proxied_udp"),
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(keys, ",")),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("no-pings", true),
		// With the cache of pages, a page to which a person goes back is not loaded, and nothing says that it is complete.
		chromedp.Flag("disable-features", "BackForwardCache,Translate,MediaRouter,OptimizationHints,AutofillServerCommunication,NetworkTimeServiceQuerying"),
		chromedp.Flag("gaia-url", "http://localhost:1"), // it asks for accounts at each start
		chromedp.Flag("lang", "en-US"),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) { cmd.SysProcAttr = attributes() }),
	)
}

// start starts the browser, and returns what ends it.
func (b *Browser) start(t testing.TB, path string, options []chromedp.ExecAllocatorOption) (func(), error) {
	t.Helper()
	// The context of a test ends before what it has for its end.
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), append(options, chromedp.ExecPath(path))...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf), chromedp.WithLogf(func(string, ...any) {}))
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		end()
		return nil, err
	}
	b.ctx = ctx
	return func() {
		kill := time.AfterFunc(stopLimit, end)
		defer kill.Stop()
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("stop the browser: %v", err)
		}
		end()
	}, nil
}

// refuse is the proxy: it writes down what it was asked for. The browser's own services are refused too, but fail no test: not
// all of them can be switched off, and what a page asks of these hosts is recorded by the page.
func (b *Browser) refuse(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusBadGateway)
	for _, own := range []string{".google.com", ".googleapis.com", ".gstatic.com", ".gvt1.com"} {
		if strings.HasSuffix(r.URL.Hostname(), own) {
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = append(b.left, fmt.Sprintf("%s %s", r.Method, r.URL.Redacted()))
}

// Left returns what the browser has wanted of other hosts since the last call. What nobody asks for fails the test.
func (b *Browser) Left() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.left
	b.left = nil
	return left
}
