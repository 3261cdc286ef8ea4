// Package standalone runs a simulated server in a process of its own, for end-to-end tests and the demo.
package standalone

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	headerTimeout = 10 * time.Second
	readableByAll = 0o644 // a CA certificate is no secret
)

// Server is a simulated server.
type Server interface {
	Start() error
	Close()
	// CACertPEM is the CA that clients have to trust.
	CACertPEM() []byte
	URL() string
}

// Simulation is a server that was made but not started.
type Simulation struct {
	Server
	// BaseURL is where clients find it; URL where it is nil.
	BaseURL func() string
	// Admin changes what is simulated, and reports what was seen.
	Admin http.Handler
}

// Open makes a server from its options, which is to listen at the address. decode reads the options into a struct; it refuses
// members that the struct does not have: with a misspelled one, another server would be simulated.
type Open func(decode func(into any) error, address string) (Simulation, error)

// Main is the program that simulates one of the vendors:
//
//	NAME [-vendor VENDOR] -ca FILE [-options FILE] [-listen ADDRESS] [-admin ADDRESS]
//
// Where there is one vendor only, it needs no -vendor. It writes the CA that clients have to trust, PEM, to the file given with
// -ca, and reads the vendor's options, JSON, from the one given with -options. Then it prints two lines,
//
//	VENDOR https://127.0.0.1:PORT
//	admin http://127.0.0.1:PORT
//
// and serves until it gets SIGTERM or SIGINT. The first is the server; a daemon on Linux trusts the CA when it is started with
// SSL_CERT_FILE=FILE. The second changes what is simulated and reports what was seen.
// It returns the exit status.
func Main(name string, vendors map[string]Open) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, name, vendors, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// Run is Main until ctx is done.
func Run(ctx context.Context, name string, vendors map[string]Open, args []string, out io.Writer) error {
	names, only := slices.Sorted(maps.Keys(vendors)), ""
	if len(names) == 1 {
		only = names[0]
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	vendor := flags.String("vendor", only, "which `vendor` is simulated: "+strings.Join(names, ", "))
	ca := flags.String("ca", "", "the `file` that the CA is written to")
	path := flags.String("options", "", "the JSON `file` that says what is simulated")
	listen := flags.String("listen", "127.0.0.1:0", "the `address` of the server")
	adminAddress := flags.String("admin", "127.0.0.1:0", "the `address` of the admin handler, on the loopback")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	open, known := vendors[*vendor]
	if *ca == "" || flags.NArg() > 0 || !known {
		return fmt.Errorf("usage: %s [-vendor %s] -ca FILE [-options FILE] [-listen ADDRESS] [-admin ADDRESS]", name, strings.Join(names, "|"))
	}
	server, err := open(func(into any) error { return readOptions(*path, into) }, *listen)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer server.Close()
	if err := os.WriteFile(*ca, server.CACertPEM(), readableByAll); err != nil {
		return fmt.Errorf("write CA: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", *adminAddress)
	if err != nil {
		return fmt.Errorf("listen for the admin: %w", err)
	}
	admin := &http.Server{Handler: server.Admin, ReadHeaderTimeout: headerTimeout}
	defer admin.Close()
	go func() { _ = admin.Serve(listener) }() // its error is that it was closed
	base := server.URL
	if server.BaseURL != nil {
		base = server.BaseURL
	}
	if _, err := fmt.Fprintf(out, "%s %s\nadmin http://%s\n", *vendor, base(), listener.Addr()); err != nil {
		return fmt.Errorf("print addresses: %w", err)
	}
	<-ctx.Done()
	return nil
}

func readOptions(path string, into any) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("options: %w", err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	if decoder.More() {
		return errors.New("options: there is more than one value")
	}
	return nil
}
