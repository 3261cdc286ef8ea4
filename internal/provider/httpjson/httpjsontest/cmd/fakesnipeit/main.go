// Command fakesnipeit simulates a Snipe-IT server in a process of its own, for end-to-end tests.
//
//	fakesnipeit -ca FILE [-options FILE] [-listen ADDRESS] [-admin ADDRESS]
//
// It writes the CA that clients have to trust, PEM, to the file given with -ca, and reads the JSON of
// httpjsontest.Options from the one given with -options. Then it prints two lines,
//
//	snipeit https://127.0.0.1:PORT
//	admin http://127.0.0.1:PORT
//
// and serves until it gets SIGTERM or SIGINT. The first is the server. The second changes what is simulated and reports
// what was seen, as described at httpjsontest.Server.Admin.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"step-posture-connector/internal/provider/httpjson/httpjsontest"
)

const (
	headerTimeout = 10 * time.Second
	readableByAll = 0o644 // a CA certificate is no secret
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fakesnipeit:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("fakesnipeit", flag.ContinueOnError)
	ca := flags.String("ca", "", "the `file` that the CA is written to")
	path := flags.String("options", "", "the JSON `file` that says what is simulated")
	listen := flags.String("listen", "127.0.0.1:0", "the `address` of the server")
	adminAddress := flags.String("admin", "127.0.0.1:0", "the `address` of the admin handler, on the loopback")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	if *ca == "" || flags.NArg() > 0 {
		return errors.New("usage: fakesnipeit -ca FILE [-options FILE] [-listen ADDRESS] [-admin ADDRESS]")
	}
	options, err := readOptions(*path)
	if err != nil {
		return err
	}
	options.Address = *listen
	server, err := httpjsontest.NewSnipeIT(options)
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
	admin := &http.Server{Handler: server.Admin(), ReadHeaderTimeout: headerTimeout}
	defer admin.Close()
	go func() { _ = admin.Serve(listener) }() // its error is that it was closed
	if _, err := fmt.Fprintf(out, "snipeit %s\nadmin http://%s\n", server.URL(), listener.Addr()); err != nil {
		return fmt.Errorf("print addresses: %w", err)
	}
	<-ctx.Done()
	return nil
}

// readOptions refuses unknown members: with a misspelled one, another server would be simulated.
func readOptions(path string) (httpjsontest.Options, error) {
	var options httpjsontest.Options
	if path == "" {
		return options, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return options, fmt.Errorf("options: %w", err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&options); err != nil {
		return options, fmt.Errorf("options: %w", err)
	}
	return options, nil
}
