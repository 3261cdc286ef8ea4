// Package sqltest starts PostgreSQL and MariaDB for tests: on 127.0.0.1, with data in a temporary folder. They end with the
// test.
package sqltest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Passwords of the administrator and of the reader.
const (
	AdminPassword  = "admin-7Qx"
	Reader         = "reader"
	ReaderPassword = "reader-k3W9" //nolint:gosec // G101: of a server that lives as long as a test
	// Database is the one that tests use.
	Database = "inventory"
)

const (
	startTime = time.Minute
	stopTime  = 10 * time.Second
	pause     = 50 * time.Millisecond
)

// Server is a database server that a test has to itself.
type Server struct {
	// Admin is a pool of connections of the administrator.
	Admin *sql.DB
	// CA is the file with the CA of the server's certificate.
	CA string
	// Address is its host and port.
	Address string

	kind    kind
	folder  string
	program string
	process *process
}

// kind is what the products differ in.
type kind struct {
	program string // its name in PATH or in one of the folders
	folders string
	install string
	prepare func(s *Server) []string // the command that makes the data
	run     func(s *Server) []string // arguments of the server
	admin   func(s *Server) string   // the DSN of the administrator
	driver  string
	setUp   []string // statements of the administrator
}

// start starts a server. Where it is not installed the test fails: a test that was skipped would hide what it tests.
func start(t testing.TB, k kind) *Server {
	t.Helper()
	s := &Server{kind: k, program: find(k)}
	if s.program == "" {
		t.Fatalf("%s is not installed; run: make test-databases, or: apt-get install %s", k.program, k.install)
	}
	var err error
	if s.folder, err = os.MkdirTemp("", "sqltest"); err != nil { //nolint:usetesting // the user of the server may not pass the parent of t.TempDir
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.folder) })
	data, temp := s.path("data"), s.path("temp")
	if err := errors.Join(os.Chmod(s.folder, 0o755), os.Mkdir(data, 0o700), os.Mkdir(temp, 0o700), s.certificates()); err != nil { //nolint:gosec // G302: the server's user passes through it
		t.Fatal(err)
	}
	if err := s.own(data, temp, s.path("key.pem")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	arguments := k.prepare(s)
	prepare := exec.CommandContext(ctx, arguments[0], arguments[1:]...) //nolint:gosec // G204: a program of the test
	prepare.Dir, prepare.SysProcAttr = s.folder, attributes()
	if out, err := prepare.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", arguments[0], err, out)
	}
	t.Cleanup(s.Kill)
	s.Start(t)
	for _, statement := range k.setUp {
		s.Exec(t, statement)
	}
	return s
}

func find(k kind) string {
	if matches, err := filepath.Glob(k.folders + "/" + k.program); err == nil && len(matches) > 0 {
		return matches[len(matches)-1]
	}
	path, _ := exec.LookPath(k.program)
	return path
}

// own gives files to the user of the server.
func (s *Server) own(paths ...string) error {
	if os.Getuid() != 0 {
		return nil
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.Chown(path, nobody, nobody))
	}
	return errors.Join(errs...)
}

// Start starts the server on the same port as before, if there was one, and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startTime)
	defer cancel()
	for ctx.Err() == nil {
		if s.Address == "" || s.process != nil && s.Admin == nil {
			s.Address = free(t)
		}
		s.process = launch(s.program, s.folder, s.kind.run(s))
		for ctx.Err() == nil && !s.process.hasEnded() {
			if s.answers(ctx) {
				return
			}
			time.Sleep(pause)
		}
		// Another program may have taken the port.
		s.process.kill()
		time.Sleep(pause)
	}
	t.Fatalf("%s did not start: %s", s.kind.program, s.process.output.String())
}

func (s *Server) answers(ctx context.Context) bool {
	if s.Admin == nil {
		admin, err := sql.Open(s.kind.driver, s.kind.admin(s))
		if err != nil {
			return false
		}
		if admin.PingContext(ctx) != nil {
			_ = admin.Close()
			return false
		}
		s.Admin = admin
	}
	return s.Admin.PingContext(ctx) == nil
}

func free(t testing.TB) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Address)
	return port
}

// Exec runs a statement of the administrator.
func (s *Server) Exec(t testing.TB, statement string, arguments ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startTime)
	defer cancel()
	if _, err := s.Admin.ExecContext(ctx, statement, arguments...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() { s.process.kill() }

// process is a program that runs.
type process struct {
	ended  chan struct{}
	begun  chan *os.Process
	output *output
}

// launch runs a program in a goroutine with a thread of its own: a server is told to end when the thread does that started it.
func launch(program, folder string, arguments []string) *process {
	p := &process{make(chan struct{}), make(chan *os.Process, 1), &output{}}
	started := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.ended)
		command := exec.Command(program, arguments...) //nolint:gosec,noctx // G204: a program of the test, which kill ends
		command.Dir, command.SysProcAttr = folder, attributes()
		command.Stdout, command.Stderr = p.output, p.output
		command.WaitDelay = stopTime
		err := command.Start()
		p.begun <- command.Process
		close(started)
		if err != nil {
			_, _ = fmt.Fprint(p.output, err)
			return
		}
		_ = command.Wait()
	}()
	<-started
	return p
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the process and waits for that.
func (p *process) kill() {
	running := <-p.begun
	if running != nil && !p.hasEnded() {
		_ = running.Signal(syscall.SIGQUIT) // PostgreSQL ends its children at once, and writes nothing
		select {
		case <-p.ended:
		case <-time.After(stopTime):
			_ = running.Kill()
			<-p.ended
		}
	}
	p.begun <- running
}

// output is the last of what a server says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const most = 64 << 10
	if o.text.Len() > most {
		o.text.Reset()
	}
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
