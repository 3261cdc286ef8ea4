// Package postgres runs a PostgreSQL server with an empty database, on the loopback interface and with its data in a
// folder of its own, and administers it with psql, as an operator does.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"step-posture-connector/internal/test/e2e/process"
)

const (
	// startTimeout bounds how long the server may take until it answers.
	startTimeout = time.Minute
	// recoverPause is between two attempts to run the server after a crash.
	recoverPause = 100 * time.Millisecond
	// admin is the owner of the database.
	admin = "admin"
	// Database is the name of the database.
	Database = "inventory"
)

// Server is a PostgreSQL server.
type Server struct {
	programs string // the folder of PostgreSQL's programs
	folder   string
	password string // of admin
	port     int
	process  *process.Process // nil while it is down
}

// Start makes a database, runs its server and returns when it answers. It runs until Stop or the end of ctx. Certificate
// and key are the PEM files of its certificate.
func Start(ctx context.Context, certificate, key string) (*Server, error) {
	s := &Server{password: rand.Text()}
	var err error
	if s.programs, err = programs(); err != nil {
		return nil, err
	}
	// Not a folder of the test: the server's user may not pass through it.
	if s.folder, err = os.MkdirTemp("", "step-posture-postgres-"); err != nil {
		return nil, fmt.Errorf("make the server's folder: %w", err)
	}
	if err := s.prepare(ctx, certificate, key); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	err = process.RetryPort(ctx, func(ctx context.Context, port int) error {
		s.port = port
		return s.Up(ctx)
	})
	if err == nil {
		_, err = s.query(ctx, "postgres", "CREATE DATABASE "+Database)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// programs finds the newest PostgreSQL. Debian's programs are in no folder of PATH.
func programs() (string, error) {
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL is not installed; run: make test-databases, or: apt-get install postgresql: %w", err)
	}
	return filepath.Dir(path), nil
}

// prepare fills the folder, which only the server's user may read.
func (s *Server) prepare(ctx context.Context, certificate, key string) error {
	for from, to := range map[string]string{certificate: s.path("server.crt"), key: s.path("server.key")} {
		data, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("read the server's certificate: %w", err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			return fmt.Errorf("write the server's certificate: %w", err)
		}
	}
	if err := os.WriteFile(s.path("password"), []byte(s.password), 0o600); err != nil {
		return fmt.Errorf("write the administrator's password: %w", err)
	}
	if err := process.Own(s.folder, s.path("server.crt"), s.path("server.key"), s.path("password")); err != nil {
		return fmt.Errorf("give the folder to the server's user: %w", err)
	}
	_, err := process.Run(ctx, process.Spec{
		Path: filepath.Join(s.programs, "initdb"), Dir: s.folder, Attributes: process.User(),
		Args: []string{"-D", s.path("data"), "-U", admin, "-A", "scram-sha-256", "--pwfile", s.path("password"), "--no-sync", "-E", "UTF8", "--locale=C"},
	})
	return err
}

// Up runs the server, at the address that it had before, and returns when it answers.
func (s *Server) Up(ctx context.Context) error {
	var err error
	s.process, err = process.Start(ctx, process.Spec{
		Path: filepath.Join(s.programs, "postgres"), Dir: s.folder, Attributes: process.User(),
		// PostgreSQL waits for its clients after SIGTERM, and not after SIGINT.
		Ends: syscall.SIGINT,
		Args: []string{
			"-D", s.path("data"), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-c", "unix_socket_directories=", "-c", "fsync=off",
			"-c", "ssl=on", "-c", "ssl_cert_file=" + s.path("server.crt"), "-c", "ssl_key_file=" + s.path("server.key"),
		},
	})
	if err != nil {
		return err
	}
	awaited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err = s.process.Await(awaited, func(ctx context.Context) error {
		_, err := s.query(ctx, "postgres", "SELECT 1")
		return err
	})
	if err != nil {
		taken := s.process.PortTaken()
		stopped := s.Down()
		if taken {
			return process.ErrAddressInUse
		}
		return errors.Join(err, stopped)
	}
	return nil
}

// Down ends the server and every connection to it. What it has stored stays.
func (s *Server) Down() error {
	if s.process == nil {
		return nil
	}
	err := s.process.Stop()
	s.process = nil
	return err
}

// Kill ends the server at once, as a crash does. Its children end by themselves, a moment later.
func (s *Server) Kill() error {
	err := s.process.Kill()
	s.process = nil
	return err
}

// Recover runs the server after Kill, again and again until the children of the one before have ended. It runs until Stop or the
// end of ctx.
func (s *Server) Recover(ctx context.Context) error {
	late := time.After(startTimeout)
	for {
		err := s.Up(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-late:
			return err
		case <-time.After(recoverPause):
		}
	}
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error { return errors.Join(s.Down(), os.RemoveAll(s.folder)) }

// Address is the host and the port of the server.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Query runs statements as the owner of the database, and returns the rows as text. The first statement that fails ends them.
func (s *Server) Query(ctx context.Context, statements string) (string, error) {
	return s.query(ctx, Database, statements)
}

func (s *Server) query(ctx context.Context, database, statements string) (string, error) {
	return process.Run(ctx, process.Spec{
		Path: filepath.Join(s.programs, "psql"), Dir: s.folder,
		Env:  []string{"PGPASSWORD=" + s.password, "PGSSLMODE=require", "HOME=" + s.folder},
		Args: []string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", admin, "-d", database, "-c", statements},
	})
}

func (s *Server) path(name string) string { return filepath.Join(s.folder, name) }
