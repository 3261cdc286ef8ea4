package daemon

import (
	"context"
	"os"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/reload"
	"step-posture-connector/internal/systemd"
)

// keepUpToDate takes files into force again when they have changed, or when a signal asks for it,
// until ctx is done.
func (s *service) keepUpToDate(ctx context.Context, hangups <-chan os.Signal) {
	loop := s.loop()
	go loop.Run(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			s.tell(systemd.Reloading)
			s.reopen()
			loop.Reload(ctx)
			s.tell(systemd.Ready)
		}
	}
}

func (s *service) loop() *reload.Loop {
	s.identitySet.Loader(func() (func(), error) {
		take, err := s.tls.Load(s.now())
		if take == nil {
			return nil, err
		}
		what := "loaded anew: "
		if err != nil {
			what = "loaded anew, as far as it is good: "
		}
		return func() {
			take()
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
		s.inventorySet.Loader(func() (func(), error) {
			next, err := reloader.Reload()
			if err != nil {
				return nil, err
			}
			return func() {
				next.Take()
				found := strings.Join(append([]string{"loaded anew: " + next.Found}, next.Warnings...), "; ")
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

// reloaded is told how a reload went. What was taken has been logged; what was refused is logged here.
func (s *service) reloaded(name string, err error) {
	s.metrics.Reloaded(name, err)
	s.state.set(name, err)
	if err != nil {
		s.log.Errorf("not loaded anew, so what was loaded before stays in force: %s", oneLine(err))
	}
}

// reopen opens the audit log anew, as logrotate wants it after it has moved the file.
func (s *service) reopen() {
	if s.trail == nil {
		return
	}
	cut, err := s.trail.Reopen()
	s.metrics.Reloaded(auditFile, err)
	s.state.set(auditFile, err)
	if err != nil {
		s.log.Errorf("AUDIT_LOG_PATH: not opened anew, so the file that was open stays in use: %v", err)
		return
	}
	s.tellCut(cut)
	s.log.Infof("opened anew: audit log %s", s.config.AuditLogPath)
}

// tellCut says that the audit log ended in part of a line.
func (s *service) tellCut(bytes int64) {
	if bytes > 0 {
		s.log.Warnf("AUDIT_LOG_PATH: the last line was not finished when a daemon was killed; its %d bytes were cut off. The request was not answered", bytes)
	}
}

// oneLine joins the lines of an error, of which the log has one each.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
