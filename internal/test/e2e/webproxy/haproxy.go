package webproxy

import (
	"context"
	"errors"
	"path/filepath"

	"step-posture-connector/internal/test/e2e/process"
)

// StartHAProxy runs HAProxy and returns when it answers. It runs until Stop or the end of ctx.
func StartHAProxy(ctx context.Context, config Config) (*Proxy, error) {
	return start(ctx, config, kind{
		name: "haproxy", debian: "haproxy", prepare: (*Proxy).prepareHAProxy, spec: (*Proxy).specHAProxy,
		// Its status after SIGTERM is that of a program that a signal has ended. After SIGUSR1, with which it exits by itself,
		// HAProxy 2.6.12 has a segmentation fault in its last moment where it has several threads and idle connections.
		signaled: true,
	})
}

func (p *Proxy) prepareHAProxy() error {
	files := filepath.Join(p.config.Files, "haproxy")
	return errors.Join(
		p.copyCredentials(),
		p.folder.Copy("haproxy.cfg", filepath.Join(files, "haproxy.cfg")),
		p.folder.Copy("posture.lua", filepath.Join(files, "posture.lua")),
	)
}

func (p *Proxy) specHAProxy() (process.Spec, error) {
	path := p.folder.Path
	return process.Spec{
		Args: []string{"-db", "-f", path("haproxy.cfg")},
		// The last of a name counts.
		Env: append(p.environment(),
			"WEB_CERTIFICATE="+path("app.both"), "POSTURE_CERTIFICATE="+path("caller.both"),
			"WEB_DEVICE_CAS="+path("device-cas.pem"), "WEB_SOCKET="+path("connector.sock"),
		),
	}, nil
}
