package webproxy

import (
	"context"
	"errors"
	"path/filepath"

	"step-posture-connector/internal/test/e2e/process"
)

// StartCaddy runs Caddy and returns when it answers. It runs until Stop or the end of ctx.
func StartCaddy(ctx context.Context, config Config) (*Proxy, error) {
	return start(ctx, config, kind{name: "caddy", debian: "caddy", prepare: (*Proxy).prepareCaddy, spec: (*Proxy).specCaddy})
}

func (p *Proxy) prepareCaddy() error {
	return errors.Join(p.copyCredentials(), p.folder.Copy("Caddyfile", filepath.Join(p.config.Files, "caddy", "Caddyfile")))
}

func (p *Proxy) specCaddy() (process.Spec, error) {
	path := p.folder.Path
	return process.Spec{
		Args: []string{"run", "--config", path("Caddyfile"), "--adapter", "caddyfile"},
		// Caddy keeps its own files below HOME.
		Env: append(p.environment(), "WEB_DEVICE_ISSUER="+path("issuer.pem"), "HOME="+path()),
	}, nil
}
