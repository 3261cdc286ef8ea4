package doors_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/test/testca"
)

// letsIn are the statuses that some RADIUS or web server takes for a yes: FreeRADIUS lets a device in where nothing is found.
func letsIn(status int) bool {
	return status < 400 || status == http.StatusNotFound || status == http.StatusGone
}

// methods are some that web servers hand on, and some that nobody has.
func methods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW"}
}

// No answer on this listener can be taken for a yes, whatever method and path a question has: only a device that passes gets 200.
func TestStatuses(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	body := l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial))).JSON(t)
	leaf := "X-Client-Cert: " + escaped(l.devices.Device(t, testca.Good(serial)).Raw)
	targets := []string{
		"/", "", "/door", "/door/", "//door/radius", "/door//radius", "/door/radius/", "/door%2fradius", "/door/%72adius", "/door/radius%00", "/Door/Radius", "/door/radius;a=b",
		"/door/./radius", "/door/x/../radius", "/doors/radius", "/door/httpx", "//door/http", "/door%2fhttp", "/door/http%2f", "/%64oor/http", "/door/pem", "/status", "/healthz", "/metrics",
		"/webhook/radius", "/webhook/device-attest", "/favicon.ico", "/door/radius?mode=any", "/door/http/../radius", "/door/http?allow=1", "/door/http/", "/door/http/a/b?c=d", "/door/http//", "/door/http/%2e%2e/radius",
	}
	for _, http2 := range []bool{false, true} {
		for _, name := range []string{radiusCaller, webCaller, "stranger.example.com"} {
			client := l.client(t, l.caller(t, name), http2)
			all := methods()
			if http2 || name != webCaller { // a refused caller needs a handshake for each question
				all = []string{"GET", "POST", "PROPFIND"}
			}
			for _, method := range all {
				for _, target := range append(targets, doors.RADIUSPath, doors.ForwardAuthPath) {
					r := l.request(t, method, target, bytes.NewReader(body), leaf)
					got := do(t, client, r)
					path, _, _ := strings.Cut(target, "?")
					isWeb := path == doors.ForwardAuthPath || strings.HasPrefix(path, doors.ForwardAuthPath+"/")
					mayPass := name == webCaller && isWeb || name == radiusCaller && path == doors.RADIUSPath && method == http.MethodPost
					if mayPass != (got.status == http.StatusOK) || !mayPass && letsIn(got.status) || !mayPass && got.status != http.StatusForbidden {
						t.Errorf("%s %s of %s (HTTP/2: %v) is answered %d %s", method, target, name, http2, got.status, got.body)
					}
					for _, header := range []string{"Location", "Set-Cookie", "Www-Authenticate"} {
						if got.header.Get(header) != "" {
							t.Errorf("%s %s is answered with the header %s", method, target, header)
						}
					}
					if method == http.MethodHead && got.body != "" {
						t.Errorf("HEAD %s is answered with a body", target)
					}
				}
			}
		}
	}
}

