package e2e_test

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/postgres"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The devices of the database; the first is the one that docs/providers/sql.md looks up.
const (
	guideRow     = "C02XK1JKLVCG"
	unmanagedRow = "C02SQLROW002"
	lostRow      = "C02SQLROW003" // not seen for two months
	doubleRow    = "C02SQLROW004"
	foreignRow   = "C02SQLROW009"
)

// devicesTable is what the organization has before anybody reads docs/providers/sql.md. Each row is one device, except
// those with doubleRow.
const devicesTable = `CREATE TABLE devices (id SERIAL PRIMARY KEY, serial TEXT, managed BOOLEAN, os_version TEXT, last_seen TIMESTAMPTZ, tags TEXT);
INSERT INTO devices (serial, managed, os_version, last_seen, tags) VALUES
	('c02xk1jklvcg', true, '15.4.1', now() - interval '1 day', 'Finance, Macs'),
	('C02SQLROW002', false, '15.4.1', now() - interval '1 day', 'Finance'),
	('C02SQLROW003', true, '14.7', now() - interval '60 days', NULL),
	('C02SQLROW004', true, '15.4.1', date '2026-01-01', 'Finance'),
	('C02SQLROW004', false, '15.4.1', date '2026-01-01', 'Macs')`

// database is a PostgreSQL server on which the first steps of docs/providers/sql.md were done, and the file with its address.
type database struct {
	*postgres.Server
	guide guide
	dsn   string
}

// testSQL follows docs/providers/sql.md literally, with PostgreSQL: the view, the user, the address, and then each of the
// two ways to configure it.
func testSQL(t *testing.T, l *lab) {
	d := l.openDatabase(t)
	t.Run("policy file", func(t *testing.T) { testSQLPolicyFile(t, l, d) })
	t.Run("variables", func(t *testing.T) { testSQLVariables(t, l, d) })
}

