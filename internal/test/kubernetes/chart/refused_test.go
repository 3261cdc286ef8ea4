package chart_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// secret stands for one that somebody writes into a file of values. No message shows it.
const secret = "Planted-Secret-1"

// refused are values that replace some of ci/file-values.yaml, with a part of the message that Helm gives.
func refused() []struct{ values, message string } {
	return []struct{ values, message string }{
		// What is required.
		{`{image: {repository: ""}}`, "image.repository is not set. Accepted: the image that you have built"},
		{`{tls: {source: ""}}`, "tls.source is not set. Accepted: certManager, stepRenewer or existingSecret"},
		{`{tls: {source: none}}`, "at '/tls/source': value must be one of '', 'certManager', 'stepRenewer', 'existingSecret'"},
		{`{tls: {certManager: {issuer: {name: ""}}}}`, "tls.certManager.issuer.name is not set. Accepted: the name of an issuer"},
		{`{tls: {source: existingSecret}}`, "tls.existingSecret is not set. Accepted: the name of a Secret with tls.crt and tls.key"},
		{`{tls: {existingSecret: other}}`, `tls.existingSecret is set, but tls.source is "certManager"`},
		{`{config: {PROVIDER: jamf}}`, "at '/config': missing properties 'JAMF_BASE_URL', 'JAMF_CLIENT_ID'"},
		{`{config: {PROVIDER: jamf}}`, "at '/secretFiles': missing property 'JAMF_CLIENT_SECRET'"},
		{`{config: {PROVIDER: fleet}}`, "missing property 'FLEET_BASE_URL'"},
		{`{stepCA: {webhookSecret: ""}, policy: {file: ""}}`, "stepCA.webhookSecret is not set, and there is no policy file with webhooks"},

		// What is unknown, or of another kind.
		{`{replica: 3}`, "additional properties 'replica' not allowed"},
		{`{replicas: 0}`, "at '/replicas': minimum: got 0, want 1"},
		{`{replicas: "2"}`, "at '/replicas': got string, want integer"},
		{`{config: {MAX_CONNECTION: 10}}`, "at '/config': additional properties 'MAX_CONNECTION' not allowed"},
		{`{config: {LOGGING_LEVEL: 3}}`, "at '/config/LOGGING_LEVEL': maximum: got 3, want 2"},
		{`{config: {JOURNAL: true}}`, "at '/config/JOURNAL': value must be one of '0', '1', 0, 1"},
		{`{config: {PROVIDER: jamff}}`, "at '/config/PROVIDER': value must be one of 'addigy', 'apple_business', 'file'"},
		{`{resources: {limits: {memory: 256M}}}`, "at '/resources/limits/memory': '256M' does not match pattern"},
		{`{resources: {limits: {memory: 32Mi}}}`, "resources.limits.memory is 32Mi. Accepted: 64Mi or more"},
		{`{tls: {stepRenewer: {renewAt: 0h}}}`, "at '/tls/stepRenewer/renewAt': '0h' does not match pattern"},
		{`{service: {type: ExternalName}}`, "at '/service/type': value must be one of 'ClusterIP', 'LoadBalancer'"},
		{`{service: {port: 70000}}`, "at '/service/port': maximum: got 70,000, want 65,535"},
		{`{monitoring: {serviceMonitor: {interval: 1s}}}`, "at '/monitoring/serviceMonitor/interval': '1s' does not match pattern"},

		// What would be less safe.
		{`{securityContext: {runAsUser: 0}}`, "additional properties 'securityContext' not allowed"},
		{`{networkPolicy: {enabled: false}}`, "at '/networkPolicy': additional properties 'enabled' not allowed"},
		{`{config: {ENABLE_MTLS: "0"}}`, "value must be 'the chart sets it: only step-ca may call, see stepCA.clientNames'"},
		{`{stepCA: {clientNames: []}}`, "at '/stepCA/clientNames': minItems: got 0, want 1"},
		{`{stepCA: {clientNames: ["*"]}}`, "at '/stepCA/clientNames/0': '*' does not match pattern"},
		{`{stepCA: {peers: []}}`, "at '/stepCA/peers': minItems: got 0, want 1"},
		// Without peers, a rule of a network policy is for everybody.
		{`{stepCA: {peers: null}}`, "at '/stepCA': missing property 'peers'"},
		{`{monitoring: {peers: null}}`, "at '/monitoring': missing property 'peers'"},
		{`{networkPolicy: null}`, "missing property 'networkPolicy'"},
		{`{networkPolicy: {extraEgress: [{ports: [{port: 443}]}]}}`, "at '/networkPolicy/extraEgress/0': missing property 'to'"},
		{`{stepCA: {peers: [{}]}}`, "at '/stepCA/peers/0': minProperties: got 0, want 1"},
		{`{stepCA: {peers: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}}`, "at '/stepCA/peers/0': maxProperties: got 2, want 1"},
		{`{stepCA: {peers: [{ipBlock: {cidr: 10.0.0.1}}]}}`, "at '/stepCA/peers/0/ipBlock/cidr': '10.0.0.1' does not match pattern"},
		{`{image: {tag: latest}}`, "value must be 'a tag that stays, such as v1.0.0'"},
		{`{image: {digest: "sha256:12"}}`, "at '/image/digest': 'sha256:12' does not match pattern"},
		{`{podLabels: {app.kubernetes.io/name: other}}`, "podLabels has app.kubernetes.io/name, which the chart sets"},
		{`{commonLabels: {app.kubernetes.io/instance: other}}`, "commonLabels has app.kubernetes.io/instance, which the chart sets"},
		{`{podAnnotations: {checksum/variables: other}}`, "podAnnotations has checksum/variables, which the chart sets"},
		{`{monitoring: {serviceMonitor: {labels: {app.kubernetes.io/name: other}}}}`, "monitoring.serviceMonitor.labels has app.kubernetes.io/name, which the chart sets"},
		{`{monitoring: {prometheusRule: {labels: {team: a}}}, commonLabels: {team: b}}`, "monitoring.prometheusRule.labels has team, which is in commonLabels"},

		// Secrets.
		{`{config: {JAMF_CLIENT_SECRET: ` + secret + `}}`, "value must be 'a secret is no value: see secretFiles.JAMF_CLIENT_SECRET'"},
		{`{config: {FLEET_TOKEN: ` + secret + `}}`, "value must be 'a secret is no value: see secretFiles.FLEET_TOKEN'"},
		{`{config: {MOSYLE_PASSWORD: ` + secret + `}}`, "value must be 'a secret is no value: see secretFiles.MOSYLE_PASSWORD'"},
		{`{config: {WEBHOOK_SECRETS: ` + secret + `}}`, "value must be 'the chart sets it: see stepCA.webhookSecret'"},
		{`{config: {STATE_URL: "postgres://connector:` + secret + `@db/state"}}`, "value must be 'the chart sets it: see state.existingSecret'"},
		{`{config: {HTTPS_PROXY: "http://connector:` + secret + `@proxy:3128"}}`, "value must be 'a URL without user and password: those are a secret'"},
		{`{config: {HTTPS_PROXY: "connector:` + secret + `@proxy:3128"}}`, "value must be 'a URL without user and password: those are a secret'"},
		{`{secretFiles: {JAMF_CLIENT_SECRET: ` + secret + `}}`, "value must be 'FOLDER/KEY, a folder of secretMounts and a key of its Secret'"},
		{`{stepCA: {webhookSecret: ` + secret + `=}}`, "at '/stepCA/webhookSecret': value must be 'the name of an object, or nothing"},
		{`{tls: {stepRenewer: {provisionerSecret: ` + secret + `}}}`, "at '/tls/stepRenewer/provisionerSecret': value must be 'the name of an object"},
		{`{policy: {files: {key.pem: "-----BEGIN EC PRIVATE KEY-----\n` + secret + `"}}}`, "value must be 'no private key: that belongs into a Secret'"},
		{`{policy: {file: "inventories:\n  jamf:\n    provider: jamf\n    client_secret: ` + secret + `\n"}}`, "value must be 'no secret: a policy file names the file that has it'"},
		{`{policy: {file: "inventories: {fleet: {provider: fleet, token: ` + secret + `}}"}}`, "value must be 'no secret: a policy file names the file that has it'"},
		{`{policy: {file: 'inventories: {fleet: {provider: fleet, "token": "` + secret + `"}}'}}`, "value must be 'no secret: a policy file names the file that has it'"},
		{`{policy: {file: "webhooks:\n  - secret: ` + secret + `\n"}}`, "value must be 'no secret: a policy file names the file that has it'"},
		{`{policy: {file: "webhooks: [{secret: [` + secret + `, x]}]"}}`, "value must be 'no secret: a policy file names the file that has it'"},
		{`{secretFiles: {JAMF_CLIENT_SECRET: jamf/client_secret}}`, "secretFiles.JAMF_CLIENT_SECRET is jamf/client_secret, but secretMounts has no jamf"},
		{`{secretMounts: {tls: other}}`, "secretMounts has tls, a folder of the chart. Accepted: another name"},

		// What does not fit together.
		{`{policy: {existingConfigMap: other}}`, "policy.existingConfigMap and policy.file or policy.files are set. Accepted: one of them"},
		{`{policy: {files: {posture.yaml: x}}}`, "posture.yaml is in policy.file and in policy.files"},
		{`{config: {FILE_PATH: /etc/step-posture-connector/policy/other.csv}}`, "but policy.files has no other.csv"},
		{`{config: {AUDIT_LOG_PATH: /var/log/audit.jsonl}}`, "at '/config/AUDIT_LOG_PATH': value must be '/dev/stdout'"},
		{`{config: {AUDIT_CHAIN: "1"}}`, "value must be 'a chain needs a file that outlives its pod, and the chart has none: see docs/audit.md'"},
		{`{config: {COMPAT_MDMSECURITYDEMO: "1"}}`, "see docs/kubernetes/overlays/mdmsecuritydemo'"},
		{`{config: {PROVIDER: jamf, JAMF_BASE_URL: "https://x.jamfcloud.com", JAMF_CLIENT_ID: x}, secretMounts: {jamf: x}, secretFiles: {JAMF_CLIENT_SECRET: jamf/x}}`, "config.PROVIDER is jamf, but the network policy lets nothing out to it"},
		{`{config: {PROVIDER: sql, SQL_DRIVER: postgres}, secretMounts: {sql: x}, secretFiles: {SQL_DSN: sql/x}}`, "config.PROVIDER is sql, but the network policy lets nothing out to the database"},
		{`{service: {type: LoadBalancer}}`, "service.type is LoadBalancer, but stepCA.peers has no ipBlock: it would be open to everybody or to nobody"},
		{`{doors: {enabled: true, peers: [{podSelector: {}}], service: {type: LoadBalancer}}}`, "doors.service.type is LoadBalancer, but doors.peers has no ipBlock"},
		{`{tokenAPI: {service: {type: LoadBalancer}}}`, "at '/tokenAPI/service': additional properties 'type' not allowed"},
		{`{doors: {enabled: true}}`, "doors is enabled, but doors.peers is empty: nobody could call"},
		{`{doors: {enabled: true, peers: [{podSelector: {}}]}, policy: {file: ""}}`, "doors is enabled, but there is no policy file"},
		{`{console: {enabled: true}}`, "console is enabled, but config.JOURNAL is not 1"},
		{`{console: {enabled: true}}`, "console is enabled, but nobody may log in"},
		{`{config: {JOURNAL: "1"}}`, "config.JOURNAL is 1, but state.existingSecret is not set"},
		{`{tokenAPI: {enabled: true, peers: [{podSelector: {}}]}}`, "tokenAPI is enabled, but state.existingSecret is not set"},
		{`{state: {existingSecret: state}}`, "state.existingSecret is set, but state.peers is empty"},
	}
}

