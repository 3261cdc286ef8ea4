package sqlquery_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// products runs the queries of docs/providers/sql.md for products on tables of that shape.
func products(t *testing.T, b *backend) {
	t.Helper()
	if b.driver != "mysql" {
		return // these products are made for MySQL and MariaDB
	}
	page, err := os.ReadFile("../../../docs/providers/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	query := func(product string) string {
		_, section, _ := strings.Cut(string(page), "\n### "+product+"\n")
		found := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(section)
		if found == nil {
			t.Fatalf("docs/providers/sql.md has no query for %s", product)
		}
		return found[1]
	}
	allow := func(tables ...string) {
		for _, name := range tables {
			b.allow(t, name)
		}
	}
	run := func(product string, serial string) posture.Device {
		t.Helper()
		c := b.config("", "")
		c.ListQuery = ""
		c.Query = b.config(query(product), "").Query
		p := open(t, c)
		if _, warnings, err := p.Check(t.Context()); err != nil || len(warnings) > 0 {
			t.Errorf("%s: Check = %q, %v", product, warnings, err)
		}
		return finds(t, p, serial)
	}
	managed := func(product string, d posture.Device, want bool) {
		t.Helper()
		if is, known := d.Facts.Managed.Get(); !known || is != want {
			t.Errorf("%s: managed is %v (known: %v), want %v", product, is, known, want)
		}
	}

	b.exec(t, "CREATE TABLE assets (id INT, serial VARCHAR(191), name VARCHAR(191), asset_tag VARCHAR(191), model_id INT, status_id INT, assigned_to INT, assigned_type VARCHAR(191), deleted_at TIMESTAMP NULL)")
	b.exec(t, "CREATE TABLE status_labels (id INT, name VARCHAR(100), deployable TINYINT(1))")
	b.exec(t, "CREATE TABLE models (id INT, name VARCHAR(191))")
	b.exec(t, "CREATE TABLE users (id INT, username VARCHAR(191), email VARCHAR(191), jobtitle VARCHAR(191))")
	allow("assets", "status_labels", "models", "users")
	b.exec(t, "INSERT INTO status_labels VALUES (1, 'Deployed', 1), (2, 'Lost, or stolen', 0)")
	b.exec(t, "INSERT INTO models VALUES (1, 'MacBook Pro')")
	b.exec(t, "INSERT INTO users VALUES (1, 'ana', 'ana@example.com', 'Engineer')")
	b.exec(t, `INSERT INTO assets VALUES (1, 'SNIPE001', 'ana-mac', 'A1', 1, 1, 1, 'App\\Models\\User', NULL), (2, 'SNIPE002', 'lost', 'A2', 1, 2, NULL, NULL, NULL), (3, 'SNIPE003', 'spare', 'A3', 1, 1, 1, 'App\\Models\\Location', NULL)`)
	d := run("Snipe-IT", "SNIPE001")
	managed("Snipe-IT", d, true)
	if mail, _ := d.Facts.User.EmailAddress.Get(); mail != "ana@example.com" {
		t.Errorf("Snipe-IT: the user's address is %q", mail)
	}
	d = run("Snipe-IT", "SNIPE002")
	managed("Snipe-IT", d, false)
	if groups, _ := d.Facts.Groups.Get(); len(groups) != 1 || groups[0] != "Lost, or stolen" {
		t.Errorf("Snipe-IT: the groups are %q", groups)
	}
	if user, known := run("Snipe-IT", "SNIPE003").Facts.User.Username.Get(); known {
		t.Errorf("Snipe-IT: an asset of a location has the user %q", user)
	}

	b.exec(t, "CREATE TABLE machine (id INT, serial_number VARCHAR(64), computer_name VARCHAR(255), machine_model VARCHAR(255), os_version INT)")
	b.exec(t, "CREATE TABLE reportdata (id INT, serial_number VARCHAR(64), console_user VARCHAR(255), timestamp BIGINT, archive_status INT)")
	allow("machine", "reportdata")
	b.exec(t, "INSERT INTO machine VALUES (1, 'MUNKI001', 'ana-mac', 'Mac14,9', 150401)")
	b.exec(t, "INSERT INTO reportdata VALUES (1, 'MUNKI001', 'ana', 1769871845, 0)")
	d = run("MunkiReport", "MUNKI001")
	managed("MunkiReport", d, true)
	if version, _ := d.Facts.OSVersion.Get(); version.String() != "15.4.1" {
		t.Errorf("MunkiReport: the version is %q", version)
	}
	if _, known := d.Facts.LastSeen.Get(); !known {
		t.Error("MunkiReport: last_seen is unknown")
	}

	b.exec(t, "CREATE TABLE hosts (id INT, hardware_serial VARCHAR(255), uuid VARCHAR(255), computer_name VARCHAR(255), platform VARCHAR(255), os_version VARCHAR(255))")
	b.exec(t, "CREATE TABLE host_seen_times (host_id INT, seen_time TIMESTAMP NULL)")
	b.exec(t, "CREATE TABLE host_mdm (host_id INT, enrolled TINYINT(1))")
	b.exec(t, "CREATE TABLE policy_membership (policy_id INT, host_id INT, passes TINYINT(1) NULL)")
	allow("hosts", "host_seen_times", "host_mdm", "policy_membership")
	b.exec(t, "INSERT INTO hosts VALUES (1, 'FLEET001', 'U1', 'old', 'darwin', 'macOS 14.1'), (2, 'FLEET001', 'U2', 'new', 'darwin', 'macOS 15.4.1'), (3, 'FLEET002', 'U3', 'none', 'windows', 'Windows 11')")
	b.exec(t, "INSERT INTO host_seen_times VALUES (1, '2025-01-01 00:00:00'), (2, '2026-01-01 00:00:00')")
	b.exec(t, "INSERT INTO host_mdm VALUES (1, 1), (2, 1)")
	b.exec(t, "INSERT INTO policy_membership VALUES (1, 1, 0), (1, 2, 1), (2, 2, 1)")
	d = run("Fleet", "FLEET001")
	managed("Fleet", d, true)
	if name, _ := d.Facts.Name.Get(); name != "new" {
		t.Errorf("Fleet: the record is %q, want the one that was seen last", name)
	}
	if ok, known := d.Facts.Compliant.Get(); !ok || !known {
		t.Errorf("Fleet: compliant is %v (known: %v), want true", ok, known)
	}
	if os, _ := d.Facts.OS.Get(); os != "macOS" {
		t.Errorf("Fleet: the OS is %q", os)
	}
	if version, _ := d.Facts.OSVersion.Get(); version.String() != "15.4.1" {
		t.Errorf("Fleet: the version is %q", version)
	}
	d = run("Fleet", "FLEET002")
	managed("Fleet", d, false)
	if ok, known := d.Facts.Compliant.Get(); known {
		t.Errorf("Fleet: compliant of a host without policies is %v, want unknown", ok)
	}

	b.exec(t, "CREATE TABLE glpi_computers (id INT, serial VARCHAR(255), name VARCHAR(255), users_id INT, states_id INT, is_deleted TINYINT, is_template TINYINT, last_inventory_update TIMESTAMP NULL)")
	b.exec(t, "CREATE TABLE glpi_states (id INT, name VARCHAR(255))")
	b.exec(t, "CREATE TABLE glpi_users (id INT, name VARCHAR(255), realname VARCHAR(255), firstname VARCHAR(255))")
	allow("glpi_computers", "glpi_states", "glpi_users")
	b.exec(t, "INSERT INTO glpi_states VALUES (1, 'In use')")
	b.exec(t, "INSERT INTO glpi_users VALUES (1, 'ana', 'Diaz', 'Ana')")
	b.exec(t, "INSERT INTO glpi_computers VALUES (1, 'GLPI0001', 'ana-pc', 1, 1, 0, 0, '2026-01-31 15:04:05'), (2, 'GLPI0002', 'gone', 0, 0, 1, 0, NULL)")
	d = run("GLPI", "GLPI0001")
	managed("GLPI", d, true)
	if name, _ := d.Facts.User.RealName.Get(); name != "Ana Diaz" {
		t.Errorf("GLPI: the user's name is %q", name)
	}
	managed("GLPI", run("GLPI", "GLPI0002"), false)
}
