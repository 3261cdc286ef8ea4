package config

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"

	"step-posture-connector/internal/filesys"
)

// Network judges the variables that Go itself reads when a provider makes requests. Go reports none that it cannot use:
// it would bypass the proxy, or trust other CAs.
func (e Environment) Network() Problems {
	var problems Problems
	for _, pair := range [][]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}} {
		for _, name := range pair { // the first that is set applies
			value := e.outside(name)
			if value == "" {
				continue
			}
			if !isProxy(value) {
				problems = append(problems, Problem{
					name, "not the URL of a proxy; Go would connect directly, or not at all",
					"http://host:port, https://host:port or socks5://host:port",
				})
			}
			break
		}
	}
	if path := e.outside("SSL_CERT_FILE"); path != "" && runtime.GOOS != "darwin" && runtime.GOOS != "windows" {
		if err := certificatesIn(path); err != nil {
			problems = append(problems, Problem{"SSL_CERT_FILE", err.Error(), "the path of a PEM file with the CA certificates that the connector trusts for servers"})
		}
	}
	return problems
}

// outside is the value of a variable in the environment of the process, without the env file.
func (e Environment) outside(name string) string {
	if e.process == nil {
		return e.Variables[name]
	}
	return e.process[name]
}

// isProxy reports whether Go can use a value as the address of a proxy. Without a scheme it takes http.
func isProxy(value string) bool {
	proxy, err := url.Parse(value)
	if err != nil || proxy.Host == "" {
		proxy, err = url.Parse("http://" + value)
	}
	return err == nil && new(Address).UnmarshalText([]byte(proxy.Hostname())) == nil && !strings.HasSuffix(proxy.Host, ":") &&
		slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme)
}

// certificatesIn says why a file has no usable certificate.
func certificatesIn(path string) error {
	if err := new(Path).UnmarshalText([]byte(path)); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, filesys.Cause(err))
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			return nil
		}
	}
	return fmt.Errorf("%s: there is no PEM certificate in it", path)
}
