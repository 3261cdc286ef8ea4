// Package stepca runs a real step-ca, with all its files in one folder and on the
// loopback interface only, and administers it with the step command line client,
// as an operator would.
package stepca

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"step-posture-connector/internal/test/e2e/process"
)

const (
	// startTimeout bounds how long step-ca may take until it answers.
	startTimeout = time.Minute
	// password protects the keys of a CA that lives for one test run.
	password = "loopback-only"
	// admin is the name of the JWK provisioner that init makes.
	admin = "admin"
	// Name is the common name of the certificate that step-ca presents to webhook
	// servers. It is step-ca's default.
	Name = "Step Online CA"
)

// Config says which programs to use and where to put the CA.
type Config struct {
	StepCA string // path of the step-ca program
	Step   string // path of the step program
	Dir    string // an existing, empty folder
	// RemoteManagement keeps provisioners in the CA's database, where webhooks
	// have secrets; without it provisioners are in ca.json, where webhooks have none.
	RemoteManagement bool
	// InitArgs are further arguments of step ca init, such as --ssh.
	InitArgs []string
	// Env are further variables of step-ca itself, NAME=value, such as a proxy's.
	Env []string
	// Args are further arguments of step-ca itself.
	Args []string
}

// CA is a certificate authority, made by Init and then run by Start.
type CA struct {
	config  Config
	port    int
	process *process.Process
}

// Init makes the keys, certificates and configuration of a new CA.
func Init(ctx context.Context, config Config) (*CA, error) {
	ca := &CA{config: config}
	if _, err := ca.writeFile(filepath.Base(ca.passwordPath()), []byte(password)); err != nil {
		return nil, err
	}
	args := []string{
		"ca", "init", "--name", "Loopback", "--deployment-type", "standalone",
		"--dns", "localhost", "--dns", "127.0.0.1",
		"--address", "127.0.0.1:0", // Start sets the port
		"--provisioner", admin,
		"--password-file", ca.passwordPath(), "--provisioner-password-file", ca.passwordPath(),
	}
	if config.RemoteManagement {
		args = append(args, "--remote-management", "--admin-subject", "step")
	}
	args = append(args, config.InitArgs...)
	if _, err := ca.step(ctx, args...); err != nil {
		return nil, err
	}
	return ca, nil
}

// Start runs the CA and returns when it answers. It runs until Stop or the end of ctx.
func (ca *CA) Start(ctx context.Context) error {
	return process.RetryPort(ctx, ca.startOn)
}

func (ca *CA) startOn(ctx context.Context, port int) error {
	ca.port = port
	err := ca.EditConfig(func(config map[string]any) error {
		config["address"] = "127.0.0.1:" + strconv.Itoa(port)
		return nil
	})
	if err != nil {
		return err
	}
	ca.process, err = process.Start(ctx, process.Spec{
		Path: ca.config.StepCA,
		Args: append([]string{ca.configPath(), "--password-file", ca.passwordPath()}, ca.config.Args...),
		Dir:  ca.config.Dir,
		Env:  append(ca.environment(), ca.config.Env...),
	})
	if err != nil {
		return err
	}
	if err := ca.awaitHealth(ctx); err != nil {
		stopErr := ca.process.Stop()
		if ca.process.PortTaken() {
			return process.ErrAddressInUse
		}
		return errors.Join(err, stopErr)
	}
	return nil
}

func (ca *CA) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := ca.Client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return ca.process.Await(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, ca.URL()+"/health", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("GET /health: %s", resp.Status)
		}
		return nil
	})
}

// Stop stops the CA.
func (ca *CA) Stop() error {
	if ca.process == nil {
		return nil
	}
	return ca.process.Stop()
}

// Log returns the CA's output.
func (ca *CA) Log() string {
	if ca.process == nil {
		return ""
	}
	return ca.process.Output()
}

// EditConfig changes ca.json. A running CA does not see the change.
func (ca *CA) EditConfig(edit func(config map[string]any) error) error {
	data, err := os.ReadFile(ca.configPath())
	if err != nil {
		return fmt.Errorf("read ca.json: %w", err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("decode ca.json: %w", err)
	}
	if err := edit(config); err != nil {
		return err
	}
	if data, err = json.MarshalIndent(config, "", "\t"); err != nil {
		return fmt.Errorf("encode ca.json: %w", err)
	}
	if err := os.WriteFile(ca.configPath(), data, 0o600); err != nil {
		return fmt.Errorf("write ca.json: %w", err)
	}
	return nil
}

// URL is where the running CA answers.
func (ca *CA) URL() string { return "https://127.0.0.1:" + strconv.Itoa(ca.port) }

// DirectoryURL is the ACME directory of a provisioner.
func (ca *CA) DirectoryURL(provisioner string) string {
	return ca.URL() + "/acme/" + provisioner + "/directory"
}

// RootPath is the file of the CA's root certificate.
func (ca *CA) RootPath() string { return filepath.Join(ca.config.Dir, "certs", "root_ca.crt") }

// Client returns an HTTP client that trusts only this CA. The caller closes its idle
// connections.
func (ca *CA) Client() (*http.Client, error) { return ClientOf(ca.RootPath()) }

// ClientOf returns an HTTP client that trusts only the root in the given file. The
// caller closes its idle connections.
func ClientOf(rootPath string) (*http.Client, error) {
	roots, err := readRoots(rootPath)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}}, nil
}

// Roots returns the CA's root as a pool.
func (ca *CA) Roots() (*x509.CertPool, error) { return readRoots(ca.RootPath()) }

func readRoots(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read CA root: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read CA root: no certificate in %s", path)
	}
	return roots, nil
}

func (ca *CA) configPath() string   { return filepath.Join(ca.config.Dir, "config", "ca.json") }
func (ca *CA) passwordPath() string { return filepath.Join(ca.config.Dir, "password") }

func (ca *CA) writeFile(name string, content []byte) (string, error) {
	path := filepath.Join(ca.config.Dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return path, nil
}

// environment confines both programs to the CA's own folder: they neither read nor
// write the user's home and step configuration.
func (ca *CA) environment() []string {
	return []string{"HOME=" + ca.config.Dir, "STEPPATH=" + ca.config.Dir}
}

// step runs one command of the step client against this CA.
func (ca *CA) step(ctx context.Context, args ...string) (string, error) {
	env := ca.environment()
	if ca.port != 0 {
		// It overrides the address that init wrote into defaults.json.
		env = append(env, "STEP_CA_URL="+ca.URL())
	}
	return process.Run(ctx, process.Spec{Path: ca.config.Step, Args: args, Dir: ca.config.Dir, Env: env})
}
