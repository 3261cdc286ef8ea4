package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/console"
	"step-posture-connector/internal/console/access"
	"step-posture-connector/internal/reload"
	"step-posture-connector/internal/server"
)

// usersVariable is that of the file of the people who may log in to the console.
const usersVariable = "CONSOLE_USERS_FILE"

// consoleTLSOf is the TLS of the console; nil where there is no console, or one without TLS.
func consoleTLSOf(c config.Config) *server.TLS {
	if c.ConsoleAddress.Off() || !c.HasTLS() || (c.ConsoleTLSCertPath == "") != (c.ConsoleTLSKeyPath == "") {
		return nil
	}
	if c.ConsoleTLSCertPath != "" {
		return server.NewConsoleTLS(server.Files{Certificate: string(c.ConsoleTLSCertPath), PrivateKey: string(c.ConsoleTLSKeyPath)}, true)
	}
	return server.NewConsoleTLS(server.Files{Certificate: string(c.TLSCertPath), PrivateKey: string(c.TLSKeyPath)}, false)
}

// loadUsers reads the file of the people who may log in, if there is one.
func (d *Daemon) loadUsers() config.Problems {
	path := string(d.config.ConsoleUsersFile)
	if path == "" || d.config.ConsoleAddress.Off() {
		return nil
	}
	d.usersSet = reload.NewSet(usersFiles, path)
	users, err := access.LoadUsers(path)
	if err != nil {
		return config.Problems{usersProblem(path, err)}
	}
	d.users = users
	return nil
}

func usersProblem(path string, err error) config.Problem {
	if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "$:") {
		path = "(the path is not shown, because it looks like a line of such a file)"
	}
	return config.Problem{Variable: usersVariable, Text: path + ": " + err.Error(), Accepted: "a file of htpasswd with bcrypt hashes, as htpasswd -B -C 12 writes it"}
}

// consoleWarnings are what is accepted of the console and probably not meant.
func (d *Daemon) consoleWarnings() (warnings []string) {
	if d.users != nil {
		for _, warning := range d.users.Warnings() {
			warnings = append(warnings, usersVariable+": "+warning)
		}
	}
	if !d.config.ConsoleAddress.Off() && d.config.AuditLogPath == "" {
		warnings = append(warnings, "CONSOLE_ADDRESS is set but AUDIT_LOG_PATH is not: who has logged in, and what was looked at, is only in the log")
	}
	if own := string(d.config.ConsoleTLSKeyPath); own != "" && !d.config.ConsoleAddress.Off() && config.ReadableByAll(own) {
		warnings = append(warnings, "CONSOLE_TLS_KEY_PATH: every user of this machine can read the private key "+own+"; chmod 640 or 600")
	}
	if d.consoleTLS != nil {
		warnings = append(warnings, d.consoleTLS.Warnings(d.now())...)
	}
	return warnings
}

// describeConsole says where the console is, and who may see it.
func (d *Daemon) describeConsole() []string {
	c := d.config
	if c.ConsoleAddress.Off() {
		return nil
	}
	line := "console: " + d.consoleURL(string(c.ConsoleAddress))
	if d.consoleTLS != nil {
		leaf := d.consoleTLS.Leaf()
		line += fmt.Sprintf(", certificate for [%s]", strings.Join(server.CertificateNames(leaf), ", "))
	}
	var who []string
	if d.users != nil {
		who = append(who, fmt.Sprintf("%s of %s", people(d.users.Len()), c.ConsoleUsersFile))
	}
	if c.HasOIDC() {
		who = append(who, fmt.Sprintf("members of the group %q at %s", c.ConsoleOIDCGroup, c.ConsoleOIDCIssuer))
	}
	if len(who) == 0 {
		return []string{line + "; everybody on this machine may see it, without a password"}
	}
	return []string{line + "; who may log in: " + strings.Join(who, ", and ")}
}

// people is a number of people in words.
func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return strconv.Itoa(n) + " people"
}

// consoleURL is the address of the console as people open it.
func (d *Daemon) consoleURL(address string) string {
	if d.config.HasTLS() {
		return "https://" + address
	}
	return "http://" + address
}

