package vendorhttp_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/provider/vendorhttp"
)

// TestDecodeBroken: an answer that is a list says as well as an object where its JSON is broken; what is no JSON is another server.
func TestDecodeBroken(t *testing.T) {
	t.Parallel()
	client := vendorhttp.New(newServer(t).options(t))
	for body, want := range map[string]string{
		` [{"name":"a`:            "breaks off after",
		"[{\"name\":\"\x01\"}]":   "a control character in a text",
		`[{"a":1,"a":2}]`:         "a duplicate member",
		`<html>`:                  "is not a list",
		`"text`:                   "is not a list",
		``:                        "is not a list",
		"[{\"name\":\"\xff\"}]":   "a text that is not UTF-8",
		`[{"name":"a"}] trailing`: "it is not valid JSON",
	} {
		var into []map[string]any
		if err := client.Decode("devices", "a list", []byte(body), &into); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode(%q) = %v, want %q", body, err, want)
		}
	}
}
