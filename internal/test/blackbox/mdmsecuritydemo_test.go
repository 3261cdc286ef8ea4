package blackbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// TestDemoQueries: POST /devices/query, on both listeners. Without TLS there is nothing else.
func TestDemoQueries(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	query := func(serial, udid string) string {
		return fmt.Sprintf(`{"serial_number": %q, "udid": %q}`, serial, udid)
	}
	for _, test := range []struct {
		what, method, credential, body string
		want                           int
		text                           string
	}{
		{"listed serial number", "POST", demoQueries, query(demoSerial, "X"), 200, ""},
		{"listed UDID", "POST", demoQueries, query("X", demoUDID), 200, ""},
		{"a member more", "POST", demoQueries, `{"serial_number":"` + demoSerial + `","x":1}`, 200, ""},
		{"unlisted", "POST", demoQueries, query("X", "Y"), 404, "Not Found\n"},
		{"empty, as the empty line of the list", "POST", demoQueries, query("", ""), 404, "Not Found\n"},
		{"blank", "POST", demoQueries, query(" ", " "), 404, "Not Found\n"},
		{"wrong key", "POST", "x", query(demoSerial, ""), 401, "Unauthorized\n"},
		{"the credential of the keys", "POST", demoKeys, query(demoSerial, ""), 401, "Unauthorized\n"},
		{"no credential", "POST", "", query(demoSerial, ""), 401, "Unauthorized\n"},
		{"bad JSON", "POST", demoQueries, `{"serial_number":`, 400, "Bad Request\n"},
		{"GET", "GET", demoQueries, "", 405, "Method Not Allowed\n"},
	} {
		for _, by := range []string{"https://" + demoHost, "http://" + d.env["API_ADDRESS"]} {
			client := d.clients[0]
			if strings.HasPrefix(by, "http:") {
				client = plainClient()
			}
			status, header, text := ask(t, client, test.method, by+"/devices/query", []byte(test.body), "Authorization", "Bearer "+test.credential, "Content-Type", "application/json")
			if status != test.want || text != test.text || (status == 200) != (header.Get("Content-Type") == "") {
				t.Errorf("%s: %s: got %d %s %q, want %d %q", by, test.what, status, header.Get("Content-Type"), text, test.want, test.text)
			}
		}
	}
	for path, credential := range map[string]string{"/api/key/" + demoUDID: demoKeys, "/webhook": demoWebhook} {
		if status, _, text := ask(t, plainClient(), "POST", "http://"+d.env["API_ADDRESS"]+path, nil, "Authorization", "Bearer "+credential); status != http.StatusNotFound || text != "Not Found\n" {
			t.Errorf("%s without TLS: got %d %s, want 404", path, status, text)
		}
	}
	// The list changes without a restart.
	program.ReplaceFile(t, d.env["INVENTORY_PATH"], demoOther+"\n")
	d.Eventually(t, "the new list is in effect", func() bool {
		status, _, _ := ask(t, d.clients[0], "POST", "https://"+demoHost+"/devices/query", []byte(query(demoOther, "")), "Authorization", "Bearer "+demoQueries)
		return status == http.StatusOK
	})
}

// TestDemoOrders: the key of an order is good for one public key of a listed device, also after a restart.
func TestDemoOrders(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	first := &order{attested: demoSerial, udid: demoUDID, key: d.key(t, demoUDID)}
	d.want(t, "unlisted", &order{attested: demoOther, udid: demoUDID, key: first.key}, 200, "deviceNotFound")
	d.want(t, "another UDID", &order{attested: demoSerial, udid: "5B1D6C1E-0000-5E0E-9A55-0C7D1B0A9F11", key: first.key}, 200, "tokenInvalid")
	d.want(t, "no attestation", &order{udid: demoUDID, key: first.key}, 200, "attestationMissing")
	d.want(t, "bearer wrong", first, 401, "unauthenticated", "Authorization", "Bearer "+demoKeys)
	d.want(t, "no bearer", first, 401, "unauthenticated", "X", "")
	d.want(t, "no key", &order{attested: demoSerial, udid: demoUDID}, 200, "tokenInvalid")
	d.want(t, "a key of nobody", &order{attested: demoSerial, udid: demoUDID, key: strings.Repeat("A", 43)}, 200, "tokenInvalid")
	d.want(t, "the key of an order after refusals", first, 200, "allow")
	d.want(t, "the same CSR", first, 200, "allow")
	d.want(t, "another CSR", &order{attested: demoSerial, udid: demoUDID, key: first.key}, 200, "tokenInvalid")
	d.wantOf(t, "no order", []byte(`{}`), 400, "malformed", "Authorization", "Bearer "+demoWebhook)
	unused := &order{attested: demoSerial, udid: strings.ToLower(demoUDID), key: d.key(t, demoUDID)}
	d.restart(t)
	d.want(t, "the same CSR after a restart", first, 200, "allow")
	d.want(t, "another CSR after a restart", &order{attested: demoSerial, udid: demoUDID, key: first.key}, 200, "tokenInvalid")
	d.want(t, "an unused key after a restart, UDID in lower case", unused, 200, "allow")
	if log := d.Output(); strings.Contains(log, first.key) || strings.Contains(log, unused.key) {
		t.Errorf("the log has a key:\n%s", log)
	}
}

