// Package webproxy runs web servers in front of an application, on the loopback interface and with the files of docs/doors:
// nginx, Caddy and HAProxy. They want the certificate of a device, and ask the connector about it.
package webproxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/process"
)

const (
	// startTimeout bounds how long a server may take until it answers.
	startTimeout = 30 * time.Second
	// requestTimeout bounds one request of a client.
	requestTimeout = 30 * time.Second
	// Name is the name of the site, which the server's certificate must have.
	Name = "app.example.com"
)

// Config says where the files are, and what is around the server.
type Config struct {
	Files string // the folder docs/doors
	// Edit changes nginx's copy of posture.conf, as an operator might; nil changes nothing.
	Edit func(config string) string

	Certificate  doors.Credential // what the server presents to devices
	Root         string           // file of the root of that certificate, and of those of devices
	DeviceIssuer string           // file of the CA that issues devices' certificates

	Connector     string           // host and port
	ConnectorName string           // in the connector's certificate
	CA            string           // file of the CA that issued the connector's certificate
	Caller        doors.Credential // what the server presents to the connector

	Application string // host and port of the application, which has no TLS
}

// Proxy is a server that runs.
type Proxy struct {
	config  Config
	kind    kind
	folder  process.Folder
	port    int
	process *process.Process
}

// kind is what differs between servers.
type kind struct {
	name, debian string
	// prepare writes the files that do not depend on the port.
	prepare func(*Proxy) error
	// spec writes the others, and says what to run, except the path, the folder and the user.
	spec func(*Proxy) (process.Spec, error)
	// signaled: SIGTERM ends it as it ends a program that does not handle it.
	signaled bool
}

func start(ctx context.Context, config Config, k kind) (*Proxy, error) {
	program, err := process.Program(k.name, k.debian)
	if err != nil {
		return nil, err
	}
	p := &Proxy{config: config, kind: k}
	if p.folder, err = process.NewFolder(k.name); err != nil {
		return nil, err
	}
	if err = k.prepare(p); err == nil {
		err = process.RetryPort(ctx, func(ctx context.Context, port int) error {
			p.port = port
			spec, err := k.spec(p)
			if err != nil {
				return err
			}
			spec.Path, spec.Dir, spec.Attributes = program, p.folder.Path(), process.User()
			return p.run(ctx, spec)
		})
	}
	if err != nil {
		return nil, errors.Join(err, p.folder.Remove())
	}
	return p, nil
}

func (p *Proxy) run(ctx context.Context, spec process.Spec) error {
	var err error
	if p.process, err = process.Start(ctx, spec); err != nil {
		return err
	}
	awaited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	roots, err := p.roots()
	if err == nil {
		// Another program that has taken the port does not have that certificate.
		err = p.process.Await(awaited, func(ctx context.Context) error {
			dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: Name, MinVersion: tls.VersionTLS13}}
			conn, err := dialer.DialContext(ctx, "tcp", p.Address())
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
	if err != nil {
		stopped := p.end()
		if p.process.PortTaken() {
			return process.ErrAddressInUse
		}
		return errors.Join(err, stopped)
	}
	return nil
}

// Stop ends the server and removes its files.
func (p *Proxy) Stop() error { return errors.Join(p.end(), p.folder.Remove()) }

// end ends the server. Another signal than that of the test is an error: it may have crashed before.
func (p *Proxy) end() error {
	err := p.process.Stop()
	var exit *exec.ExitError
	if p.kind.signaled && errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	return err
}

// Log returns what the server has printed.
func (p *Proxy) Log() string { return p.process.Output() }

// Address is where the server listens.
func (p *Proxy) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// URL is the address of a path of the site, for a client of Client.
func (p *Proxy) URL(path string) string {
	return "https://" + net.JoinHostPort(Name, strconv.Itoa(p.port)) + path
}

// Client returns a client that presents the certificate of a device; nil presents none. It follows no redirects, and
// resumes its TLS sessions. The caller closes its idle connections.
func (p *Proxy) Client(device *doors.Credential) (*http.Client, error) {
	roots, err := p.roots()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if device != nil {
		// Not Certificates: a client leaves those out whose issuer the server did not ask for.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &device.TLS, nil }
	}
	return &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: config,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var dialer net.Dialer
				return dialer.DialContext(ctx, network, p.Address())
			},
		},
	}, nil
}

func (p *Proxy) roots() (*x509.CertPool, error) {
	data, err := os.ReadFile(p.config.Root)
	if err != nil {
		return nil, fmt.Errorf("read the root: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("no certificate in %s", p.config.Root)
	}
	return roots, nil
}

// copyCredentials copies certificates and keys to where the server's user may read them.
func (p *Proxy) copyCredentials() error {
	c := p.config
	return errors.Join(
		p.folder.Copy("app.pem", c.Certificate.Certificate),
		p.folder.Copy("app.key", c.Certificate.Key),
		p.folder.Copy("issuer.pem", c.DeviceIssuer),
		p.folder.Copy("device-cas.pem", c.DeviceIssuer, c.Root),
		p.folder.Copy("connector-ca.pem", c.CA),
		p.folder.Copy("caller.pem", c.Caller.Certificate),
		p.folder.Copy("caller.key", c.Caller.Key),
		// HAProxy wants certificate and key in one file.
		p.folder.Copy("app.both", c.Certificate.Certificate, c.Certificate.Key),
		p.folder.Copy("caller.both", c.Caller.Certificate, c.Caller.Key),
	)
}

// environment has every variable that the files of docs/doors read.
func (p *Proxy) environment() []string {
	c := p.config
	return []string{
		"WEB_NAME=" + Name,
		"WEB_ADDRESS=127.0.0.1",
		"WEB_PORT=" + strconv.Itoa(p.port),
		"WEB_CERTIFICATE=" + p.folder.Path("app.pem"),
		"WEB_KEY=" + p.folder.Path("app.key"),
		"WEB_APPLICATION=" + c.Application,
		"POSTURE_ADDRESS=" + c.Connector,
		"POSTURE_NAME=" + c.ConnectorName,
		"POSTURE_CA=" + p.folder.Path("connector-ca.pem"),
		"POSTURE_CERTIFICATE=" + p.folder.Path("caller.pem"),
		"POSTURE_KEY=" + p.folder.Path("caller.key"),
	}
}
