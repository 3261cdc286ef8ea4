package e2e_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/cloud"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The instances of the clouds.
func google() cloud.Google {
	return cloud.Google{ID: "4520031799277581759", Name: "db-1", Project: "prod", Zone: "europe-west3-a", ServiceAccount: "db@prod.example.com"}
}

const azureTenant = "7f1a2b34-0c5d-4e6f-8a9b-1c2d3e4f5a6b"

func azure(tenant string) cloud.Azure {
	return cloud.Azure{Tenant: tenant, Subscription: "b2c1", Group: "prod", Name: "db-1", ObjectID: "0d9f2f3e-4d5c-4b6a-9e8f-7a6b5c4d3e2f"}
}

// The sentences that the step client prints of an answer in ENRICHING.
const (
	forbidden  = "The request was forbidden by the certificate authority: "
	notThere   = forbidden + "not in the inventory (deviceNotFound)."
	noAnswer   = forbidden + "Webhook server responded with 503."
	burntToken = "The request lacked necessary authorization to be completed. Please see the certificate authority logs for more info."
)

// TestClouds: what step-ca tells a webhook of a virtual machine, what the step client of that machine gets to see of the
// answers, and whether it may ask again.
func TestClouds(t *testing.T) {
	l := newCloudsLab(t, buildPrograms(t))
	for name, test := range map[string]struct {
		arguments []string
		instance  cloud.Instance
		query     string // of the webhook's URL
		principal string
		url       string
	}{
		"gcp": {
			[]string{"--type", "GCP", "--gcp-project", "prod"},
			google(),
			"?project={{ .Token.google.compute_engine.project_id | urlquery }}&name={{ .Subject.CommonName | urlquery }}",
			google().ID, "?project=prod&name=db-1",
		},
		"azure": {
			[]string{"--type", "Azure", "--azure-tenant", azureTenant},
			azure(azureTenant),
			"?vm={{ .Subject.CommonName | urlquery }}&id={{ .Token.xms_mirid | urlquery }}",
			azure("").ObjectID, "?vm=db-1&id=%2Fsubscriptions%2Fb2c1%2Fresourcegroups%2Fprod%2Fproviders%2FMicrosoft.Compute%2FvirtualMachines%2Fdb-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := l.startHook(t)
			l.add(t, name, hostTemplate, append(test.arguments, "--disable-trust-on-first-use")...)
			credentials := l.hang(t, h, name, "X509", "/enriching"+test.query, stepca.Enriching)
			vm := l.boot(t, test.instance)

			h.answers(allow)
			result, certificate := vm.ask(t, name, "ceo.example.com")
			expectHost(t, result, certificate)
			calls := h.take()
			if len(calls) != 1 || !calls[0].signedWith(t, credentials.Secret) {
				t.Fatalf("step-ca has called %d times, want once, signed", len(calls))
			}
			if got, want := calls[0].url, "/enriching"+test.url; got != want {
				t.Errorf("step-ca calls %s, want %s", got, want)
			}
			if got, want := calls[0].body.AuthorizationPrincipal, test.principal; got != want {
				t.Errorf("principal = %q, want %q", got, want)
			}
			if got, want := calls[0].body.X509CertificateRequest.Subject.CommonName, "ceo.example.com"; got != want {
				t.Errorf("the CSR has the common name %q, want %q: the client chooses it", got, want)
			}

			h.answers(refuse)
			result, certificate = vm.ask(t, name, "db-1")
			expectRefusal(t, result, certificate, notThere)
			h.answers(nil)
			result, certificate = vm.ask(t, name, "db-1")
			expectRefusal(t, result, certificate, noAnswer)
			if n := len(h.take()); n != 3 {
				t.Errorf("step-ca has called %d times, want once for the refusal, and a second time after 503", n)
			}
			h.answers(allow)
			result, certificate = vm.ask(t, name, "db-1")
			expectHost(t, result, certificate)
		})
	}
	t.Run("trust on first use", l.testFirstUse)
	t.Run("final names", l.testFinalNames)
}

