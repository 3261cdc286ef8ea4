package kubernetes_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
)

// configurationFaults are those of what the pods read.
func configurationFaults() []fault {
	const (
		environment = "ConfigMap/step-posture-connector-env"
		policy      = "ConfigMap/step-posture-connector-policy"
		account     = "ServiceAccount/step-posture-connector"
		claim       = "PersistentVolumeClaim/step-posture-connector"
		secret      = "Secret/step-posture-connector-webhook"
	)
	return []fault{
		{object: environment, what: "unknown field", plant: set("/datas", record{}), by: byServer, says: ".datas: field not declared in schema"},
		{object: environment, what: "wrong type", plant: set("/data/JOURNAL", 1), by: byServer, says: ".data.JOURNAL: expected string"},
		{object: environment, what: "impossible key", plant: set("/data/a variable", ""), by: byServer, says: "a valid config key must consist of"},
		{object: environment, what: "secret", plant: set("/data/WEBHOOK_SECRETS", "planted"), by: "secret", says: "the secret variable WEBHOOK_SECRETS has a value in it"},
		{object: environment, what: "password in a URL", plant: set("/data/HTTPS_PROXY", "http://connector:planted@proxy:3128"), by: "secret", says: "a password in a URL"},
		{object: environment, what: "health listener for the pod alone", plant: set("/data/HEALTH_ADDRESS", "127.0.0.1:9444"), by: "probe", says: "where the kubelet cannot ask"},
		{object: environment, what: "health listener on another port", plant: set("/data/HEALTH_ADDRESS", ":9445"), by: "probe", says: "asks the port 9444, and HEALTH_ADDRESS is"},
		{object: environment, what: "no health listener", plant: drop("/data/HEALTH_ADDRESS"), by: "probe", says: "nothing answers"},
		{object: environment, what: "another port", plant: set("/data/PORT", "8443"), by: "port", says: "the connector listens on"},
		{object: environment, what: "listener without a port", plant: set("/data/DOOR_ADDRESS", ":9446"), by: "port", says: "the connector listens on"},
		{object: environment, what: "more memory than the limit", plant: set("/data/GOMEMLIMIT", "1GiB"), by: "resources", says: "the container ends at 256Mi"},
		{object: environment, what: "misspelled file", plant: set("/data/TLS_KEY_PATH", "/run/step-posture-connector/tls/tls.kye"), by: "path", says: "which the volume tls does not have"},
		{object: environment, what: "file outside of the volumes", plant: set("/data/FILE_PATH", "/srv/devices.csv"), by: "path", says: "where no volume is mounted"},
		{object: environment, what: "another name", plant: set("/metadata/name", "planted"), by: "reference", says: "nothing uses it"},
		{object: environment, what: "missing", plant: gone, by: "reference", says: "nobody makes the ConfigMap step-posture-connector-env"},
		{object: policy, what: "file that is missing", plant: drop("/data/devices.csv"), by: "path", says: "FILE_PATH is"},
		{object: policy, what: "private key", plant: set("/data/key.pem", privateKey()), by: "secret", says: "a private key"},
		{object: policy, what: "secret of a webhook", plant: set("/data/note", "it is "+webhookSecret()), by: "secret", says: "a secret of a webhook"},
		{object: policy, what: "token", plant: set("/data/token", token()), by: "secret", says: "a JSON Web Token"},
		{object: policy, what: "secret of an inventory", plant: set("/data/posture.yaml", "inventories:\n  mdm:\n    client_secret: planted\n"), by: "secret", says: "a member with a secret"},
		{object: policy, what: "file of another volume", plant: set("/data/posture.yaml", "secret: {file: /run/step-posture-connector/webhook/planted}"), by: "path", says: "posture.yaml names /run/step-posture-connector/webhook/planted"},
		{object: policy, what: "env file", plant: set("/data/env", "JAMF_CLIENT_SECRET=planted\n"), by: "secret", says: "an assignment of a secret"},
		{object: policy, what: "hash of a password", plant: set("/data/users", "ada:$2y$12$"+strings.Repeat("a", 53)), by: "secret", says: "a password hash"},
		{object: account, what: "unknown field", plant: set("/automountToken", false), by: byServer, says: ".automountToken: field not declared in schema"},
		{object: account, what: "wrong type", plant: set("/automountServiceAccountToken", "no"), by: byServer, says: ".automountServiceAccountToken: expected boolean"},
		{object: account, what: "token that is mounted", plant: drop("/automountServiceAccountToken"), by: "token", says: "automountServiceAccountToken is not false"},
		{object: account, what: "another name", plant: set("/metadata/name", "planted"), by: "reference", says: "nobody makes the ServiceAccount"},
		{object: "RoleBinding/step-posture-connector", what: "rights", plant: all(set("/apiVersion", "rbac.authorization.k8s.io/v1"),
			set("/roleRef", record{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}),
			set("/subjects", list(record{"kind": "ServiceAccount", "name": "step-posture-connector"}))), by: "rights", says: "needs no rights"},
		{object: secret, what: "in a manifest", plant: all(set("/apiVersion", "v1"), set("/stringData", record{"secrets": "planted"})), by: "secret", says: "no place for a secret"},
		{object: secret, what: "unknown field", plant: all(set("/apiVersion", "v1"), set("/strings", record{})), by: byServer, says: "field not declared in schema"},
		{object: secret, what: "wrong type", plant: all(set("/apiVersion", "v1"), set("/data", record{"secrets": "no base64!"})), by: byServer, says: "base64"},
		{overlay: "mdmsecuritydemo", object: claim, what: "unknown field", plant: set("/spec/accessMode", list("ReadWriteOnce")), by: byServer, says: ".spec.accessMode: field not declared in schema"},
		{overlay: "mdmsecuritydemo", object: claim, what: "wrong type", plant: set("/spec/accessModes", "ReadWriteOnce"), by: byServer, says: "expected list"},
		{overlay: "mdmsecuritydemo", object: claim, what: "size that is none", plant: set("/spec/resources/requests/storage", "much"), by: byServer, says: "quantities must match"},
		{overlay: "mdmsecuritydemo", object: claim, what: "another name", plant: set("/metadata/name", "planted"), by: "reference", says: "nobody makes the PersistentVolumeClaim"},
	}
}

