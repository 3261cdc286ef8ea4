package blackbox_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
	"step-posture-connector/internal/test/sqltest"
)

func identifiersOf(records []factRecord) []string {
	var all []string
	for _, r := range records {
		all = append(all, r.identifier)
	}
	return all
}

// fileOf is an inventory in a file.
func fileOf(t *testing.T, records []factRecord) exportable {
	t.Helper()
	var devices []any
	for _, r := range records {
		facts := map[string]map[string]any{"device": {}, "user": {}}
		for name, value := range r.facts {
			about, member, _ := strings.Cut(name, ".")
			facts[about][member] = value
		}
		devices = append(devices, map[string]any{"identifier": r.identifier, "facts": facts})
	}
	text, err := json.Marshal(map[string]any{"devices": devices})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "inventory.json")
	write(t, path, string(text))
	return exportable{"{provider: file, path: " + path + ", type: json}", program.Environment{}, identifiersOf(records)}
}

// serviceOf is an inventory behind a web service that names its members as the facts, except the attributes.
func serviceOf(t *testing.T, records []factRecord) exportable {
	t.Helper()
	record := func(r factRecord) map[string]any {
		members := map[string]any{"id": r.identifier}
		for name, value := range r.facts {
			members[name] = value
		}
		return members
	}
	answer := func(w http.ResponseWriter, devices ...map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"devices": devices}) // its only error is that the client has left
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /devices/{identifier}", func(w http.ResponseWriter, request *http.Request) {
		for _, r := range records {
			if r.identifier == request.PathValue("identifier") {
				answer(w, record(r))
			}
		}
	})
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, _ *http.Request) {
		var all []map[string]any
		for _, r := range records {
			all = append(all, record(r))
		}
		answer(w, all...)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	var section bytes.Buffer
	fmt.Fprintf(&section, `
    provider: http
    base_url: %s
    ca_file: %s
    search: exact
    request: {path: "/devices/{{serial}}"}
    select: {items: body.devices, more: "false"}
    list: {request: {path: /devices}, items: body.devices, next: "null", total: size(body.devices)}
    map:
      device.identifier: item.id
      attributes.asset: 'item[?"device.attributes"].?asset'
      attributes.other: 'item[?"device.attributes"].?other'
`, server.URL, ca)
	for name := range factExamples() {
		switch name {
		case "device.identifier", "device.attributes":
		case "device.last_seen", "device.enrolled_at":
			fmt.Fprintf(&section, "      %[1]s: 'parseTime(item[?\"%[1]s\"])'\n", name)
		default:
			fmt.Fprintf(&section, "      %[1]s: 'item[?\"%[1]s\"]'\n", name)
		}
	}
	return exportable{section.String(), program.Environment{}, identifiersOf(records)}
}

// databaseOf is an inventory in PostgreSQL, in a view with a column for each fact.
func databaseOf(t *testing.T, records []factRecord) exportable {
	t.Helper()
	server := sqltest.PostgreSQL(t)
	columns := []string{"device_identifier TEXT", "asset TEXT", "other TEXT"}
	for name, example := range factExamples() {
		column := strings.Replace(name, ".", "_", 1)
		switch _, flag := example.met.(bool); {
		case name == "device.identifier" || name == "device.attributes":
		case flag:
			columns = append(columns, column+" BOOLEAN")
		case name == "device.last_seen" || name == "device.enrolled_at":
			columns = append(columns, column+" TIMESTAMPTZ")
		default:
			columns = append(columns, column+" TEXT")
		}
	}
	server.Exec(t, "CREATE TABLE devices ("+strings.Join(columns, ", ")+")")
	server.Exec(t, "GRANT SELECT ON devices TO "+sqltest.Reader)
	for _, r := range records {
		row := map[string]any{"device_identifier": r.identifier}
		for name, value := range r.facts {
			switch value := value.(type) {
			case map[string]string:
				for attribute, text := range value {
					row[attribute] = text
				}
			case []string:
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				row[strings.Replace(name, ".", "_", 1)] = string(text)
			default:
				row[strings.Replace(name, ".", "_", 1)] = value
			}
		}
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		server.Exec(t, "INSERT INTO devices SELECT * FROM json_populate_record(NULL::devices, $1)", string(text))
	}
	section := "{provider: sql, driver: postgres, dsn: {env: DSN}, query: 'SELECT * FROM devices WHERE device_identifier = $1', list_query: SELECT * FROM devices}"
	return exportable{section, program.Environment{"DSN": server.PostgresURL(sqltest.Reader, sqltest.ReaderPassword, "postgres")}, identifiersOf(records)}
}

// jamfOf has each record twice, as that of a computer and as that of a mobile device, with what Jamf Pro knows of it.
func jamfOf(t *testing.T, records []factRecord) exportable {
	t.Helper()
	flag := func(r factRecord, name string) *bool {
		if value, known := r.facts[name].(bool); known {
			return &value
		}
		return nil
	}
	at := func(r factRecord, name string) time.Time {
		parsed, _ := time.Parse(time.RFC3339, r.text(name)) // zero where it is unknown
		return parsed
	}
	var devices []jamftest.Device
	var identifiers []string
	for _, r := range records {
		for _, computer := range []bool{true, false} {
			supervised := flag(r, "device.supervised")
			d := jamftest.Device{
				Computer: computer, Serial: r.identifier, UDID: r.text("device.udid"), Name: r.text("device.name"),
				Managed: flag(r, "device.managed"), Supervised: supervised != nil && *supervised,
				User: jamftest.User{
					Username: r.text("user.username"), RealName: r.text("user.realname"), Email: r.text("user.email_address"),
					Position: r.text("user.position"), Department: r.text("user.department"),
				},
				Details: jamftest.Details{
					OSVersion: r.text("device.os_version"), Encrypted: flag(r, "device.encrypted"),
					LastContact: at(r, "device.last_seen"), LastEnrolled: at(r, "device.enrolled_at"),
				},
			}
			if !computer {
				d.Serial = strings.Replace(r.identifier, "C02", "F17", 1)
				d.Details.Ownership = map[string]string{"organization": "Institutional", "personal": "UserEnrollment"}[r.text("device.ownership")]
			}
			groups, _ := r.facts["device.groups"].([]string)
			for _, group := range groups {
				d.Groups = append(d.Groups, jamftest.Group{Name: group})
			}
			attributes, _ := r.facts["device.attributes"].(map[string]string)
			for name, value := range attributes {
				d.Details.Attributes = append(d.Details.Attributes, jamftest.Attribute{Name: name, Values: []string{value}})
			}
			devices, identifiers = append(devices, d), append(identifiers, d.Serial)
		}
	}
	server, env := program.StartJamf(t, program.NewPKI(t), devices...)
	section := fmt.Sprintf("{provider: jamf, base_url: %q, client_id: %q, client_secret: {env: SECRET}}", server.BaseURL(), server.Client().ID)
	return exportable{section, program.Environment{"SSL_CERT_FILE": env["SSL_CERT_FILE"], "SECRET": server.Client().Secret}, identifiers}
}
