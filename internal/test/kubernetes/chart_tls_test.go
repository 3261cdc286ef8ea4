package kubernetes_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestChangedCertificate changes where the certificate of a release comes from: after the upgrade it has what a new release has, and
// nothing of before.
func TestChangedCertificate(t *testing.T) {
	values := filepath.Join(kubernetesFolder("chart", "ci"), "file-values.yaml")
	in := template(t, values)
	in.occupy(t)
	in.supply(t)
	// What the API server gives each object that is made.
	birth := regexp.MustCompile(`"(uid|creationTimestamp|generation|clusterIPs?)":("[^"]*"|\["10[^"]*"\]|\d+),?`)
	chart := []string{release, kubernetesFolder("chart"), "--namespace", space, "--values", values}
	installed := func(command string, more ...string) map[string]string {
		t.Helper()
		must(t, "helm", append(append([]string{command}, chart...), more...)...)
		all := contents(t, []string{space})
		for id, text := range all {
			all[id] = birth.ReplaceAllString(text, "")
			// Helm keeps each revision of a release.
			if strings.Contains(id, "/Secret/sh.helm.release.") {
				delete(all, id)
			}
		}
		return all
	}
	renewer := []string{"--set", "tls.source=stepRenewer"}
	certManager := installed("install")
	renewed := installed("upgrade", renewer...)
	wantSame(t, "back at cert-manager", installed("upgrade"), certManager)
	must(t, "helm", "uninstall", release, "--namespace", space)
	wantSame(t, "installed with the renewer", installed("install", renewer...), renewed)
	must(t, "helm", "uninstall", release, "--namespace", space)
}
