//go:build compose

package podspec_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestMDMSecurityDemo runs the pod of the overlay mdmsecuritydemo with the keys and the list of the demo: it answers
// enrollhandler's questions, and a key that it has issued outlives the pod.
func TestMDMSecurityDemo(t *testing.T) {
	t.Parallel()
	const issuing, queries, udid = "the-credential-of-the-keys", "the-credential-of-the-queries", "00008112-0001AAAA22BB801E"
	s := newStack(t, "mdmsecuritydemo")
	var served certificate
	served.Spec.DNSNames = []string{"dynamicacme.dynamicacme"}
	s.applySecret(t, "webhook-tls", s.ca.issue(t, served))
	s.applySecret(t, "dynamicacme-api-key", map[string]string{"password": issuing})
	s.applySecret(t, "webhook-key", map[string]string{"password": "the-credential-of-step-ca"})
	s.applySecret(t, "deviceinventory-api-key", map[string]string{"password": queries})
	s.applyConfigMap(t, "inventory", map[string]string{"inventory.txt": known + "\n"})

	template := s.manifests.deployment.Spec.Template
	first := s.node.start("first", template.Labels, template.Spec)
	eventually(t, "the pod is ready", func() bool { return first.availableFor(0) })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.ca.root))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: roots, ServerName: served.Spec.DNSNames[0], MinVersion: tls.VersionTLS12,
	}}}
	status, body := post(t, client, "https://"+first.ip+":9443/api/key/"+udid, issuing, "")
	var issued struct{ Key string }
	if err := json.Unmarshal([]byte(body), &issued); err != nil || status != http.StatusOK || issued.Key == "" {
		t.Fatalf("a key is asked for: %d %s", status, body)
	}
	if status, body := post(t, client, "https://"+first.ip+":9443/api/key/"+udid, queries, ""); status != http.StatusUnauthorized {
		t.Errorf("a key is asked for with another credential: %d %s", status, body)
	}
	for serial, want := range map[string]int{known: http.StatusOK, unknown: http.StatusNotFound} {
		question := fmt.Sprintf(`{"serial_number":%q,"udid":""}`, serial)
		if status, body := post(t, client, "http://"+first.ip+":8080/devices/query", queries, question); status != want {
			t.Errorf("a query for %s: %d %s, want %d", serial, status, body, want)
		}
	}

	// The strategy is Recreate: the old pod ends, then the new one starts.
	first.terminate()
	eventually(t, "the pod has ended", func() bool {
		select {
		case <-first.ended:
			return true
		default:
			return false
		}
	})
	second := s.node.start("second", template.Labels, template.Spec)
	eventually(t, "the new pod is ready", func() bool { return second.availableFor(0) })
	if out, err := s.exec(second.container("connector"), "/step-posture-connector", "token", "list"); err != nil || !strings.Contains(out, udid) {
		t.Errorf("the new pod knows the keys %q, %v", out, err)
	}
}

// post sends a question of enrollhandler.
func post(t *testing.T, client *http.Client, url, bearer, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), probeTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