// testFirstUse: with trust on first use, step-ca stores the instance before it asks the webhook. After a refusal, and after
// 503, the instance never gets a certificate, and the webhook is not asked any more.
func (l *cloudsLab) testFirstUse(t *testing.T) {
	t.Parallel()
	const tenant = "11111111-2222-4333-8444-555555555555"
	for name, provisioner := range map[string]struct {
		arguments []string
		refused   cloud.Instance
		unheard   cloud.Instance
	}{
		"gcp-once": {
			[]string{"--type", "GCP"},
			cloud.Google{ID: "1", Name: "a", Project: "prod", Zone: "z"},
			cloud.Google{ID: "2", Name: "b", Project: "prod", Zone: "z"},
		},
		"azure-once": {
			[]string{"--type", "Azure", "--azure-tenant", tenant},
			cloud.Azure{Tenant: tenant, Subscription: "s", Group: "g", Name: "a", ObjectID: "a"},
			cloud.Azure{Tenant: tenant, Subscription: "s", Group: "g", Name: "b", ObjectID: "b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := l.startHook(t)
			l.add(t, name, hostTemplate, provisioner.arguments...)
			l.hang(t, h, name, "X509", "/", stepca.Enriching)
			h.answers(refuse)
			vm := l.boot(t, provisioner.refused)
			result, certificate := vm.ask(t, name, "a")
			expectRefusal(t, result, certificate, notThere)
			h.answers(nil)
			unheard := l.boot(t, provisioner.unheard)
			result, certificate = unheard.ask(t, name, "b")
			expectRefusal(t, result, certificate, noAnswer)

			h.answers(allow)
			h.take()
			for _, vm := range []host{vm, unheard} {
				result, certificate = vm.ask(t, name, "a")
				expectRefusal(t, result, certificate, burntToken)
			}
			if n := len(h.take()); n != 0 {
				t.Errorf("step-ca has called the webhook %d times, want no call", n)
			}
		})
	}
}

// testFinalNames: with step-ca's own template an instance gets the names that it chooses. AUTHORIZING shows them; its refusal
// keeps the certificate back, but its reason does not reach the client.
func (l *cloudsLab) testFinalNames(t *testing.T) {
	t.Parallel()
	const name = "gcp-names"
	h := l.startHook(t)
	l.add(t, name, "", "--type", "GCP", "--disable-trust-on-first-use")
	l.hang(t, h, name, "X509", "/", stepca.Authorizing)
	vm := l.boot(t, google())
	h.answers(allow)
	if result, certificate := vm.ask(t, name, "ceo.example.com"); certificate == nil || !slices.Contains(certificate.DNSNames, "ceo.example.com") {
		t.Errorf("got %+v, want a certificate with the name that the instance chose", result)
	}
	calls := h.take()
	if len(calls) != 1 || calls[0].body.X509Certificate == nil || !slices.Contains(calls[0].body.X509Certificate.DNSNames, "ceo.example.com") {
		t.Errorf("step-ca has called %d times, want once, with a certificate that has the name", len(calls))
	}
	h.answers(refuse)
	result, certificate := vm.ask(t, name, "ceo.example.com")
	expectRefusal(t, result, certificate, forbidden+"error creating certificate.")
}

// add adds a provisioner.
func (l *cloudsLab) add(t *testing.T, name, template string, arguments ...string) {
	t.Helper()
	if err := l.ca.AddProvisionerWith(t.Context(), name, template, "", arguments...); err != nil {
		t.Fatal(err)
	}
}

// expectHost checks a certificate of hostTemplate: names and role are the inventory's, whatever the client asked for.
func expectHost(t *testing.T, result process.Result, certificate *x509.Certificate) {
	t.Helper()
	if certificate == nil {
		t.Fatalf("step printed %s%s, want a certificate", result.Stdout, result.Stderr)
	}
	if got, want := certificate.DNSNames, []string{inventoryHost}; !slices.Equal(got, want) {
		t.Errorf("DNS names = %q, want %q", got, want)
	}
	if got, want := certificate.Subject.OrganizationalUnit, []string{inventoryRole}; !slices.Equal(got, want) {
		t.Errorf("organizational units = %q, want %q", got, want)
	}
}

// expectRefusal checks what the step client prints without a certificate.
func expectRefusal(t *testing.T, result process.Result, certificate *x509.Certificate, sentence string) {
	t.Helper()
	if certificate != nil || result.Status != 1 {
		t.Fatalf("step ended with status %d and a certificate: %t, want 1 and none", result.Status, certificate != nil)
	}
	if !strings.Contains(result.Stderr, sentence+"\nRe-run with STEPDEBUG=1 for more info.") {
		t.Errorf("step printed %q, want %q", result.Stderr, sentence)
	}
}
