package audit_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

// The token that the request shows is in no line, also between other characters of its alphabet. What can be no token is not
// hidden: it could be any word of the line.
func TestHide(t *testing.T) {
	t.Parallel()
	token := "q7A_-" + strings.Repeat("x", 38)
	e := judged()
	e.Hide(token)
	longer := "y" + token + "z"
	e.Identifier, e.Mode, e.WebhookID, e.Provisioner, e.RequestID, e.Path, e.Reason = longer, longer, longer, longer, longer, "/"+longer, "the name is \"\\n"+longer+"\""
	e.Evidence.Request.Identifier, e.Evidence.Request.Names = longer, []string{longer, token + "." + token}
	e.Evidence.Request.CSR = &posture.CertificateNames{CommonName: longer, DNSNames: []string{longer}}
	e.Evidence.Request.URL = map[string]string{"name": longer}
	e.Evidence.Request.SCEP = &posture.SCEPRequest{TransactionID: longer}
	var log strings.Builder
	audit.NewLog(&log, true).Write(e)
	audit.NewLog(&log, false).Write(e)
	log.WriteString(appended(t, e, true))
	if strings.Contains(log.String(), token) || strings.Count(log.String(), "yq7A_...z") < 3*6 {
		t.Errorf("got lines that show the token, or nothing in its place:\n%s", &log)
	}
	for _, none := range []string{"", "y", token[1:], token + "x"} {
		e := event()
		e.Identifier = "y" + token + "z"
		e.Hide(none)
		if got := appended(t, e, false); !strings.Contains(got, e.Identifier) {
			t.Errorf("got %s, want the identifier as it is: %q is no token", got, none)
		}
	}
	for _, id := range []string{token, token[:20] + " " + token[20:], " " + token + "\n"} {
		if got := audit.CleanRequestID(id); got != "q7A_..." {
			t.Errorf("got request ID %q, want it shortened", got)
		}
	}
}
