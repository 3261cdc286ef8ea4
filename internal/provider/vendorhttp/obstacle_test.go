package vendorhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/provider/vendorhttp"
)

// accepting starts a listener and has each connection served until it is closed.
func accepting(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// certificate makes one for the loopback, of itself, with serial number 77.
func certificate(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: vendortest.Marker}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if parsed, err := x509.ParseCertificate(der); err == nil {
		pool.AddCert(parsed)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// encrypted serves each connection behind TLS, when the handshake is over and something has come.
func encrypted(t *testing.T, c *tls.Config, serve func(net.Conn)) string {
	t.Helper()
	return accepting(t, func(conn net.Conn) {
		secure := tls.Server(conn, c)
		if secure.HandshakeContext(context.Background()) != nil {
			return
		}
		if _, err := secure.Read(make([]byte, 1<<10)); err == nil && serve != nil {
			serve(secure)
		}
	})
}

// says writes the vendor's words and waits until the client leaves.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn)
	}
}

func hangUp(net.Conn) {}

func readAndHangUp(conn net.Conn) { _, _ = conn.Read(make([]byte, 4<<10)) }

func resetConnection(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	} else {
		_, _ = conn.Read(make([]byte, 1)) // some of the handshake
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
}

// proxying answers every CONNECT with the same text.
func proxying(answer string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		says(answer)(conn)
	}
}

// tunnel is a proxy that works.
func tunnel(to string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(server, conn) }()
		_, _ = io.Copy(conn, server)
	}
}