// Helm refuses wrong values, and the message says which and what is accepted. Without them it refuses nothing.
func TestRefusedValues(t *testing.T) {
	t.Parallel()
	base := filepath.Join(chart, "ci", "file-values.yaml")
	must(t, programs.Helm, "template", name, chart, "--namespace", name, "--values", base)
	for _, row := range refused() {
		t.Run(row.values, func(t *testing.T) {
			t.Parallel()
			_, message, err := run(t, programs.Helm, "template", name, chart, "--namespace", name, "--values", base, "--values", valuesFile(t, row.values))
			if err == nil {
				t.Fatal("is accepted")
			}
			if !strings.Contains(message, row.message) {
				t.Errorf("the message lacks %q:\n%s", row.message, message)
			}
			if strings.Contains(message, secret) {
				t.Errorf("the message has the secret:\n%s", message)
			}
		})
	}
}

// Without the schema, Helm takes any value. Even then nothing is open to everybody, and step-ca has to show its certificate.
func TestWithoutSchema(t *testing.T) {
	t.Parallel()
	arguments := []string{"template", name, chart, "--namespace", name, "--skip-schema-validation", "--values", filepath.Join(chart, "ci", "file-values.yaml"), "--values"}
	for values, want := range map[string]string{
		`{stepCA: {peers: []}}`:                                    "stepCA.peers is empty: that would be everybody",
		`{stepCA: {peers: null}}`:                                  "stepCA.peers is empty: that would be everybody",
		`{networkPolicy: {dns: []}}`:                               "networkPolicy.dns is empty: that would be everybody",
		`{networkPolicy: {extraEgress: [{ports: [{port: 443}]}]}}`: "to of networkPolicy.extraEgress is empty: that would be everybody",
	} {
		if _, message, err := run(t, programs.Helm, append(slices.Clone(arguments), valuesFile(t, values))...); err == nil || !strings.Contains(message, want) {
			t.Errorf("%s ends with %v, want an error with %q:\n%s", values, err, want, message)
		}
	}
	all, err := manifest.Parse([]byte(must(t, programs.Helm, append(arguments, valuesFile(t, `{config: {ENABLE_MTLS: "0", MTLS_ALLOWED_NAMES: other}}`))...)))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range manifest.Find(all, "ConfigMap") {
		if strings.HasSuffix(object.Name(), "-env") && (object.Text("data", "ENABLE_MTLS") != "1" || object.Text("data", "MTLS_ALLOWED_NAMES") == "other") {
			t.Errorf("the variables are %v", object.Map("data"))
		}
	}
}

