package daemon

import (
	"context"
	"os"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/reload"
	"step-posture-connector/internal/systemd"
)

// keepUpToDate reloads files when they have changed, and everything with each signal, until ctx is done.
func (s *service) keepUpToDate(ctx context.Context, reloads <-chan os.Signal) {
	loop := s.loop()
	go loop.Run(ctx)
	requests := make(chan struct{}, 1)
	go s.reloadOnRequest(ctx, loop, requests)
	for {
		select {
		case <-ctx.Done():
			return
		case <-reloads:
			// At once, and not after the reload of the other files: the audit log was moved, and may be compressed and
			// removed next.
			s.reopen()
			select {
			case requests <- struct{}{}:
			default: // a waiting request serves this signal too
			}
		}
	}
}

// reloadOnRequest reloads all files with each request, and keeps the service manager informed.
func (s *service) reloadOnRequest(ctx context.Context, loop *reload.Loop, requests <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-requests:
			s.notify(systemd.Reloading)
			s.reloadAll(ctx, loop)
			s.notify(systemd.Ready)
		}
	}
}

func (s *service) reloadAll(ctx context.Context, loop *reload.Loop) {
	limited, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	if err := loop.Reload(limited); err != nil && ctx.Err() == nil {
		s.log.Warnf("reload not finished after %s, keeping the previous version until then: %v", reloadTimeout, err)
	}
}

func (s *service) loop() *reload.Loop {
	s.identitySet.SetLoad(func() (func(), error) {
		s.log.Trace("reading the certificate, its key and the client CA bundle")
		apply, err := s.tls.Load(s.now())
		if apply == nil {
			return nil, err
		}
		what := "reloaded: "
		if err != nil {
			what = "reloaded in part: "
		}
		return func() {
			apply()
			found, warnings := what+s.describeFiles(), s.tls.Warnings(s.now())
			if len(warnings) > 0 {
				s.log.Warn(strings.Join(append([]string{found}, warnings...), "; "))
			} else {
				s.log.Info(found)
			}
		}, err
	})
	sets := []*reload.Set{s.identitySet}
	if reloader, ok := s.decider.Provider.(posture.Reloader); ok {
		s.inventorySet.SetLoad(func() (func(), error) {
			s.log.Trace("reading the inventory")
			next, err := reloader.Reload()
			if err != nil {
				return nil, err
			}
			return func() {
				next.Apply()
				found := strings.Join(append([]string{"reloaded: " + next.Found}, next.Warnings...), "; ")
				if len(next.Warnings) > 0 {
					s.log.Warn(found)
				} else {
					s.log.Info(found)
				}
			}, nil
		})
		sets = append(sets, s.inventorySet)
	}
	return reload.NewLoop(s.reloaded, sets...)
}

// reloaded notes the outcome of a reload. A success has been logged; a failure is logged here.
func (s *service) reloaded(name string, err error) {
	s.metrics.Reloaded(name, err)
	s.state.set(name, err)
	if err != nil {
		s.log.Errorf("reload failed, keeping the previous version: %s", oneLine(err))
	}
}

// reopen reopens the audit log, which logrotate requests after it has moved the file.
func (s *service) reopen() {
	if s.trail == nil {
		return
	}
	cut, err := s.trail.Reopen()
	s.metrics.Reloaded(auditFile, err)
	s.state.set(auditFile, err)
	if err != nil {
		s.log.Errorf("AUDIT_LOG_PATH: reopening %s failed, keeping the file that was open: %v", s.config.AuditLogPath, err)
		return
	}
	s.logCut(cut)
	s.log.Infof("reopened: audit log %s", s.config.AuditLogPath)
}

// logCut logs that the audit log ended with an unfinished line.
func (s *service) logCut(bytes int64) {
	if bytes > 0 {
		s.log.Warnf("AUDIT_LOG_PATH: the last line was unfinished, because a daemon was killed; its %d bytes were removed. Its request was not answered", bytes)
	}
}
