package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/radius"
	"step-posture-connector/internal/test/e2e/webproxy"
)

const (
	// benchTurns is how often each way is measured, in turns: the machine is as busy for the one as for the other.
	benchTurns = 3
	// supplicants log in at the same time, each again and again. eapol_test pauses for 100 ms between two logins, so that fewer
	// would not keep the server busy.
	supplicants = 32
	// A page has pageAssets more things, which a browser fetches over so many connections.
	pageAssets, browserConnections = 40, 6
	// vendorDelay is how long the simulated vendor thinks.
	vendorDelay = 20 * time.Millisecond
)

// doorWay is one way that a benchmark measures. The first one of each has no policy.
type doorWay struct {
	name   string
	policy string // empty: the connector is not asked
	run    func(*testing.B)
}

// BenchmarkDoorLogins counts whole logins by EAP-TLS, each with a full handshake, with FreeRADIUS alone and with the connector.
// The devices run on the same machine.
func BenchmarkDoorLogins(b *testing.B) {
	s := openBench(b)
	alone := s.startRADIUS(b, func(config *radius.Config) {
		config.Quiet, config.Edit = true, func(text string) string { return acceptAlone(b, text) }
	})
	asking := s.startRADIUS(b, func(config *radius.Config) { config.Quiet = true })
	s.compare(b, []doorWay{
		{"FreeRADIUS alone", "", func(b *testing.B) { b.Helper(); s.logIn(b, alone, false) }},
		{"with the connector", s.policy("cache: 0s", "file"), func(b *testing.B) { b.Helper(); s.logIn(b, asking, true) }},
	})
}

// BenchmarkDoorPage fetches a page with its assets through nginx: alone, and with a question for each request. The inventory is a
// file in memory, or a vendor's server that takes its time.
func BenchmarkDoorPage(b *testing.B) {
	s := openBench(b)
	vendor := httptest.NewServer(http.HandlerFunc(answerAsVendor))
	b.Cleanup(vendor.Close)
	section := "inventories:\n  slow:\n    provider: http\n    base_url: " + vendor.URL + `
    insecure_http: true
    search: exact
    request: {path: "/{{serial}}"}
    outcome: {found: [200]}
    select: {items: "[body]", more: "false"}
    map: {device.managed: "true", device.serial_number: item.serial, device.os_version: item.version, device.compliant: item.compliant, device.groups: item.groups}
`
	kind := webServers()["nginx"]
	asking := s.startWeb(b, kind)
	kind.start = func(ctx context.Context, config webproxy.Config) (*webproxy.Proxy, error) {
		config.Edit = func(text string) string { return pageAlone(b, text) }
		return webproxy.StartNginx(ctx, config)
	}
	alone := s.startWeb(b, kind)
	asks := func(b *testing.B) { b.Helper(); s.fetch(b, asking, true) }
	s.compare(b, []doorWay{
		{"nginx alone", "", func(b *testing.B) { b.Helper(); s.fetch(b, alone, false) }},
		{"without cache", s.policy("cache: 0s", "file"), asks},
		{"with cache", s.policy("cache: 30s", "file"), asks},
		{"slow inventory without cache", section + s.policy("cache: 0s", "slow"), asks},
		{"slow inventory with cache", section + s.policy("cache: 30s", "slow"), asks},
	})
}

// openBench is a site whose connector counts what it decides.
func openBench(b *testing.B) *siteLab {
	b.Helper()
	return openSiteLab(b, func(config *gate.Config) { config.Health, config.LoggingLevel = true, 0 })
}

// policy is the site's policy with another cache at both doors, and another inventory.
func (s *siteLab) policy(cache, inventory string) string {
	return strings.NewReplacer("cache: 10m", cache, "[file]", "["+inventory+"]", "devices.crl", s.lists).Replace(sitePolicy)
}

// compare measures every way, one after the other, and reports each as a multiple of the first one of the same turn.
func (s *siteLab) compare(b *testing.B, ways []doorWay) {
	b.Helper()
	turns := benchTurns
	if testing.Short() {
		turns = 1
	}
	for turn := range turns {
		var floor time.Duration
		for _, way := range ways {
			if way.policy != "" {
				s.reload(b, fmt.Sprintf("# %s, turn %d\n%s", way.name, turn, way.policy))
			}
			b.Run(way.name, func(b *testing.B) {
				way.run(b)
				each := b.Elapsed() / time.Duration(b.N)
				if way.policy == "" {
					floor = each
				} else if floor > 0 {
					b.ReportMetric(float64(each)/float64(floor), "×floor")
				}
			})
		}
	}
}

// reload puts another policy file into effect.
func (s *siteLab) reload(b *testing.B, policy string) {
	b.Helper()
	g := s.site.Gate()
	before := strings.Count(g.Connector().Log(), "reloaded: ")
	if err := g.SetPolicies(policy); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), 15*time.Second)
	defer cancel()
	if err := g.Connector().AwaitCount(ctx, "reloaded: ", before+1); err != nil {
		b.Fatal(err)
	}
}

