//go:build linux

package blackbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// check and lookup name common mistakes with Jamf Pro, without the secret and without texts of the server.
func TestJamfMistakes(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	_, env := program.StartJamf(t, p, program.Mac("C02XK1JKLVCG", "Disk encrypted"))
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(proxy.Close)
	proxyAddress := strings.TrimPrefix(proxy.URL, "http://")
	for name, row := range map[string]struct {
		changes []string
		args    string
		code    int
		want    string // on standard output or standard error
	}{
		"a Mac, no mode":    {nil, "lookup C02XK1JKLVCG", 2, "Jamf has no mobile device with the serial number; computers were not searched: add ?mode=computer or ?mode=any to the webhook's URL (lookup: --mode)"},
		"a Mac, mode":       {nil, "lookup C02XK1JKLVCG --mode any", 0, "[ALLOW]"},
		"unknown device":    {nil, "lookup C02XK1JKLVCH --mode any", 2, "Jamf has neither a computer nor a mobile device with the serial number"},
		"one group":         {[]string{"JAMF_COMPUTER_GROUP", "Disk encrypted"}, "check", 0, "warning: JAMF_COMPUTER_GROUP is set and JAMF_DEVICE_GROUP is not: mobile devices pass without a group"},
		"the other group":   {[]string{"JAMF_DEVICE_GROUP", "Up to date"}, "check", 0, "warning: JAMF_DEVICE_GROUP is set and JAMF_COMPUTER_GROUP is not: computers pass without a group"},
		"group, other case": {[]string{"JAMF_COMPUTER_GROUP", "disk encrypted"}, "lookup C02XK1JKLVCG --mode any", 2, `the device is in the group "Disk encrypted", which differs from "disk encrypted" only in case: group names are compared byte for byte`},
		"wrong secret":      {[]string{"JAMF_CLIENT_SECRET", "hidden-secret"}, "check", 1, "token endpoint answered 401: the inventory refused the credentials: check JAMF_CLIENT_ID and JAMF_CLIENT_SECRET"},
		"plain HTTP":        {[]string{"JAMF_BASE_URL", "https" + strings.TrimPrefix(plain.URL, "http")}, "check", 1, "it answers in plain HTTP where TLS is expected; check the port"},
		"private CA":        {[]string{"SSL_CERT_FILE", p.ServerCert}, "check", 1, "is not trusted: it is of a CA that is not known here; SSL_CERT_FILE can name the CA of a private server"},
		"proxy wants a password": {
			[]string{"JAMF_BASE_URL", "https://jamf.example", "HTTPS_PROXY", "http://user:hidden-secret@" + proxyAddress},
			"check", 1,
			"jamf.example cannot be reached: the proxy " + proxyAddress + " answered 407 to CONNECT: it wants a user name and password, which HTTPS_PROXY can hold",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, env.With(row.changes...), "", strings.Fields(row.args)...)
			if printed := r.Stdout + r.Stderr; r.Code != row.code || !strings.Contains(printed, row.want) || strings.Contains(printed, "hidden-secret") {
				t.Errorf("%s: exit code %d\n%s%s\nwant %d and %s", row.args, r.Code, r.Stdout, r.Stderr, row.code, row.want)
			}
		})
	}
}