// raw sends bytes over TLS, and returns the status of the answer; zero where the connection ends without one.
func (l *lab) raw(t *testing.T, name, text string) int {
	t.Helper()
	connection, err := (&tls.Dialer{Config: l.config(l.caller(t, name))}).DialContext(t.Context(), "tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(connection, text) }() // the server may hang up before it has read all
	reader := bufio.NewReader(connection)
	for {
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			return 0
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusContinue {
			return answer.StatusCode
		}
	}
}

// What the HTTP server answers itself cannot be taken for a yes either.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	login := string(l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial))).JSON(t))
	length := fmt.Sprintf("Content-Length: %d\r\n", len(login))
	const host = "Host: door\r\n"
	chunked := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(text), text) }
	post := func(target, version, header, body string) string {
		return "POST " + target + " " + version + "\r\n" + header + "\r\n" + body
	}
	for _, test := range []struct {
		name, text string
		want       []int // zero: the connection ends
	}{
		{"good", post("/door/radius", "HTTP/1.1", host+length, login), []int{200}},
		{"chunked", post("/door/radius", "HTTP/1.1", host+"Transfer-Encoding: chunked\r\n", chunked(login)), []int{200}},
		{"HTTP/1.0", post("/door/radius", "HTTP/1.0", length, login), []int{200}},
		{"HTTP/1.0 without a length", post("/door/radius", "HTTP/1.0", "", ""), []int{400}},
		{"neither length nor encoding", post("/door/radius", "HTTP/1.1", host, ""), []int{400}},
		{"absolute form", post("https://door/door/radius", "HTTP/1.1", host+length, login), []int{200}},
		{"absolute form, another path", post("https://door/", "HTTP/1.1", host+length, login), []int{403}},
		{"absolute form, no path", post("https://door", "HTTP/1.1", host+length, login), []int{403}},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", []int{403}},
		{"GET *", "GET * HTTP/1.1\r\n" + host + "\r\n", []int{400, 403}},
		{"CONNECT", "CONNECT door:443 HTTP/1.1\r\n" + host + "\r\n", []int{403}},
		{"CONNECT with a path", "CONNECT /door/radius HTTP/1.1\r\n" + host + "\r\n", []int{400, 403}},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{0, 400, 403, 505}},
		{"HTTP/3.0", post("/door/radius", "HTTP/3.0", host+length, login), []int{400, 505}},
		{"HTTP/0.9", "GET /door/http\r\n\r\n", []int{400}},
		{"no HTTP", "\x00\x01\x02\r\n\r\n", []int{400}},
		{"malformed line", "POST  /door/radius HTTP/1.1\r\n" + host + "\r\n", []int{400, 403}},
		{"malformed escape", post("/door/%zz", "HTTP/1.1", host, ""), []int{400}},
		{"no host", post("/door/radius", "HTTP/1.1", length, login), []int{400}},
		{"two hosts", post("/door/radius", "HTTP/1.1", host+host+length, login), []int{400}},
		{"malformed header", post("/door/radius", "HTTP/1.1", host+length+"a b: c\r\n", login), []int{400}},
		{"two lengths", post("/door/radius", "HTTP/1.1", host+length+"Content-Length: 2\r\n", login), []int{400}},
		{"negative length", post("/door/radius", "HTTP/1.1", host+"Content-Length: -1\r\n", login), []int{400}},
		{"unknown encoding", post("/door/radius", "HTTP/1.1", host+"Transfer-Encoding: gzip\r\n", login), []int{501}},
		{"Expect: 100-continue", post("/door/radius", "HTTP/1.1", host+length+"Expect: 100-continue\r\n", login), []int{200}},
		{"Expect: else", post("/door/radius", "HTTP/1.1", host+length+"Expect: yes\r\n", login), []int{417}},
		{"Expect at an unknown path", post("/", "HTTP/1.1", host+length+"Expect: 100-continue\r\n", login), []int{403}},
		{"header of 50 KiB", post("/door/radius", "HTTP/1.1", host+length+"X-A: "+strings.Repeat("a", 50<<10)+"\r\n", login), []int{413}},
		{"header of 50 KiB of a browser", "GET /door/http HTTP/1.1\r\n" + host + "Cookie: " + strings.Repeat("a", 50<<10) + "\r\n\r\n", []int{403}},
		{"header of 50 KiB at an unknown path", "GET / HTTP/1.1\r\n" + host + "Cookie: " + strings.Repeat("a", 50<<10) + "\r\n\r\n", []int{403}},
		{"header of 1 MiB", post("/door/radius", "HTTP/1.1", host+length+"X-A: "+strings.Repeat("a", 1<<20)+"\r\n", login), []int{0, 431}},
		{"length of 1 GiB", post("/door/radius", "HTTP/1.1", host+"Content-Length: 1073741824\r\n", login), []int{413}},
		{"chunks without end", post("/door/radius", "HTTP/1.1", host+"Transfer-Encoding: chunked\r\n", strings.Repeat("400\r\n"+strings.Repeat(" ", 1024)+"\r\n", 100)), []int{0, 413}},
		{"malformed chunk", post("/door/radius", "HTTP/1.1", host+"Transfer-Encoding: chunked\r\n", "zz\r\n"), []int{400}},
		{"Upgrade", "GET /door/http HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", []int{403}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := l.raw(t, radiusCaller, test.text); !slices.Contains(test.want, got) && !(got == 403 && strings.Contains(test.text, "/door/http ")) {
				t.Errorf("it is answered %d, want one of %v", got, test.want)
			}
		})
	}
	if got := l.plainHTTP(t); letsIn(got) {
		t.Errorf("HTTP without TLS is answered %d", got)
	}
}

// plainHTTP is the status of a question without TLS.
func (l *lab) plainHTTP(t *testing.T) int {
	t.Helper()
	r := l.request(t, http.MethodGet, doors.ForwardAuthPath, nil)
	r.URL.Scheme = "http"
	return do(t, &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}, r).status
}

// Before a policy file has doors, and where it has none of a kind, nobody is let in.
func TestNoDoors(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	cert := l.devices.Device(t, testca.Good(serial))
	if got := l.radius(t).device(t, cert); got.status != http.StatusServiceUnavailable {
		t.Errorf("without doors, RADIUS is answered %d %s", got.status, got.body)
	}
	denied(t, l.web(t).show(t, cert), http.StatusServiceUnavailable, "unavailable")
	l.use(t, inventories+plainPolicies+"\ndoors: {issuers: issuers.pem, provisioners: [acme-da], radius: [{callers: [radius.example.com, proxy.example.com], policy: default}]}\n")
	denied(t, l.web(t).show(t, cert), http.StatusForbidden, "unauthenticated")
}
