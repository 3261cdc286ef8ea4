// Package radius runs FreeRADIUS with the files of docs/doors/freeradius, on the loopback interface, and logs devices in to
// it by EAP-TLS with eapol_test, which is an access point and a device in one program.
package radius

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/process"
)

const (
	// startTimeout bounds how long FreeRADIUS may take until it answers.
	startTimeout = 30 * time.Second
	// folder has the configuration in the server's own folder.
	folder = "raddb"
)

// Config says where the files are, and what FreeRADIUS is told by its environment.
type Config struct {
	Files string // the folder docs/doors/freeradius
	// Edit changes the copy of radiusd.conf, as an operator might; nil changes nothing.
	Edit func(config string) string

	Certificate  doors.Credential // what FreeRADIUS presents to devices
	Root         string           // file of the root of that certificate, which devices trust
	DeviceIssuer string           // file of the CA that issues devices' certificates

	URL    string           // of the connector
	CA     string           // file of the CA that issued the connector's certificate
	Caller doors.Credential // what FreeRADIUS presents to the connector

	// VLAN is the value of WIFI_VLAN: required or optional.
	VLAN string
	// Unset are variables that are not set.
	Unset []string
	// Quiet: it prints as little as in operation. Otherwise it prints every step of every login.
	Quiet bool
}

// Server is a FreeRADIUS that runs.
type Server struct {
	config  Config
	client  string // path of eapol_test
	folder  process.Folder
	secret  string
	port    int
	process *process.Process
}

// Start runs FreeRADIUS and returns when it answers. It runs until Stop or the end of ctx.
func Start(ctx context.Context, config Config) (*Server, error) {
	program, err := process.Program("freeradius", "freeradius freeradius-rest")
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, secret: rand.Text()}
	if s.client, err = process.Program("eapol_test", "eapoltest"); err != nil {
		return nil, err
	}
	if s.folder, err = process.NewFolder("radius"); err != nil {
		return nil, err
	}
	err = s.prepare()
	if err == nil {
		err = process.RetryPort(ctx, func(ctx context.Context, port int) error {
			s.port = port
			return s.run(ctx, program)
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.folder.Remove())
	}
	return s, nil
}

// prepare copies the configuration, the certificates and the keys to where the server's user may read them.
func (s *Server) prepare() error {
	c := s.config
	main, err := os.ReadFile(filepath.Join(c.Files, "radiusd.conf"))
	if err != nil {
		return fmt.Errorf("read the configuration of FreeRADIUS: %w", err)
	}
	if c.Edit != nil {
		main = []byte(c.Edit(string(main)))
	}
	return errors.Join(
		s.folder.Make(folder),
		s.folder.Write(folder+"/radiusd.conf", main),
		s.folder.Copy(folder+"/dictionary", filepath.Join(c.Files, "dictionary")),
		s.folder.Copy("radius.crt", c.Certificate.Certificate),
		s.folder.Copy("radius.key", c.Certificate.Key),
		s.folder.Copy("issuer.crt", c.DeviceIssuer),
		s.folder.Copy("connector-ca.crt", c.CA),
		s.folder.Copy("caller.crt", c.Caller.Certificate),
		s.folder.Copy("caller.key", c.Caller.Key),
		s.folder.Copy("root.crt", c.Root),
	)
}

// environment has every variable that docs/doors/freeradius reads.
func (s *Server) environment() []string {
	all := []string{
		"WIFI_ADDRESS=127.0.0.1",
		"WIFI_PORT=" + strconv.Itoa(s.port),
		"WIFI_CLIENTS=127.0.0.1",
		"WIFI_SECRET=" + s.secret,
		"WIFI_REJECT_DELAY=0",
		"WIFI_VLAN=" + s.config.VLAN,
		"WIFI_CERTIFICATE=" + s.folder.Path("radius.crt"),
		"WIFI_KEY=" + s.folder.Path("radius.key"),
		"WIFI_DEVICE_ISSUER=" + s.folder.Path("issuer.crt"),
		"POSTURE_URL=" + s.config.URL,
		"POSTURE_CA=" + s.folder.Path("connector-ca.crt"),
		"POSTURE_CERTIFICATE=" + s.folder.Path("caller.crt"),
		"POSTURE_KEY=" + s.folder.Path("caller.key"),
	}
	var set []string
variables:
	for _, variable := range all {
		for _, name := range s.config.Unset {
			if strings.HasPrefix(variable, name+"=") {
				continue variables
			}
		}
		set = append(set, variable)
	}
	return set
}

func (s *Server) run(ctx context.Context, program string) error {
	// Not -X, which handles one request after the other.
	args := []string{"-f", "-l", "stdout", "-d", s.folder.Path(folder), "-D", "/usr/share/freeradius"}
	if !s.config.Quiet {
		args = append(args, "-xx")
	}
	var err error
	s.process, err = process.Start(ctx, process.Spec{Path: program, Args: args, Dir: s.folder.Path(), Env: s.environment(), Attributes: process.User()})
	if err != nil {
		return err
	}
	awaited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err = s.process.Await(awaited, func(context.Context) error {
		if !strings.Contains(s.process.Output(), "Ready to process requests") {
			return errors.New("FreeRADIUS is not ready")
		}
		return nil
	})
	if err != nil {
		taken := s.process.PortTaken()
		stopped := s.process.Stop()
		if taken {
			return process.ErrAddressInUse
		}
		return errors.Join(err, stopped)
	}
	return nil
}

// Stop ends FreeRADIUS and removes its files.
func (s *Server) Stop() error { return errors.Join(s.process.Stop(), s.folder.Remove()) }

// Log returns what FreeRADIUS has printed.
func (s *Server) Log() string { return s.process.Output() }

// Folder is where the server may write.
func (s *Server) Folder() process.Folder { return s.folder }
