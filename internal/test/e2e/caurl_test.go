package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// testCheckCA: check asks the real CA. Its provisioner renews until that is disabled, and a claim that is not escaped is a fault.
func testCheckCA(t *testing.T, l *lab) {
	t.Run("renews", func(t *testing.T) { checkCA(t, l, false) })
	t.Run("renewal disabled", func(t *testing.T) { checkCA(t, l, true) })
}

func checkCA(t *testing.T, l *lab, disabled bool) {
	t.Helper()
	g := l.open(t, gate.Config{Provisioner: stepca.Provisioner{DisableRenewal: disabled}})
	arguments := []string{"check", "--ca-url", l.ca.URL(), "--ca-root", l.ca.RootPath()}
	r, err := g.Run(t.Context(), nil, arguments...)
	if err != nil || r.Status != 0 || !strings.Contains(r.Stdout, "provisioners\n") {
		t.Fatalf("check = %+v, %v, want 0", r, err)
	}
	if got := strings.Contains(r.Stdout, "its certificates can be renewed"); got == disabled {
		t.Errorf("with renewal disabled %v, check warns of renewal %v:\n%s", disabled, got, r.Stdout)
	}
	if !disabled {
		return
	}
	unsafe := stepca.Webhook{Name: gate.WebhookName, URL: g.URL() + "?mode={{ .Subject.CommonName }}"}
	if err := l.ca.MoveWebhook(t.Context(), provisionerName(t), unsafe); err != nil {
		t.Fatal(err)
	}
	r, err = g.Run(t.Context(), nil, arguments...)
	if err != nil || r.Status != 1 || !strings.Contains(r.Stderr, `"{{.Subject.CommonName}}", which does not end in | urlquery`) {
		t.Errorf("check with an action that is not escaped = %+v, %v, want 1", r, err)
	}
	// Without the CA's root, nothing is asked; with one, an error says what to do.
	r, err = g.Run(t.Context(), nil, slices.Clone(arguments[:3])...)
	if err != nil || r.Status != 1 || !strings.Contains(r.Stderr, "--ca-root names the file") {
		t.Errorf("check without the root = %+v, %v, want 1", r, err)
	}
}