// Helm accepts names of releases that a Service cannot have; and of two releases, none has an object of the other.
func TestNamesOfReleases(t *testing.T) {
	t.Parallel()
	values := filepath.Join(chart, "ci", "file-values.yaml")
	for _, release := range []string{"1prod", "a.b"} {
		_, message, err := run(t, programs.Helm, "template", release, chart, "--namespace", name, "--values", values)
		if want := "makes the name " + release + "-" + name + ", which no Service can have"; err == nil || !strings.Contains(message, want) {
			t.Errorf("the release %s ends with %v, want an error with %q:\n%s", release, err, want, message)
		}
		must(t, programs.Helm, "template", release, chart, "--namespace", name, "--values", values, "--set", "fullnameOverride=posture")
	}
	made := map[string]string{}
	for _, release := range []string{name, "a", "b", strings.Repeat("a", 53), strings.Repeat("a", 52) + "b", strings.Repeat("a", 40), strings.Repeat("a", 27)} {
		all, err := manifest.Parse([]byte(must(t, programs.Helm, "template", release, chart, "--namespace", name, "--values", filepath.Join(chart, "ci", "jamf-values.yaml"))))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range all {
			if other, isMade := made[object.ID()]; isMade {
				t.Errorf("the releases %s and %s both make %s", other, release, object.ID())
			}
			made[object.ID()] = release
			if limit := 63; object.Kind() == "Service" && len(object.Name()) > limit {
				t.Errorf("the release %s makes the Service %s with %d characters, want at most %d", release, object.Name(), len(object.Name()), limit)
			}
		}
	}
}