func (l *lab) openDatabase(t *testing.T) database {
	t.Helper()
	folder := t.TempDir()
	certificate, key, err := l.ca.IssueServer(t.Context(), folder, stepca.EC)
	if err != nil {
		t.Fatal(err)
	}
	server, err := postgres.Start(context.WithoutCancel(t.Context()), certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	d := database{server, readGuide(t, l, "sql.md"), filepath.Join(folder, "dsn")}
	d.run(t, devicesTable)
	d.run(t, d.guide.block(t, "**1. Make a view.**", "sql"))
	d.run(t, d.guide.block(t, "**2. Make a user", "sql"))
	writeFile(t, d.dsn, replaceOnce(t, d.guide.block(t, "**3. Write the address", ""), map[string]string{"db.example.com:5432": server.Address()}))
	return d
}

func (d database) run(t *testing.T, statements string) {
	t.Helper()
	if _, err := d.Query(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// down ends the server until the test ends or up was called.
func (d database) down(t *testing.T) {
	t.Helper()
	if err := d.Down(); err != nil {
		t.Fatal(err)
	}
}

func (d database) up(t *testing.T) {
	t.Helper()
	if err := d.Up(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// testSQLPolicyFile: the policy file of the page has a snapshot, so that an outage stops nobody who was allowed. No
// device is refused because of it: the others are told to try later.
func testSQLPolicyFile(t *testing.T, l *lab, d database) {
	policies := replaceOnce(t, d.guide.block(t, "**4. Name both in the policy file,**", "yaml"), map[string]string{"/etc/step-posture-connector/dsn": d.dsn})
	g := l.open(t, gate.Config{Modes: []string{"default"}, Kind: stepca.Authorizing, Policies: policies, Trusted: l.ca.RootPath(), LoggingLevel: 2})
	expectGuideCommands(t, g, "inventory assets (sql): ", `device.groups: "Finance", "Macs"`, "device.os_version: 15.4.1", "device.managed: true")
	expectLog(t, g.Connector(), "snapshot of inventory assets: ", "was fetched: ")

	directory := g.DirectoryURLOf("default")
	cert, err := finalize(t, l.order(t, directory, guideRow))
	expectIssuedTo(t, guideRow, cert, err)
	expectLog(t, g.Connector(), "[ALLOW]", guideRow, "provider=sql", "inventory=assets", "snapshot-age=")
	for serial, code := range map[string]string{
		unmanagedRow: "deviceNotManaged", lostRow: "deviceNotCompliant", doubleRow: "deviceAmbiguous", foreignRow: "deviceNotFound",
	} {
		cert, err := finalize(t, l.order(t, directory, serial))
		expectRefused(t, g.Connector(), code, serial, cert, err)
	}

	unmanaged, foreign := l.order(t, directory, unmanagedRow), l.order(t, directory, foreignRow)
	d.down(t)
	cert, err = finalize(t, l.order(t, directory, guideRow))
	expectIssuedTo(t, guideRow, cert, err)
	expectServerError(t, unmanaged)
	expectServerError(t, foreign)
	expectLog(t, g.Connector(), "[DENY]", "unavailable", unmanagedRow, "status=503")

	// What was changed counts at once, for the same orders, although the snapshot is the one from before.
	d.up(t)
	d.run(t, "UPDATE devices SET managed = true WHERE serial = '"+unmanagedRow+"'")
	cert, err = finalize(t, unmanaged)
	expectIssuedTo(t, unmanagedRow, cert, err)
	cert, err = finalize(t, foreign)
	expectRefused(t, g.Connector(), "deviceNotFound", foreignRow, cert, err)
	d.run(t, "UPDATE devices SET managed = false WHERE serial = '"+unmanagedRow+"'")
	d.expectNoSecrets(t, g)
}

// testSQLVariables: without a policy file there is no snapshot, so an outage stops everybody, and nobody is refused.
func testSQLVariables(t *testing.T, l *lab, d database) {
	query := filepath.Join(t.TempDir(), "device.sql")
	text := regexp.MustCompile(`(?m)^ +query: \|\n +(SELECT .*\n)`).FindStringSubmatch(d.guide.text)
	if text == nil {
		t.Fatal("the policy file of docs/providers/sql.md has no query")
	}
	writeFile(t, query, text[1])
	variables := replaceOnce(t, d.guide.block(t, "or, without a policy file", ""), map[string]string{
		"/etc/step-posture-connector/dsn": d.dsn, "/etc/step-posture-connector/device.sql": query,
	})
	g := l.open(t, gate.Config{Kind: stepca.Authorizing, Trusted: l.ca.RootPath(), LoggingLevel: 2, More: strings.Fields(variables)})
	expectGuideCommands(t, g, "", `groups: "Finance", "Macs"`, "device, managed")

	cert, err := finalize(t, l.order(t, g.DirectoryURL(), guideRow))
	expectIssuedTo(t, guideRow, cert, err)
	expectLog(t, g.Connector(), "[ALLOW]", guideRow, "provider=sql")
	for serial, code := range map[string]string{unmanagedRow: "deviceNotManaged", doubleRow: "deviceAmbiguous", foreignRow: "deviceNotFound"} {
		cert, err := finalize(t, l.order(t, g.DirectoryURL(), serial))
		expectRefused(t, g.Connector(), code, serial, cert, err)
	}

	known, foreign := l.order(t, g.DirectoryURL(), guideRow), l.order(t, g.DirectoryURL(), foreignRow)
	d.down(t)
	expectServerError(t, known)
	expectServerError(t, foreign)
	expectLog(t, g.Connector(), "[DENY]", "unavailable", guideRow, "status=503")
	d.up(t)
	cert, err = finalize(t, known)
	expectIssuedTo(t, guideRow, cert, err)
	cert, err = finalize(t, foreign)
	expectRefused(t, g.Connector(), "deviceNotFound", foreignRow, cert, err)
	d.expectNoSecrets(t, g)
}

// expectGuideCommands runs the last step of the page.
func expectGuideCommands(t *testing.T, g *gate.Gate, inventory string, shown ...string) {
	t.Helper()
	checked, err := g.Run(t.Context(), nil, "check")
	if err != nil {
		t.Fatal(err)
	}
	if want := inventory + "PostgreSQL "; !strings.Contains(checked.Stdout, want) || checked.Status != 0 {
		t.Errorf("check: exit status %d, want 0 and %q:\n%s%s", checked.Status, want, checked.Stdout, checked.Stderr)
	}
	looked, err := g.Run(t.Context(), nil, "lookup", guideRow)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append(shown, "[ALLOW] "+guideRow) {
		if !strings.Contains(looked.Stdout, want) || looked.Status != 0 {
			t.Errorf("lookup: exit status %d, want 0 and %q:\n%s%s", looked.Status, want, looked.Stdout, looked.Stderr)
		}
	}
}

// expectNoSecrets looks for the password of the page.
func (d database) expectNoSecrets(t *testing.T, g *gate.Gate) {
	t.Helper()
	if log := g.Connector().Log(); strings.Contains(log, "a-long-password") {
		t.Errorf("the log shows the password:\n%s", log)
	}
}
