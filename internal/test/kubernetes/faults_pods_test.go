package kubernetes_test

import (
	"slices"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

type object = manifest.Object

const (
	deployment = "Deployment/step-posture-connector"
	podSpec    = "/spec/template/spec"
	connector  = podSpec + "/containers/0"
	named      = "app.kubernetes.io~1name"
	violates   = "violates PodSecurity"
)

// podFaults are those of the Deployment and of its pods.
func podFaults() []fault {
	d := func(what string, plant func(o object) error, by, says string) fault {
		return fault{object: deployment, what: what, plant: plant, by: by, says: says}
	}
	added := func(volume record) func(o object) error {
		volume["name"] = "planted"
		return all(set(podSpec+"/volumes/-", volume), set(connector+"/volumeMounts/-", record{"name": "planted", "mountPath": "/planted", "readOnly": true}))
	}
	server := []fault{
		d("unknown field", set("/spec/replica", 2), byServer, ".spec.replica: field not declared in schema"),
		d("unknown field in the pod", set(podSpec+"/securityContext/runAsNonroot", true), byServer, "runAsNonroot: field not declared in schema"),
		d("wrong type", set("/spec/replicas", "two"), byServer, ".spec.replicas: expected numeric"),
		d("selector that matches nothing", set("/spec/selector/matchLabels/"+named, "other"), byServer, "`selector` does not match template `labels`"),
		d("mount of a missing volume", set(connector+"/volumeMounts/-", record{"name": "planted", "mountPath": "/planted"}), byServer, "Not found: \"planted\""),
		d("volume that is two things", set(podSpec+"/volumes/0/emptyDir", record{}), byServer, "may not specify more than 1 volume type"),
		d("nobody's service account", set(podSpec+"/serviceAccountName", "planted"), byServer, "error looking up service account"),
		d("requests above limits", set(connector+"/resources/requests/memory", "1Gi"), byServer, "must be less than or equal to memory limit"),
		d("no progress in a rollout", set("/spec/strategy/rollingUpdate/maxSurge", 0), byServer, "may not be 0 when `maxSurge` is 0"),
		d("no image", drop(connector+"/image"), byServer, "image: Required value"),
		d("probe that asks nothing", drop(connector+"/readinessProbe/httpGet"), byServer, "must specify a handler type"),
		d("sleep longer than the grace period", set(connector+"/lifecycle/preStop/sleep/seconds", 31), byServer, "must be non-negative and less than terminationGracePeriodSeconds"),
		d("port twice", set(connector+"/ports/-", record{"name": "https", "containerPort": 9447}), byServer, "Duplicate value"),
		// Pod Security "restricted", one by one.
		d("no runAsNonRoot", drop(podSpec+"/securityContext/runAsNonRoot"), byServer, violates),
		d("no security context of the pod", drop(podSpec+"/securityContext"), byServer, violates),
		d("runAsNonRoot false", set(connector+"/securityContext/runAsNonRoot", false), byServer, violates),
		d("root", set(podSpec+"/securityContext/runAsUser", 0), byServer, violates),
		d("no seccomp profile", drop(podSpec+"/securityContext/seccompProfile"), byServer, violates),
		d("seccomp profile Unconfined", set(podSpec+"/securityContext/seccompProfile/type", "Unconfined"), byServer, violates),
		d("no allowPrivilegeEscalation", drop(connector+"/securityContext/allowPrivilegeEscalation"), byServer, violates),
		d("no capabilities", drop(connector+"/securityContext/capabilities"), byServer, violates),
		d("capability", set(connector+"/securityContext/capabilities/add", list("NET_ADMIN")), byServer, violates),
		d("no security context of the container", drop(connector+"/securityContext"), byServer, violates),
		d("privileged", set(connector+"/securityContext/privileged", true), byServer, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
		d("unmasked proc", set(connector+"/securityContext/procMount", "Unmasked"), byServer, "procMount"),
		d("hostNetwork", set(podSpec+"/hostNetwork", true), byServer, "hostPort"),
		d("hostPID", set(podSpec+"/hostPID", true), byServer, violates),
		d("hostIPC", set(podSpec+"/hostIPC", true), byServer, violates),
		d("hostPort", set(connector+"/ports/0/hostPort", 9443), byServer, violates),
		d("hostPath", added(record{"hostPath": record{"path": "/"}}), byServer, violates),
		d("sysctl", set(podSpec+"/securityContext/sysctls", list(record{"name": "kernel.msgmax", "value": "1"})), byServer, violates),
	}
	return slices.Concat(server, []fault{
		d("pods of another name", all(set("/spec/selector/matchLabels/"+named, "other"), set("/spec/template/metadata/labels/"+named, "other")), "service", "its selector selects no pod"),
		d("no runAsUser", drop(podSpec+"/securityContext/runAsUser"), "user", "has no runAsUser"),
		d("no runAsGroup", drop(podSpec+"/securityContext/runAsGroup"), "user", "has no runAsGroup"),
		d("group root", set(podSpec+"/securityContext/runAsGroup", 0), "user", "has no runAsGroup, or root"),
		d("no fsGroup", drop(podSpec+"/securityContext/fsGroup"), "user", "cannot read the secret volume"),
		d("no readOnlyRootFilesystem", drop(connector+"/securityContext/readOnlyRootFilesystem"), "user", "readOnlyRootFilesystem"),
		d("token that is mounted", set(podSpec+"/automountServiceAccountToken", true), "token", "automountServiceAccountToken is not false"),
		d("token by default", drop(podSpec+"/automountServiceAccountToken"), "token", "automountServiceAccountToken is not false"),
		d("token in a volume", added(record{"projected": record{"sources": list(record{"serviceAccountToken": record{"path": "token"}})}}), "token", "has a token"),
		d("service links", drop(podSpec+"/enableServiceLinks"), "token", "enableServiceLinks"),
		d("one replica", set("/spec/replicas", 1), "rollout", "1 replicas"),
		d("all pods replaced at once", set("/spec/strategy", record{"type": "Recreate"}), "rollout", "an old pod may end"),
		d("one pod less in a rollout", set("/spec/strategy/rollingUpdate/maxUnavailable", 1), "rollout", "an old pod may end"),
		d("no preStop", drop(connector+"/lifecycle"), "rollout", "no sleep in preStop"),
		d("short grace period", set(podSpec+"/terminationGracePeriodSeconds", 10), "rollout", "do not fit"),
		d("spread over other pods", set(podSpec+"/topologySpreadConstraints/1/labelSelector/matchLabels/"+named, "other"), "spread", "counts other pods"),
		d("no spread", drop(podSpec+"/topologySpreadConstraints"), "spread", "on different nodes"),
		d("volume that nobody mounts", set(podSpec+"/volumes/-", record{"name": "planted", "emptyDir": record{"sizeLimit": "1Mi"}}), "mount", "no container mounts the volume planted"),
		d("folder without a limit", added(record{"emptyDir": record{}}), "mount", "no sizeLimit"),
		d("secret that everyone may read", set(podSpec+"/volumes/2/secret/defaultMode", 0o444), "mount", "not the mode 0440"),
		d("nobody's ConfigMap as a volume", set(podSpec+"/volumes/0/configMap/name", "planted"), "reference", "nobody makes the ConfigMap planted"),
		d("nobody's Secret as a volume", set(podSpec+"/volumes/2/secret/secretName", "planted"), "reference", "nobody makes the Secret planted"),
		d("key that is in no Secret", set(podSpec+"/volumes/2/secret/items", list(record{"key": "planted", "path": "ids"})), "reference", "has no key planted"),
		d("nobody's PersistentVolumeClaim", added(record{"persistentVolumeClaim": record{"claimName": "planted"}}), "reference", "nobody makes the PersistentVolumeClaim planted"),
		d("nobody's pull secret", set(podSpec+"/imagePullSecrets", list(record{"name": "planted"})), "reference", "nobody makes the Secret planted"),
		d("no pods", gone, "service", "its selector selects no pod"),
	})
}

// renewerFaults are those of what runs before and beside the connector.
func renewerFaults() []fault {
	const before, beside = podSpec + "/initContainers/0", podSpec + "/initContainers/1"
	r := func(what string, plant func(o object) error, by, says string) fault {
		return fault{overlay: "jamf", object: deployment, what: what, plant: plant, by: by, says: says}
	}
	return []fault{
		r("init container without a security context", drop(before+"/securityContext"), byServer, violates),
		r("sidecar that may become root", set(beside+"/securityContext/allowPrivilegeEscalation", true), byServer, violates),
		r("sidecar with a writable root", drop(beside+"/securityContext/readOnlyRootFilesystem"), "user", "the container renewer has not readOnlyRootFilesystem"),
		r("sidecar without a memory limit", drop(beside+"/resources"), "resources", "the container renewer has no resources.limits.memory"),
		r("init container without a version", set(before+"/image", "smallstep/step-ca"), "image", "has no fixed version"),
		r("init container that restarts", set(before+"/restartPolicy", "Sometimes"), byServer, "Unsupported value"),
		r("sidecar with nobody's variables", set(beside+"/envFrom/0/configMapRef/name", "planted"), "reference", "nobody makes the ConfigMap planted"),
		r("sidecar with a secret variable", set(beside+"/env/-", record{"name": "STATE_URL", "value": "postgres://planted"}), "secret", "STATE_URL has a value in it"),
		r("script that is missing", drop(before+"/volumeMounts/2/mountPath"), byServer, "mountPath: Required value"),
	}
}

// containerFaults are those of the connector's container.
func containerFaults() []fault {
	c := func(what string, plant func(o object) error, by, says string) fault {
		return fault{object: deployment, what: what, plant: plant, by: by, says: says}
	}
	variable := func(v record) func(o object) error { return set(connector+"/env", list(v)) }
	return []fault{
		c("image without a version", set(connector+"/image", "registry.example.com:5000/connector"), "image", "has no fixed version"),
		c("image latest", set(connector+"/image", "registry.example.com/connector:latest"), "image", "has no fixed version"),
		c("no readiness probe", drop(connector+"/readinessProbe"), "probe", "no readinessProbe"),
		c("no liveness probe", drop(connector+"/livenessProbe"), "probe", "no livenessProbe"),
		c("readiness probe on a wrong port", set(connector+"/readinessProbe/httpGet/port", "https"), "probe", "asks the port 9443"),
		c("liveness probe on a missing port", set(connector+"/livenessProbe/httpGet/port", 9445), "probe", "asks the port 9445, which the container does not have"),
		c("startup probe on a misspelled port", set(connector+"/startupProbe/httpGet/port", "helth"), "probe", "asks the port helth"),
		c("probe of the wrong page", set(connector+"/livenessProbe/httpGet/path", "/readyz"), "probe", "asks for /readyz, want /healthz"),
		c("probe over TLS", set(connector+"/readinessProbe/httpGet/scheme", "HTTPS"), "probe", "speaks HTTPS"),
		c("probe that connects only", all(drop(connector+"/readinessProbe/httpGet"), set(connector+"/readinessProbe/tcpSocket", record{"port": "health"})), "probe", "is no httpGet"),
		c("privileged port", set(connector+"/ports/0/containerPort", 443), "port", "below 1024 only root may listen"),
		c("port on which nobody listens", set(connector+"/ports/-", record{"name": "planted", "containerPort": 9447}), "port", "the connector listens on"),
		c("no port for the monitoring", drop(connector+"/ports/1"), "probe", "asks the port health"),
		c("no memory limit", drop(connector+"/resources/limits"), "resources", "no resources.limits.memory"),
		c("no requests", drop(connector+"/resources/requests"), "resources", "no resources.requests.cpu"),
		c("memory limit below that of Go", set(connector+"/resources/limits/memory", "200Mi"), "resources", "GOMEMLIMIT is 220MiB"),
		c("mount of a single file", set(connector+"/volumeMounts/0/subPath", "posture.yaml"), "mount", "with subPath"),
		c("mount to write to", drop(connector+"/volumeMounts/2/readOnly"), "mount", "with readOnly"),
		c("mount at another path", set(connector+"/volumeMounts/3/mountPath", "/run/planted"), "path", "TLS_KEY_PATH is /run/step-posture-connector/tls/tls.key, where no volume is mounted"),
		c("nobody's ConfigMap as variables", set(connector+"/envFrom/0/configMapRef/name", "planted"), "reference", "nobody makes the ConfigMap planted"),
		c("secret in a variable", variable(record{"name": "JAMF_CLIENT_SECRET", "value": "planted"}), "secret", "the secret variable JAMF_CLIENT_SECRET has a value in it"),
		c("password in a variable", variable(record{"name": "STATE_URL", "value": "postgres://connector:planted@db/state"}), "secret", "a password in a URL"),
		c("Secret as a variable", variable(record{"name": "WEBHOOK_SECRETS", "valueFrom": record{"secretKeyRef": record{"name": "step-posture-connector-webhook", "key": "secrets"}}}), "secret", "gets the secret variable WEBHOOK_SECRETS"),
		c("Secret as variables", set(connector+"/envFrom/-", record{"secretRef": record{"name": "step-posture-connector-webhook"}}), "secret", "gets the Secret step-posture-connector-webhook as variables"),
		c("key that is in no ConfigMap", variable(record{"name": "TZ", "valueFrom": record{"configMapKeyRef": record{"name": "step-posture-connector-ca", "key": "planted"}}}), "reference", "has no key planted"),
	}
}