// TestObstacles: each obstacle between the connector and the server has a message of its own, which says whether it is
// the server or a proxy, and repeats nothing that either has sent.
func TestObstacles(t *testing.T) {
	t.Parallel()
	good, pool := certificate(t, nil)
	expired, expiredPool := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	misnamed, misnamedPool := certificate(t, func(c *x509.Certificate) {
		c.IPAddresses, c.DNSNames = nil, []string{"mdm.example", "b.example", "c.example", "d.example", "e\x1b[31m.example"}
	})
	unusable, unusablePool := certificate(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	negative, _ := certificate(t, nil)
	negative.Certificate[0] = bytes.Replace(negative.Certificate[0], []byte{2, 1, 77}, []byte{2, 1, 0xff}, 1)
	broken, _ := certificate(t, nil)
	broken.Certificate[0] = bytes.Replace(broken.Certificate[0], []byte{0x30}, []byte{0x31}, 2)
	with := func(c tls.Certificate) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{c}}
	}
	demanding := func(version uint16) *tls.Config {
		return &tls.Config{MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}
	}
	http2 := with(good)
	http2.NextProtos = []string{"h2"}
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	goAway := settings + "\x00\x00" + string(rune(8+len(vendortest.Marker))) + "\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x0b" + vendortest.Marker
	working := newServer(t)
	aborting := newServer(t)
	aborting.Fail(vendortest.Fault{Kind: vendortest.Truncate})
	closed := accepting(t, readAndHangUp)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	const closedPort = "127.0.0.1:1" // a port that was free a moment ago may be given to another test
	status := func(line string) func(net.Conn) {
		return proxying("HTTP/1.1 " + line + "\r\nContent-Length: 0\r\n\r\n")
	}
	for name, row := range map[string]struct {
		address string // of the server
		pool    *x509.CertPool
		proxy   string // its URL
		want    string // with S: and P: for their addresses
	}{
		"plain HTTP":         {strings.TrimPrefix(plain.URL, "http://"), nil, "", "S: cannot be reached: it answers in plain HTTP where TLS is expected; check the port"},
		"HTTP to TLS":        {accepting(t, says("HTTP/1.1 400 "+vendortest.Marker+"\r\n\r\n")), nil, "", "S: cannot be reached: it answers in plain HTTP where TLS is expected; check the port"},
		"not TLS":            {accepting(t, says("SSH-2.0-"+vendortest.Marker+"\r\n")), nil, "", "S: cannot be reached: it does not speak TLS; check the port"},
		"closed":             {accepting(t, readAndHangUp), nil, "", "S: cannot be reached: it closed the connection in the TLS handshake"},
		"reset":              {accepting(t, resetConnection), nil, "", "S: cannot be reached: it reset the connection in the TLS handshake"},
		"refused":            {closedPort, nil, "", "S: cannot be reached: dial tcp S:: connect: connection refused"},
		"no such name":       {"mdm.invalid:443", nil, "", "S: cannot be reached: DNS "},
		"idle":               {accepting(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }), nil, "", "S: cannot be reached: it accepts connections, but does not answer in the TLS handshake (3s)"},
		"unknown CA":         {encrypted(t, with(good), nil), misnamedPool, "", "the TLS certificate of S: is not trusted: it is of a CA that is not known here; SSL_CERT_FILE"},
		"wrong name":         {encrypted(t, with(misnamed), nil), misnamedPool, "", "the TLS certificate of S: is not trusted: it is for mdm.example, b.example, c.example and 1 others and not for 127.0.0.1"},
		"expired":            {encrypted(t, with(expired), nil), expiredPool, "", "the TLS certificate of S: is not trusted: it is valid from "},
		"not for servers":    {encrypted(t, with(unusable), nil), unusablePool, "", "the TLS certificate of S: is not trusted: it is not for TLS servers"},
		"negative serial":    {encrypted(t, with(negative), nil), pool, "", "the TLS certificate of S: cannot be read: it is malformed (negative serial number)"},
		"malformed":          {encrypted(t, with(broken), nil), pool, "", "the TLS certificate of S: cannot be read: it is malformed"},
		"client cert, 1.2":   {encrypted(t, demanding(tls.VersionTLS12), nil), pool, "", "S: cannot be reached: it demands a client certificate, which the connector does not have"},
		"client cert, 1.3":   {encrypted(t, demanding(tls.VersionTLS13), nil), pool, "", "S: cannot be reached: it demands a client certificate, which the connector does not have"},
		"TLS 1.1":            {encrypted(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, Certificates: []tls.Certificate{good}}, nil), pool, "", "S: cannot be reached: it offers no TLS version that is accepted, which are 1.2 and 1.3"},
		"no cipher":          {encrypted(t, &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, Certificates: []tls.Certificate{good}}, nil), pool, "", "S: cannot be reached: the TLS handshake failed: handshake failure"},
		"not HTTP":           {encrypted(t, with(good), says("SSH-2.0-"+vendortest.Marker+"\r\n")), pool, "", "S: cannot be reached: what it answers is not HTTP as it should be"},
		"bad status":         {encrypted(t, with(good), says("HTTP/1.1 abc "+vendortest.Marker+"\r\n\r\n")), pool, "", "S: cannot be reached: what it answers is not HTTP as it should be"},
		"bad header":         {encrypted(t, with(good), says("HTTP/1.1 200 OK\r\n"+vendortest.Marker+"\r\n\r\n")), pool, "", "S: cannot be reached: what it answers is not HTTP as it should be"},
		"closed, asked":      {encrypted(t, with(good), hangUp), pool, "", "S: cannot be reached: it closed the connection before its answer was complete"},
		"reset, asked":       {encrypted(t, with(good), resetConnection), pool, "", "S: cannot be reached: it reset the connection before its answer was complete"},
		"cut off":            {encrypted(t, with(good), func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{") }), pool, "", "S: cannot be reached: it closed the connection before its answer was complete"},
		"stream error":       {strings.TrimPrefix(aborting.URL(), "https://"), aborting.CertPool(), "", "S: cannot be reached: it broke the HTTP/2 request off: INTERNAL_ERROR"},
		"GOAWAY":             {encrypted(t, http2, says(goAway)), pool, "", "S: cannot be reached: it ended the HTTP/2 connection (GOAWAY)"},
		"proxy: 407":         {"mdm.example:443", nil, "http://" + accepting(t, status("407 "+vendortest.Marker)), "S: cannot be reached: the proxy P: answered 407 to CONNECT: it wants a user name and password, which HTTPS_PROXY can hold"},
		"proxy: 403":         {"mdm.example:443", nil, "http://" + accepting(t, status("403 "+vendortest.Marker)), "S: cannot be reached: the proxy P: answered 403 to CONNECT: it does not allow that server"},
		"proxy: 502":         {"mdm.example:443", nil, "http://" + accepting(t, status("502 "+vendortest.Marker)), "S: cannot be reached: the proxy P: answered 502 to CONNECT: it does not reach that server"},
		"proxy: gone":        {"mdm.example:443", nil, "http://user:hidden-secret@" + closedPort, "the proxy P: cannot be reached: dial tcp P:: connect: connection refused; check HTTPS_PROXY"},
		"proxy: closes":      {"mdm.example:443", nil, "http://" + closed, "S: cannot be reached: it closed the connection; the proxy P: did not open the way to it"},
		"proxy: no proxy":    {"mdm.example:443", nil, "http://" + accepting(t, says("SSH-2.0-"+vendortest.Marker+"\r\n")), "S: cannot be reached: what it answers is not HTTP as it should be; the proxy P: did not open the way to it"},
		"proxy: not trusted": {"mdm.example:443", misnamedPool, "https://" + encrypted(t, with(good), nil), "the TLS certificate of the proxy P: is not trusted: it is of a CA that is not known here; SSL_CERT_FILE"},
		"proxy: plain HTTP":  {"mdm.example:443", pool, "https://" + accepting(t, says("HTTP/1.1 400 "+vendortest.Marker+"\r\n\r\n")), "the proxy P: cannot be reached: it answers in plain HTTP where TLS is expected; check the port; check HTTPS_PROXY"},
		"proxy: opens TLS":   {strings.TrimPrefix(working.URL(), "https://"), pool, "http://" + accepting(t, tunnel(strings.TrimPrefix(working.URL(), "https://"))), "the TLS certificate of S: is not trusted: it is of a CA that is not known here; SSL_CERT_FILE can name the CA of a private server or of a proxy that opens TLS (by way of the proxy P:)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, err := vendorhttp.ParseBase("https://" + row.address)
			if err != nil {
				t.Fatal(err)
			}
			o := vendorhttp.Options{Base: base, RootCAs: row.pool, Auth: vendorhttp.ClientCredentials{
				ID: "x", Secret: config.NewSecret([]byte("hidden-secret")), Path: tokenPath,
			}}
			provider, lookups := opened(o), opened(o)
			want := strings.ReplaceAll(row.want, "S:", row.address)
			if row.proxy != "" {
				proxy, err := url.Parse(row.proxy)
				if err != nil {
					t.Fatal(err)
				}
				provider.UseProxy(proxy)
				lookups.UseProxy(proxy)
				want = strings.ReplaceAll(want, "P:", proxy.Host)
			}
			ctx, cancel := context.WithTimeout(t.Context(), ample)
			defer cancel()
			lookedUp, q := make(chan error, 1), query(t, serial)
			go func() {
				_, err := lookups.Lookup(ctx, q) // at the same time, because some rows wait long
				lookedUp <- err
			}()
			err = provider.Explain(provider.Authenticate(ctx))
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("Authenticate = %v\nwant           %s", err, want)
			}
			errLookup := <-lookedUp
			for _, err := range []error{err, errLookup} {
				if err == nil || errors.Is(err, posture.ErrCredentials) || errors.Is(err, posture.ErrNotFound) {
					t.Fatalf("got %v, want an error that says the server could not answer", err)
				}
				for _, foreign := range []string{vendortest.Marker, "hidden-secret", "\x1b", "\n"} {
					if strings.Contains(err.Error(), foreign) {
						t.Errorf("%q repeats %q", err, foreign)
					}
				}
			}
		})
	}
}