// logIn logs the device in b.N times.
func (s *siteLab) logIn(b *testing.B, server *radius.Server, asks bool) {
	b.Helper()
	before := s.counted(b, "decisions")
	b.ResetTimer()
	var group sync.WaitGroup
	for i := range min(supplicants, b.N) {
		// The first ones log in once more, where b.N cannot be divided.
		logins := (b.N + supplicants - 1 - i) / supplicants
		group.Go(func() {
			result, err := server.Login(b.Context(), radius.Login{Device: s.device, TLS13: true, MAC: fmt.Sprintf("02:00:00:00:00:%02x", i), Again: logins - 1})
			if accepted := strings.Count(result.Output, "(Access-Accept)"); err != nil || !result.Accepted || accepted != logins {
				b.Errorf("%d of %d logins were accepted, %v", accepted, logins, err)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
	questions := s.counted(b, "decisions") - before
	b.ReportMetric(questions/float64(b.N), "questions/login")
	if asks != (questions == float64(b.N)) || !asks && questions != 0 {
		b.Errorf("the connector answered %v questions of %d logins", questions, b.N)
	}
}

// fetch fetches the page b.N times.
func (s *siteLab) fetch(b *testing.B, w *webLab, asks bool) {
	b.Helper()
	client, err := w.proxy.Client(&s.device)
	if err != nil {
		b.Fatal(err)
	}
	defer client.CloseIdleConnections()
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		b.Fatalf("the client has a %T", client.Transport)
	}
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = browserConnections, browserConnections
	answered, repeated := s.counted(b, "decisions"), s.counted(b, "repeated_answers")
	pages := 0
	for b.Loop() {
		pages++
		w.get(b, client, "/")
		var group sync.WaitGroup
		for asset := range pageAssets {
			group.Go(func() { w.get(b, client, fmt.Sprintf("/assets/%d.js", asset)) })
		}
		group.Wait()
		if reached := len(w.application.Requests()); reached != 1+pageAssets {
			b.Fatalf("%d requests reached the application, want %d", reached, 1+pageAssets)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(pages), "ms/page")
	answered, repeated = s.counted(b, "decisions")-answered, s.counted(b, "repeated_answers")-repeated
	b.ReportMetric(answered/float64(pages), "questions/page")
	b.ReportMetric((answered-repeated)/float64(pages), "decided/page")
	if want := float64(pages * (1 + pageAssets)); asks && answered != want || !asks && answered != 0 {
		b.Errorf("the connector answered %v questions of %d pages", answered, pages)
	}
}

// get fetches one thing of the site.
func (l *webLab) get(b *testing.B, client *http.Client, path string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, l.proxy.URL(path), http.NoBody)
	if err != nil {
		b.Error(err)
		return
	}
	response, err := client.Do(request)
	if err != nil {
		b.Error(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK || string(text) != webproxy.Page {
		b.Errorf("GET %s: status %d %q, %v", path, response.StatusCode, text, err)
	}
}

// counted is the sum of a counter of the connector over all its labels.
func (s *siteLab) counted(b *testing.B, name string) float64 {
	b.Helper()
	_, text, err := s.site.Gate().Connector().Health(b.Context(), "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	var sum float64
	for _, match := range regexp.MustCompile(`(?m)^step_posture_`+name+`_total\{.*\} (\S+)$`).FindAllStringSubmatch(text, -1) {
		value, err := strconv.ParseFloat(match[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += value
	}
	return sum
}

// acceptAlone makes FreeRADIUS give every device the same attributes, in place of asking.
func acceptAlone(b *testing.B, config string) string {
	b.Helper()
	question := regexp.MustCompile(`(?s)\n\t\trest \{\n.*?\n\t\t\}\n`)
	if found := len(question.FindAllString(config, -1)); found != 1 {
		b.Fatalf("radiusd.conf asks %d times, want once", found)
	}
	return question.ReplaceAllLiteralString(config, `
		update {
			&control:Auth-Type := Accept
			&reply:Tunnel-Type := VLAN
			&reply:Tunnel-Medium-Type := IEEE-802
			&reply:Tunnel-Private-Group-Id := "42"
			&reply:Session-Timeout := 1800
			&reply:Termination-Action := RADIUS-Request
		}
`)
}

// pageAlone makes nginx ask nobody.
func pageAlone(b *testing.B, config string) string {
	b.Helper()
	const question, upstream = "auth_request /_posture;", "http://$posture_upstream;"
	if strings.Count(config, question) != 1 || strings.Count(config, upstream) != 1 {
		b.Fatal("posture.conf has another form")
	}
	return strings.NewReplacer(question, "auth_request off;", upstream, "http://posture-application;").Replace(config)
}

// answerAsVendor knows every device.
func answerAsVendor(response http.ResponseWriter, request *http.Request) {
	select {
	case <-time.After(vendorDelay):
	case <-request.Context().Done():
		return
	}
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(map[string]any{
		"serial": path.Base(request.URL.Path), "version": "15.4.1", "compliant": true, "groups": []string{"Finance"},
	})
}
