package sqlquery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvironmentAddsNothing: a DSN is all that says where the password goes and whom the connector believes. It is not
// parallel, because it sets variables of the process.
func TestEnvironmentAddsNothing(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("HOME", home)
	write(".pgpass", "*:*:*:*:from-the-home\n")
	write(".postgresql/root.crt", "no certificate")
	write(".postgresql/postgresql.crt", "no certificate")
	write(".postgresql/postgresql.key", "no key")
	t.Setenv("PGPASSFILE", write("passwords", "*:*:*:*:from-a-file\n"))
	t.Setenv("PGPASSWORD", "from-the-environment")
	t.Setenv("PGSSLMODE", "disable")
	t.Setenv("PGSSLROOTCERT", write("root.pem", "no certificate"))
	t.Setenv("PGSSLCERT", write("client.pem", "no certificate"))
	t.Setenv("PGSSLKEY", write("client.key", "no key"))
	t.Setenv("PGSSLPASSWORD", "from-the-environment")
	t.Setenv("PGSSLSNI", "0")
	t.Setenv("PGSSLNEGOTIATION", "direct")
	t.Setenv("PGSSLCERTMODE", "require")
	t.Setenv("PGREQUIREAUTH", "none")
	t.Setenv("PGCHANNELBINDING", "disable")
	t.Setenv("PGMINPROTOCOLVERSION", "3.2")
	t.Setenv("PGMAXPROTOCOLVERSION", "latest")
	t.Setenv("PGTARGETSESSIONATTRS", "standby")
	t.Setenv("PGOPTIONS", "-c standard_conforming_strings=off")
	t.Setenv("PGTZ", "Asia/Tokyo")
	t.Setenv("PGHOST", "elsewhere.example.com")
	t.Setenv("PGPORT", "6666")
	t.Setenv("PGDATABASE", "elsewhere")
	t.Setenv("PGUSER", "elsewhere")
	t.Setenv("PGCONNECT_TIMEOUT", "7")
	parsed, err := postgresDialect{}.parse("postgres://u@db.example.com/d?search_path=inventory")
	if err != nil {
		t.Fatal(err)
	}
	d := parsed.(postgresDatabase)
	c := d.config
	if c.Password != "" || c.Host != "db.example.com" || c.Port != 5432 || c.User != "u" || c.Database != "d" {
		t.Errorf("the address is %s:%d %s %s, password %q", c.Host, c.Port, c.User, c.Database, c.Password)
	}
	if c.TLSConfig == nil || c.TLSConfig.InsecureSkipVerify || c.TLSConfig.ServerName != "db.example.com" || c.TLSConfig.RootCAs != nil || len(c.TLSConfig.Certificates) > 0 {
		t.Errorf("TLS is %+v", c.TLSConfig)
	}
	if len(c.Fallbacks) > 0 || c.ValidateConnect != nil || c.SSLNegotiation == "direct" || c.RequireAuth != "" || c.ChannelBinding != "prefer" || c.MinProtocolVersion != "3.0" || c.MaxProtocolVersion != "3.0" || c.ConnectTimeout != 0 {
		t.Errorf("the connection is %+v", c.Config)
	}
	if len(c.RuntimeParams) != 2 || c.RuntimeParams["search_path"] != "inventory" || c.RuntimeParams["application_name"] == "" {
		t.Errorf("variables of the server: %v", c.RuntimeParams)
	}
	t.Setenv("PGSERVICE", "other")
	if _, err := (postgresDialect{}).parse("postgres://u:p@db.example.com/d"); err == nil || !strings.Contains(err.Error(), "PGSERVICE") {
		t.Errorf("parse with PGSERVICE = %v", err)
	}
}