// otherFaults are those of namespaces, and of what operators read.
func otherFaults() []fault {
	const (
		namespace   = "Namespace/step-posture-connector"
		enforce     = "/metadata/labels/pod-security.kubernetes.io~1enforce"
		certificate = "Certificate/step-posture-connector"
		monitor     = "ServiceMonitor/step-posture-connector"
		rule        = "PrometheusRule/step-posture-connector"
	)
	return []fault{
		{object: namespace, what: "unknown field", plant: set("/spec", record{"planted": true}), by: byServer, says: ".spec.planted: field not declared in schema"},
		{object: namespace, what: "wrong type", plant: set("/metadata/labels", list("restricted")), by: byServer, says: "expected map"},
		{object: namespace, what: "Pod Security not enforced", plant: drop(enforce), by: "namespace", says: "does not enforce"},
		{object: namespace, what: "Pod Security baseline", plant: set(enforce, "baseline"), by: "namespace", says: "does not enforce"},
		{object: namespace, what: "Pod Security that does not exist", plant: set(enforce, "strict"), by: byServer, says: "must be one of privileged, baseline, restricted"},
		{object: namespace, what: "another name", plant: set("/metadata/name", "planted"), by: "namespace", says: "nobody makes the namespace step-posture-connector"},

		{object: certificate, what: "unknown field", plant: set("/spec/dnsName", "planted"), by: byServer, says: ".spec.dnsName: field not declared in schema"},
		{object: certificate, what: "wrong type", plant: set("/spec/dnsNames", "planted"), by: byServer, says: "dnsNames"},
		{object: certificate, what: "no issuer", plant: drop("/spec/issuerRef"), by: byServer, says: "spec.issuerRef: Required value"},
		{object: certificate, what: "no Secret", plant: drop("/spec/secretName"), by: byServer, says: "spec.secretName: Required value"},
		{object: certificate, what: "unknown algorithm", plant: set("/spec/privateKey/algorithm", "DSA"), by: byServer, says: "Unsupported value: \"DSA\""},
		{object: certificate, what: "unknown usage", plant: set("/spec/usages/1", "server"), by: byServer, says: "Unsupported value: \"server\""},
		{object: certificate, what: "Secret that nobody mounts", plant: set("/spec/secretName", "planted"), by: "certificate", says: "no pod mounts its Secret planted"},
		{object: certificate, what: "missing", plant: gone, by: "reference", says: "nobody makes the Secret step-posture-connector-tls"},
		{object: certificate, what: "name of nobody", plant: set("/spec/dnsNames/1", "planted.step-posture-connector.svc"), by: "certificate", says: "nothing is called planted"},
		{object: certificate, what: "no name of the Service", plant: drop("/spec/dnsNames/1"), by: "certificate", says: "its dnsNames lack step-posture-connector.step-posture-connector.svc"},
		{object: certificate, what: "renewed too late", plant: set("/spec/renewBefore", "48h"), by: "certificate", says: "duration and renewBefore"},
		{object: certificate, what: "key that stays", plant: set("/spec/privateKey/rotationPolicy", "Never"), by: "certificate", says: "its key stays"},
		{object: certificate, what: "not for servers", plant: drop("/spec/usages/1"), by: "certificate", says: "it is not for servers"},

		{object: monitor, what: "unknown field", plant: set("/spec/endpoints/0/ports", "health"), by: byServer, says: "field not declared in schema"},
		{object: monitor, what: "wrong type", plant: set("/spec/endpoints/0/port", 9444), by: byServer, says: "port"},
		{object: monitor, what: "no endpoints", plant: drop("/spec/endpoints"), by: byServer, says: "spec.endpoints: Required value"},
		{object: monitor, what: "interval that is none", plant: set("/spec/endpoints/0/interval", "30 seconds"), by: byServer, says: "should match"},
		{object: monitor, what: "selector that matches nothing", plant: set("/spec/selector/matchLabels/"+named, "other"), by: "monitor", says: "selects no Service"},
		{object: monitor, what: "port that the Service lacks", plant: set("/spec/endpoints/0/port", "metrics"), by: "monitor", says: "has no port metrics"},
		{object: monitor, what: "wrong page", plant: set("/spec/endpoints/0/path", "/healthz"), by: "monitor", says: "want /metrics"},
		{object: monitor, what: "timeout above the interval", plant: set("/spec/endpoints/0/scrapeTimeout", "1m"), by: "monitor", says: "longer than the interval"},
		{object: "Service/step-posture-connector-metrics", what: "metrics at another port", plant: set("/spec/ports/0/targetPort", "https"), by: "monitor", says: "its port leads to 9443"},
		{object: "Service/step-posture-connector-metrics", what: "metrics without labels", plant: drop("/metadata/labels"), by: "monitor", says: "selects no Service"},

		{object: rule, what: "unknown field", plant: set("/spec/groups/0/rules/0/severity", "page"), by: byServer, says: "field not declared in schema"},
		{object: rule, what: "wrong type", plant: set("/spec/groups/0/rules/0/labels", list("page")), by: byServer, says: "labels"},
		{object: rule, what: "no expression", plant: drop("/spec/groups/0/rules/0/expr"), by: byServer, says: "expr: Required value"},
		{object: rule, what: "duration that is none", plant: set("/spec/groups/0/rules/0/for", "soon"), by: byServer, says: "should match"},
		{object: rule, what: "no name of a group", plant: drop("/spec/groups/0/name"), by: byServer, says: "name"},
	}
}

// privateKey is a key that protects nothing.
func privateKey() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no random numbers
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // a key that was made a moment ago
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// webhookSecret has the form of those that step-ca makes.
func webhookSecret() string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("planted.", 8)))
}

// token has the form of a JSON Web Token.
func token() string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return fmt.Sprintf("%s.%s.%s", part(`{"alg":"none","typ":"JWT"}`), part(`{"sub":"planted in a test"}`), part("no signature at all"))
}
