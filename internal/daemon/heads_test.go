package daemon

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/config"
)

// The head of the chain is logged every hour, also where nothing was decided since.
func TestHeadsAreLogged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := logrus.New()
		log.SetOutput(&out)
		s := &service{log: log, Daemon: &Daemon{config: config.Config{AuditLogPath: config.Path(path), Chain: config.Chain{
			AuditChain: true, ChainKey: config.ChainKey{AuditChainKey: config.NewSecret([]byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))},
		}}}}
		closeTrail, err := s.openTrail()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go s.logHeads(ctx)
		time.Sleep(2*headEvery + time.Minute)
		synctest.Wait()
		cancel()
		closeTrail()
		head, err := s.trail.Head()
		if err != nil || head.Number != 1 {
			t.Errorf("Head() = %+v, %v", head, err)
		}
		if got, want := strings.Count(out.String(), "chain_head=\"1:"+head.MAC.String()), 4; got != want { // at the start, twice, at the end
			t.Errorf("the head is logged %d times, want %d:\n%s", got, want, out.String())
		}
	})
}