// TestDemoFault: step-ca repeats a body after 503. An MDM knows the UDID of the device, which the key must be for.
func TestDemoFault(t *testing.T) {
	t.Parallel()
	policies := filepath.Join(t.TempDir(), "posture.yaml")
	program.ReplaceFile(t, policies, "policies: {staff: {inventories: [jamf]}}\n")
	for name, changes := range map[string][]string{"alone": nil, "beside a policy file": {"POLICY_PATH", policies}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testDemoFault(t, changes...)
		})
	}
}

func testDemoFault(t *testing.T, changes ...string) {
	t.Helper()
	_, env := demoEnvironment(t)
	mac := program.Mac(demoSerial)
	mac.UDID = demoUDID
	server, jamf := program.NewJamf(t, program.NewPKI(t), mac)
	changes = append(changes, "INVENTORY_PATH", "")
	for name, value := range jamf {
		if env[name] == "" && !strings.HasPrefix(name, "WEBHOOK_") && !strings.HasPrefix(name, "TLS_") {
			changes = append(changes, name, value)
		}
	}
	d := startDemo(t, changes...)
	o := &order{attested: demoSerial, udid: demoUDID, key: d.key(t, demoUDID)}
	body, bearer := o.body(t), []string{"Authorization", "Bearer " + demoWebhook}
	d.wantOf(t, "Jamf Pro is down", body, 503, "unavailable", bearer...)
	query := func(want int) {
		t.Helper()
		status, _, text := ask(t, d.clients[0], "POST", "https://"+demoHost+"/devices/query", []byte(`{"serial_number":"`+demoSerial+`","udid":""}`), "Authorization", "Bearer "+demoQueries)
		if status != want {
			t.Errorf("query: got %d %s, want %d", status, text, want)
		}
	}
	query(503)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	d.Eventually(t, "Jamf Pro answers", func() bool {
		status, _, _ := ask(t, d.clients[0], "POST", "https://"+demoHost+"/webhook", body, bearer...)
		return status == http.StatusOK
	})
	d.want(t, "the same CSR, when Jamf Pro is up", o, 200, "allow")
	query(200)
	other := "00000000-0000-0000-0000-000000000000"
	d.want(t, "the key of another device", &order{attested: demoSerial, udid: other, key: d.key(t, other)}, 200, "tokenInvalid")
}

// TestDemoSignature: with WEBHOOK_IDS both the bearer credential and the signature are needed.
func TestDemoSignature(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "WEBHOOK_IDS", program.WebhookID, "WEBHOOK_SECRETS", program.WebhookSecret)
	if strings.Contains(d.Output(), "WEBHOOK_IDS is not set") {
		t.Error("the log warns of what is set")
	}
	body := (&order{attested: demoSerial, udid: demoUDID, key: d.key(t, demoUDID)}).body(t)
	secret, err := base64.StdEncoding.DecodeString(program.WebhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	signature := hex.EncodeToString(mac.Sum(nil))
	for _, test := range []struct {
		what, bearer, id, signature string
		status                      int
		decision                    string
	}{
		{"bearer alone", demoWebhook, "", "", 401, "unauthenticated"},
		{"signature alone", "", program.WebhookID, signature, 401, "unauthenticated"},
		{"another bearer", demoKeys, program.WebhookID, signature, 401, "unauthenticated"},
		{"another signature", demoWebhook, program.WebhookID, strings.Repeat("0", 64), 401, "unauthenticated"},
		{"another ID", demoWebhook, "00000000-0000-4000-8000-000000000000", signature, 401, "unauthenticated"},
		{"both", demoWebhook, program.WebhookID, signature, 200, "allow"},
	} {
		var headers []string
		for name, value := range map[string]string{"Authorization": "Bearer " + test.bearer, "X-Smallstep-Webhook-ID": test.id, "X-Smallstep-Signature": test.signature} {
			if value != "" && value != "Bearer " {
				headers = append(headers, name, value)
			}
		}
		d.wantOf(t, test.what, body, test.status, test.decision, headers...)
	}
}

