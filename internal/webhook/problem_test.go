package webhook

import (
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"step-posture-connector/internal/audit"
)

// Whatever is not allowed tells the administrator in the log what to do, and the device nothing of that.
func TestRemedies(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		event := &audit.Event{Reference: "7F3K9Q2M", Time: time.Now()}
		answer := refuse(event, problem(code, "the reason"))
		logger, hook := test.NewNullLogger()
		logger.SetLevel(logrus.InfoLevel)
		event.Status = answer.status
		event.Log(logger)
		entry := hook.LastEntry()
		remedy, _ := entry.Data[audit.KeyRemedy].(string)
		if len(remedy) < 20 || entry.Data[audit.KeyReason] != "the reason" {
			t.Errorf("%s: the log has reason %q and remedy %q", code, entry.Data[audit.KeyReason], remedy)
		}
		if strings.Contains(string(answer.body), remedy) || !strings.Contains(string(answer.body), outcomeOf(code).message) {
			t.Errorf("%s: the answer is %s", code, answer.body)
		}
		if (answer.status >= 500) != (code == codeUnavailable || code == codeInternal) {
			t.Errorf("%s has no outcome of its own", code)
		}
	}
}
