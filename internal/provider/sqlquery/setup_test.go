package sqlquery_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/sqlquery"
)

var (
	_ posture.Lister  = (*sqlquery.Provider)(nil)
	_ posture.Checker = (*sqlquery.Provider)(nil)
)

// setUp follows docs/providers/sql.md: the view, the user, the query, and the list.
func setUp(t *testing.T, b *backend) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/providers/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	block := func(after string) string {
		t.Helper()
		_, rest, found := strings.Cut(page, after)
		match := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(rest)
		if !found || match == nil {
			t.Fatalf("docs/providers/sql.md has no statements after %q", after)
		}
		return match[1]
	}
	line := func(key string) string {
		t.Helper()
		match := regexp.MustCompile(key + `:(?: \|\n)? *(SELECT .*)\n`).FindStringSubmatch(page)
		if match == nil {
			t.Fatalf("docs/providers/sql.md has no %s", key)
		}
		return match[1]
	}
	run := func(statements string) {
		t.Helper()
		for statement := range strings.SplitSeq(statements, ";\n") {
			if b.driver == "postgres" {
				statement = strings.ReplaceAll(statement, "DATABASE inventory", "DATABASE postgres")
			}
			if strings.TrimSpace(statement) != "" {
				b.exec(t, statement)
			}
		}
	}
	b.exec(t, "CREATE TABLE devices (serial VARCHAR(40), managed BOOLEAN, os_version VARCHAR(20), last_seen TIMESTAMP NULL, tags VARCHAR(200))")
	b.insert(t, "devices", "serial, managed, os_version, last_seen, tags", "C02XK1JKLVCG", true, "15.4.1", "2026-11-01 10:00:00", "Finance, Macs")
	run(block("**1. Make a view.**"))
	c := b.config("", "")
	switch b.driver {
	case "postgres":
		run(block("\nPostgreSQL:\n"))
		c.DSN = config.NewSecret([]byte(b.server.PostgresURL("step_posture", "a-long-password", "postgres")))
	case "mysql":
		run(block("\nMySQL, MariaDB:\n"))
		c.DSN = config.NewSecret([]byte(b.server.MySQL("step_posture", "a-long-password", "inventory") + "?sslrootcert=" + b.server.CA))
	}
	c.Query = config.Lines(strings.ReplaceAll(line("query"), "$1", b.parameter))
	c.ListQuery = config.Lines(line("list_query"))
	p := open(t, c)
	found, warnings, err := p.Check(t.Context())
	if err != nil || len(warnings) > 0 || found == "" {
		t.Fatalf("Check = %q, %q, %v", found, warnings, err)
	}
	d := finds(t, p, "c02xk1jklvcg")
	managed, _ := d.Facts.Managed.Get()
	groups, _ := d.Facts.Groups.Get()
	version, _ := d.Facts.OSVersion.Get()
	if _, seen := d.Facts.LastSeen.Get(); !managed || len(groups) != 2 || version.String() != "15.4.1" || !seen {
		t.Errorf("the device is %+v", d.Facts)
	}
	all, _, err := listed(t, p, posture.AllFacts())
	if err != nil || len(all) != 1 {
		t.Errorf("List = %+v, %v, want the device", all, err)
	}
	// The user may read nothing else.
	if b.server != nil {
		c.Query = config.Lines("SELECT serial AS device_identifier FROM devices WHERE serial = " + b.parameter)
		fails(t, open(t, c), "C02XK1JKLVCG", "may not read")
	}
}
