package daemon

import (
	"context"
	"fmt"
	"time"

	"step-posture-connector/internal/audit"
)

// openTrail opens the audit log, if there is one. closeTrail closes it, after the last request.
func (s *service) openTrail() (closeTrail func(), err error) {
	path := s.config.AuditLogPath
	if path == "" {
		return func() {}, nil
	}
	if s.config.AuditChain {
		err = s.openChain()
	} else {
		var cut int64
		s.trail, cut, err = audit.OpenTrail(string(path))
		s.logCut(cut)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration:\n%w", auditProblem(path, err))
	}
	if s.config.AuditFacts {
		s.trail.RecordFacts()
	}
	return func() {
		s.logHead()
		_ = s.trail.Close() // every line was written when it was added
	}, nil
}

// openChain opens the audit log with a chain, and logs where the chain goes on.
func (s *service) openChain() error {
	key, err := s.config.Key()
	if err != nil {
		return err
	}
	trail, found, err := audit.OpenChain(string(s.config.AuditLogPath), key.Reveal(), func(text string) {
		s.log.Warnf("AUDIT_LOG_PATH: %s", text)
	})
	if err != nil {
		return err
	}
	s.trail = trail
	switch {
	case found.IsBroken:
		s.log.Errorf("AUDIT_CHAIN: the end of %s is not that of a chain of this key, so a new chain begins: %s; audit verify names the line", s.config.AuditLogPath, found.Started)
	case found.Started != "":
		s.log.Warnf("AUDIT_CHAIN: a new chain begins: %s", found.Started)
	}
	if found.Torn > 0 {
		s.log.Warnf("AUDIT_LOG_PATH: the last line was unfinished, because a daemon was killed; its %d bytes are kept, and a line with the event torn follows. Its request was not answered", found.Torn)
	}
	if found.Err != nil {
		s.log.Errorf("AUDIT_LOG_PATH: the first line cannot be written yet: %v", found.Err)
	}
	s.logHead()
	return nil
}

// logHead logs the last line of the chain: who compares it with the file later finds out whether the end was cut.
func (s *service) logHead() {
	if s.trail == nil || !bool(s.config.AuditChain) {
		return
	}
	head, err := s.trail.Head()
	log := s.log.WithField(audit.KeyChain, head.Chain).WithField(audit.KeyChainHead, head.Head().String())
	switch {
	case head.Number == 0:
		s.log.Errorf("AUDIT_CHAIN: the head of the chain is not known: %v", err)
	case err != nil:
		log.Warnf("[CHAIN] the last line that was written; lines are lost: %v", err)
	default:
		log.Info("[CHAIN] the last line of the audit log")
	}
}

// logHeads logs the head of the chain regularly, until ctx is done.
func (s *service) logHeads(ctx context.Context) {
	ticks := time.NewTicker(headEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			s.logHead()
		}
	}
}

// audit writes an event to the audit log. An event that cannot be written is reported in the log, and the decision stands.
func (s *service) audit(e *audit.Event) {
	if s.trail == nil {
		return
	}
	err := s.trail.Append(e)
	s.metrics.AuditWritten(err)
	s.state.set(auditLine, err)
	if err != nil {
		s.log.WithField(audit.KeyReference, e.Reference).Errorf("AUDIT_LOG_PATH: this decision is not in the audit log: %v", err)
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
	s.logHead()
}

// logCut logs that the audit log ended with an unfinished line.
func (s *service) logCut(bytes int64) {
	if bytes > 0 {
		s.log.Warnf("AUDIT_LOG_PATH: the last line was unfinished, because a daemon was killed; its %d bytes were removed. Its request was not answered", bytes)
	}
}