// What looks like something that is refused, and is none of it.
func TestAcceptedValues(t *testing.T) {
	t.Parallel()
	for _, values := range []string{
		`{policy: {file: "inventories: {assets: {provider: http, auth: {type: bearer, token: \"{{secret.token}}\"}}}"}}`,
		`{policy: {file: "inventories: {assets: {provider: http, list: {select: {items: \"body.rows\"}}}}"}}`,
		`{policy: {file: "inventories: {assets: {provider: http, auth: {type: basic, username: \"{{secret.key}}\", password: \"\"}}}"}}`,
		`{policy: {file: "webhooks: [{secret: {file: /run/step-posture-connector/other/secret}}]"}}`,
		`{policy: {file: "webhooks: [{secret: [{file: /run/step-posture-connector/other/new}, {file: /run/step-posture-connector/other/old}]}]"}}`,
		`{config: {HTTPS_PROXY: "http://proxy:3128"}}`,
	} {
		t.Run(values, func(t *testing.T) {
			t.Parallel()
			must(t, programs.Helm, "template", name, chart, "--namespace", name,
				"--values", filepath.Join(chart, "ci", "file-values.yaml"), "--values", valuesFile(t, values))
		})
	}
}

// The defaults alone are refused, with everything that is required in one message.
func TestDefaultsAreRefused(t *testing.T) {
	t.Parallel()
	_, message, err := run(t, programs.Helm, "template", name, chart, "--namespace", name)
	if err == nil {
		t.Fatal("the defaults are accepted")
	}
	for _, part := range []string{"3 of the values are wrong:", "- image.repository is not set", "- tls.source is not set", "- no inventory: "} {
		if !strings.Contains(message, part) {
			t.Errorf("the message lacks %q:\n%s", part, message)
		}
	}
}

// helm lint has nothing to say about the chart with any of its examples.
func TestLint(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(chart, "ci", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("ci has the files %q (%v)", files, err)
	}
	for _, values := range files {
		t.Run(filepath.Base(values), func(t *testing.T) {
			t.Parallel()
			if out := must(t, programs.Helm, "lint", "--strict", "--values", values, chart); !strings.Contains(out, "0 chart(s) failed") {
				t.Error(out)
			}
		})
	}
}
