package webproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"step-posture-connector/internal/test/e2e/process"
)

// mainConfig is a nginx.conf of a user who is not root. It includes what an administrator copies.
const mainConfig = `daemon off;
pid %[1]s/pid;
error_log stderr info;
worker_processes 2;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	include posture/posture.conf;
}
`

// StartNginx runs nginx and returns when it answers. It runs until Stop or the end of ctx.
func StartNginx(ctx context.Context, config Config) (*Proxy, error) {
	return start(ctx, config, kind{name: "nginx", debian: "nginx-light", prepare: (*Proxy).prepareNginx, spec: (*Proxy).specNginx})
}

func (p *Proxy) prepareNginx() error {
	posture, err := os.ReadFile(filepath.Join(p.config.Files, "nginx", "posture.conf"))
	if err != nil {
		return fmt.Errorf("read the configuration of nginx: %w", err)
	}
	if p.config.Edit != nil {
		posture = []byte(p.config.Edit(string(posture)))
	}
	return errors.Join(
		p.folder.Make("posture"), p.folder.Make("posture/local"), p.copyCredentials(),
		p.folder.Write("nginx.conf", fmt.Appendf(nil, mainConfig, p.folder.Path())),
		p.folder.Write("posture/posture.conf", posture),
	)
}

func (p *Proxy) specNginx() (process.Spec, error) {
	c, path := p.config, p.folder.Path
	for name, config := range map[string]string{
		"upstreams.conf": "upstream posture-connector {\nserver " + c.Connector + ";\nkeepalive 8;\n}\n" +
			"upstream posture-application {\nserver " + c.Application + ";\n}\n",
		"server.conf": "listen " + p.Address() + " ssl;\nserver_name " + Name + ";\n" +
			"ssl_certificate " + path("app.pem") + ";\nssl_certificate_key " + path("app.key") + ";\n" +
			"ssl_client_certificate " + path("device-cas.pem") + ";\n",
		"connector.conf": "proxy_ssl_name " + c.ConnectorName + ";\nproxy_ssl_trusted_certificate " + path("connector-ca.pem") + ";\n" +
			"proxy_ssl_certificate " + path("caller.pem") + ";\nproxy_ssl_certificate_key " + path("caller.key") + ";\n",
	} {
		if err := p.writeLocal(name, config); err != nil {
			return process.Spec{}, err
		}
	}
	return process.Spec{Args: []string{"-p", path(), "-e", "stderr", "-c", path("nginx.conf")}}, nil
}

// writeLocal writes a file of an administrator, which has the same directives as the example that we ship.
func (p *Proxy) writeLocal(name, config string) error {
	example, err := os.ReadFile(filepath.Join(p.config.Files, "nginx", "local", name))
	if err != nil {
		return fmt.Errorf("read the example of %s: %w", name, err)
	}
	directives := func(text string) []string {
		return strings.Fields(strings.Join(regexp.MustCompile(`(?m)^\s*[a-z_]+( posture-[a-z]+)?`).FindAllString(text, -1), " "))
	}
	if got, want := directives(config), directives(string(example)); !slices.Equal(got, want) {
		return fmt.Errorf("%s has the directives %q, and its example %q", name, got, want)
	}
	return p.folder.Write(filepath.Join("posture", "local", name), []byte(config))
}