// wantNoKey wants what makes enrollhandler fail: it decodes whatever the answer is, and sends a profile without a key if that
// succeeds.
func wantNoKey(t *testing.T, what string, status int, header http.Header, text string) {
	t.Helper()
	var into struct {
		Key string `json:"key"`
	}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&into); err == nil || status == http.StatusOK || strings.Contains(header.Get("Content-Type"), "json") {
		t.Errorf("%s: got %d %s %q, want no JSON", what, status, header.Get("Content-Type"), text)
	}
}

// TestDemoErrorsAreText: below /api/ nothing but a key is JSON, for any method, path, credential and size, over HTTP/1.1 and HTTP/2.
func TestDemoErrorsAreText(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	large, tooLarge := strings.Repeat("x", 1<<20), strings.Repeat("x", 20<<10)
	right := "/api/key/" + demoUDID
	for _, client := range d.clients {
		for _, path := range []string{
			right, "/api/key/", "/api/key", "/api/", "/api", "/api/keys/x", "/api/key/a/b", "/api/key//a", "//api/key/a", "/api/./key/a", "/api/key/../key/a", "/x/../api/key/a",
			"/api/key/%00", "/api/key/%ff", "/api/key/a%2fb%20", "/api%2fkey/a", "/api/key/a?b", "/api/key/a?", "/api/key/" + strings.Repeat("a", 300), "/api/key/" + tooLarge,
			"/API/key/a", "/key/a", "/" + demoUDID, "/", // with a slip in DYNAMIC_API_URL
		} {
			for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "POST"} {
				for credential, headers := range map[string][]string{
					"right": {"Authorization", "Bearer " + demoKeys}, "another's": {"Authorization", "Bearer " + demoQueries}, "none": {"X", "x"}, "too large": {"Authorization", "Bearer " + tooLarge},
				} {
					if path != right || method != "POST" || credential != "right" {
						status, header, text := ask(t, client, method, "https://"+demoHost+path, nil, headers...)
						wantNoKey(t, fmt.Sprintf("%s %.50s, credential %s", method, path, credential), status, header, text)
					}
				}
			}
		}
		for what, body := range map[string]string{"a body of 1 MiB": large, "a JSON body of 1 MiB": `{"key":"` + large + `"}`} {
			status, header, text := ask(t, client, "POST", "https://"+demoHost+right, []byte(body), "Authorization", "Bearer "+demoKeys)
			wantNoKey(t, what, status, header, text)
		}
	}
	// enrollhandler's DYNAMIC_API_URL with http in place of https.
	status, header, text := ask(t, plainClient(), "POST", "http://"+d.Address+right, nil, "Authorization", "Bearer "+demoKeys)
	wantNoKey(t, "without TLS", status, header, text)
	for range 100 {
		d.key(t, "00008030-001C2D8E0F90802E")
	}
	status, header, text = ask(t, d.clients[0], "POST", "https://"+demoHost+"/api/key/00008030001c2d8e0f90802e", nil, "Authorization", "Bearer "+demoKeys)
	wantNoKey(t, "a key too many", status, header, text)
	if status != http.StatusTooManyRequests {
		t.Errorf("a key too many: got %d, want 429", status)
	}
}

// TestDemoWithoutDatabase: a fault is text too, and 503 for step-ca, which tries again.
func TestDemoWithoutDatabase(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "STATE_URL", "postgres://posture@"+program.FreeAddress(t)+"/posture")
	status, header, text := ask(t, d.clients[0], "POST", "https://"+demoHost+"/api/key/"+demoUDID, nil, "Authorization", "Bearer "+demoKeys)
	wantNoKey(t, "no database", status, header, text)
	if status != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", status)
	}
	d.want(t, "no database", &order{attested: demoSerial, udid: demoUDID, key: strings.Repeat("A", 43)}, 503, "unavailable")
}

