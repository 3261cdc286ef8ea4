package blackbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
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
				client = http.DefaultClient
			}
			status, header, text := ask(t, client, test.method, by+"/devices/query", []byte(test.body), "Authorization", "Bearer "+test.credential, "Content-Type", "application/json")
			if status != test.want || text != test.text || (status == 200) != (header.Get("Content-Type") == "") {
				t.Errorf("%s: %s: got %d %s %q, want %d %q", by, test.what, status, header.Get("Content-Type"), text, test.want, test.text)
			}
		}
	}
	for path, credential := range map[string]string{"/api/key/" + demoUDID: demoKeys, "/webhook": demoWebhook} {
		if status, _, text := ask(t, http.DefaultClient, "POST", "http://"+d.env["API_ADDRESS"]+path, nil, "Authorization", "Bearer "+credential); status != http.StatusNotFound || text != "Not Found\n" {
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
	_, env := demoEnvironment(t)
	mac := program.Mac(demoSerial)
	mac.UDID = demoUDID
	server, jamf := program.NewJamf(t, program.NewPKI(t), mac)
	changes := []string{"INVENTORY_PATH", ""}
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