// keepUsers reloads the file of the people who may log in.
func (s *service) keepUsers() {
	s.usersSet.SetLoad(func() (func(), error) {
		s.log.Trace("reading the users of the console")
		path := string(s.config.ConsoleUsersFile)
		users, err := access.LoadUsers(path)
		if errors.Is(err, access.ErrNobody) { // fail closed: the sessions of whom it had before end
			users, err = access.Nobody(), nil
		}
		if err != nil {
			return nil, usersProblem(path, err)
		}
		return func() {
			s.guard.UseUsers(users)
			found := fmt.Sprintf("reloaded: users of the console: %d", users.Len())
			if warnings := users.Warnings(); len(warnings) > 0 {
				s.log.Warn(found + "; " + usersVariable + ": " + strings.Join(warnings, "; "))
				return
			}
			s.log.Info(found)
		}, nil
	})
}

// newConsole makes the console, if there is one.
func (s *service) newConsole(version string) {
	if s.config.ConsoleAddress.Off() {
		return
	}
	s.metrics.Console(access.Results())
	pages := &console.Pages{
		Journal: s.database.Journal(), Live: s.consoleLive(), Now: s.now, Notice: s.auditNotice, Record: s.recordConsole, Version: version,
	}
	s.guard = access.NewGuard(access.Settings{
		Pages: pages, Renderer: pages, Store: s.database, Now: s.now, Users: s.users, Provider: s.newProvider(), TLS: s.consoleTLS != nil,
		Notice: s.auditNotice, Trust: server.Trust, Record: func(e access.Event) { s.recordConsole(accessEvent(e)) },
	})
}

// newProvider makes the OpenID provider; nil without one. It is asked when the first person logs in: one that does not answer is no
// reason to refuse every device.
func (s *service) newProvider() *access.Provider {
	c := s.config
	if !c.HasOIDC() {
		return nil
	}
	return access.NewProvider(access.ProviderSettings{
		Issuer: string(c.ConsoleOIDCIssuer), ClientID: c.ConsoleOIDCClientID, ClientSecret: c.ConsoleOIDCClientSecret.Reveal,
		Group: c.ConsoleOIDCGroup, GroupsClaim: c.ConsoleOIDCGroupsClaim, URL: string(c.ConsoleURL), Now: s.now,
	})
}

// auditNotice writes a line about an act of a person to the audit log. With an error, the person is not let in, or shown anything.
func (s *service) auditNotice(n audit.Notice) error {
	if n.Event == access.EventLogIn {
		s.metrics.LogIn(n.Result)
	}
	if s.trail == nil {
		return nil // the log has it
	}
	n.Left = noticeLeft
	err := s.trail.AppendEvent(n)
	s.metrics.AuditWritten(err)
	s.state.set(auditLine, err)
	if err != nil {
		s.log.Errorf("AUDIT_LOG_PATH: what a person does in the console is not in the audit log, so that nothing is shown: %v", err)
	}
	return err
}

// recordConsole logs a request to the console. What was searched for is in the audit log alone.
func (s *service) recordConsole(e console.Event) {
	s.metrics.ConsoleRequest(e.Page, e.Status)
	s.logRequest("CONSOLE", e.Page, e.Status, []field{
		{audit.KeyPage, e.Page},
		{audit.KeyUser, audit.Clean(e.Person, maxPerson)},
		{audit.KeyDurationMS, strconv.FormatFloat(float64(e.Duration.Microseconds())/1000, 'f', -1, 64)},
		{audit.KeyRemoteAddress, e.RemoteAddress},
		{audit.KeyReason, audit.Clean(e.Reason, maxMessage)},
		{audit.KeyStack, e.Stack},
	})
}

// accessEvent is an event of the log-in, as those of the pages are.
func accessEvent(e access.Event) console.Event {
	return console.Event{Page: e.Page, Person: e.Person, Status: e.Status, Duration: e.Duration, RemoteAddress: e.RemoteAddress, Reason: e.Reason}
}

// consoleServer makes the server of CONSOLE_ADDRESS; nil without one.
func (s *service) consoleServer(errorLog io.Writer) *server.Server {
	if s.guard == nil {
		return nil
	}
	made := server.New(s.guard, s.consoleTLS, consoleConnections, errorLog)
	made.Notify(func(line string) { s.log.Warn("CONSOLE_ADDRESS: " + line) })
	return made
}

// onLoopback refuses a listener without users that is not on loopback after all: /etc/hosts may say so of localhost.
func (s *service) onLoopback(l net.Listener) error {
	address, ok := l.Addr().(*net.TCPAddr)
	if s.config.HasUsers() || ok && address.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("CONSOLE_ADDRESS: %s is %s, which is not on loopback, and there are no users; set it to 127.0.0.1:PORT", s.config.ConsoleAddress, l.Addr())
}