// TestDemoMistakes: the daemon does not start, and says why.
func TestDemoMistakes(t *testing.T) {
	t.Parallel()
	_, good := demoEnvironment(t)
	policies := filepath.Join(t.TempDir(), "posture.yaml")
	program.ReplaceFile(t, policies, "policies: {default: {inventories: [file]}}\n")
	clients := filepath.Join(t.TempDir(), "clients.yaml")
	program.ReplaceFile(t, filepath.Join(filepath.Dir(clients), "secret"), demoQueries)
	program.ReplaceFile(t, clients, "tokens: {clients: [{name: enroll, bearer: {file: secret}, policies: [staff]}]}\npolicies: {staff: {inventories: [file], token: {required: true, in: 2.5.4.35}}}\n")
	const (
		isOne   = ": not set, but COMPAT_MDMSECURITYDEMO is 1; accepted: "
		debug   = ": set: a key that lets every device pass does not exist here; accepted: no such variable"
		webhook = "the bearer token of the webhook in step-ca"
		keys    = "the bearer token with which enrollhandler asks for keys"
		devices = "the bearer token with which enrollhandler asks for devices"
		state   = "STATE_URL: not set, but COMPAT_MDMSECURITYDEMO is 1: keys are kept in it; accepted: sqlite:/path/of/a/file, or postgres://user:password@host/database"
	)
	for name, test := range map[string]struct {
		changes []string
		want    string
	}{
		"no WEBHOOK_KEY":              {[]string{"WEBHOOK_KEY", ""}, "WEBHOOK_KEY" + isOne + webhook},
		"no API_KEY":                  {[]string{"API_KEY", ""}, "API_KEY" + isOne + keys},
		"no DEVICE_INVENTORY_API_KEY": {[]string{"DEVICE_INVENTORY_API_KEY", ""}, "DEVICE_INVENTORY_API_KEY" + isOne + devices},
		"nothing":                     {[]string{"WEBHOOK_KEY", "", "API_KEY", "", "DEVICE_INVENTORY_API_KEY", "", "STATE_URL", ""}, "WEBHOOK_KEY" + isOne + webhook + "\nAPI_KEY" + isOne + keys + "\nDEVICE_INVENTORY_API_KEY" + isOne + devices + "\n" + state},
		"two alike":                   {[]string{"API_KEY", demoWebhook}, "API_KEY: the same as WEBHOOK_KEY; accepted: a credential of its own"},
		"two others alike":            {[]string{"DEVICE_INVENTORY_API_KEY", demoKeys}, "DEVICE_INVENTORY_API_KEY: the same as API_KEY; accepted: a credential of its own"},
		"the outer two alike":         {[]string{"DEVICE_INVENTORY_API_KEY", demoWebhook}, "DEVICE_INVENTORY_API_KEY: the same as WEBHOOK_KEY; accepted: a credential of its own"},
		"a client's":                  {[]string{"POLICY_PATH", clients}, "DEVICE_INVENTORY_API_KEY: the client enroll of the policy file has the same one; accepted: a credential of its own"},
		"DEBUG_KEY":                   {[]string{"DEBUG_KEY", "x"}, "DEBUG_KEY" + debug},
		"DEBUG_KEY_FILE":              {[]string{"DEBUG_KEY_FILE", "x"}, "DEBUG_KEY_FILE" + debug},
		"client certificates":         {[]string{"ENABLE_MTLS", "1", "TLS_CA_PATH", good["TLS_CERT_PATH"]}, "ENABLE_MTLS: 1, but with COMPAT_MDMSECURITYDEMO enrollhandler calls the same listener, without a client certificate; accepted: 0"},
		"no STATE_URL":                {[]string{"STATE_URL", ""}, state},
		"a policy default":            {[]string{"POLICY_PATH", policies}, "COMPAT_MDMSECURITYDEMO: 1, which makes a policy default, and the policy file has a policy default too; accepted: another name of the policy in the policy file, or 0"},
	} {
		for _, command := range []string{"check", "serve"} {
			r := program.Run(t, good.With(test.changes...), "", command)
			if r.Code != 1 || r.Stderr != "configuration:\n"+test.want+"\n" && !strings.HasPrefix(r.Stderr, "configuration:\n"+test.want+"\nwarning: there is no .env") {
				t.Errorf("%s: %s: exit code %d and %s\nwant 1 and %s", name, command, r.Code, r.Stderr, test.want)
			}
		}
	}
	for change, want := range map[string]string{
		"nowhere": "INVENTORY_PATH: inventory: open nowhere: no such file or directory", "": "INVENTORY_PATH: not set; accepted: the path of the inventory file, here or in FILE_PATH",
	} {
		if r := program.Run(t, good.With("INVENTORY_PATH", change), "", "check"); r.Code != 1 || !strings.HasPrefix(r.Stderr, "configuration:\n"+want) {
			t.Errorf("INVENTORY_PATH=%s: exit code %d and %s, want 1 and %s", change, r.Code, r.Stderr, want)
		}
	}
	if r := program.Run(t, good.With("API_ADDRESS", ":8080"), "", "check"); r.Code != 0 || !strings.Contains(r.Stdout+r.Stderr, "ok, with 2 warnings") {
		t.Errorf("the demo's variables: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
