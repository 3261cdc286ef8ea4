//go:build compose

package podspec_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are the objects of an overlay of docs/kubernetes that matter to a node, as kubectl apply -k sends them.
type manifests struct {
	deployment  appsv1.Deployment
	services    map[string]corev1.Service
	configMaps  map[string]corev1.ConfigMap
	certificate certificate
	claims      map[string]bool // names of PersistentVolumeClaims
}

// certificate is what cert-manager reads of its Certificate.
type certificate struct {
	Spec struct {
		SecretName string   `json:"secretName"`
		DNSNames   []string `json:"dnsNames"`
	} `json:"spec"`
}

// render reads an overlay with the library that kubectl has. A member that the API does not know is an error.
func render(t *testing.T, repository, overlay string) manifests {
	t.Helper()
	folder := filepath.Join(repository, "docs", "kubernetes", "overlays", overlay)
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	m := manifests{services: map[string]corev1.Service{}, configMaps: map[string]corev1.ConfigMap{}, claims: map[string]bool{}}
	deployments := 0
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var into any
		service, configMap := corev1.Service{}, corev1.ConfigMap{}
		switch resource.GetKind() {
		case "Deployment":
			into = &m.deployment
			deployments++
		case "Service":
			into = &service
		case "ConfigMap":
			into = &configMap
		case "PersistentVolumeClaim":
			m.claims[resource.GetName()] = true
			continue
		case "Certificate":
			if err := yaml.Unmarshal(text, &m.certificate); err != nil {
				t.Fatal(err)
			}
			continue
		default:
			// Nothing that a node reads. The tests with the real API server have them all.
			continue
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Fatalf("the %s %s: %v", resource.GetKind(), resource.GetName(), err)
		}
		m.services[service.Name], m.configMaps[configMap.Name] = service, configMap
	}
	delete(m.services, "")
	delete(m.configMaps, "")
	if deployments != 1 {
		t.Fatalf("the overlay %s has %d deployments", overlay, deployments)
	}
	return m
}

// podFields are the fields of a pod that the kubelet of these tests heeds. A pod with any other is refused: what is
// ignored proves nothing.
const podFields = `
	serviceAccountName automountServiceAccountToken enableServiceLinks terminationGracePeriodSeconds
	securityContext.runAsNonRoot securityContext.runAsUser securityContext.runAsGroup securityContext.fsGroup
	securityContext.seccompProfile.type
	volumes[].name volumes[].configMap.name volumes[].configMap.defaultMode
	volumes[].secret.secretName volumes[].secret.defaultMode
	volumes[].configMap.items[].key volumes[].configMap.items[].path volumes[].secret.items[].key volumes[].secret.items[].path
	volumes[].persistentVolumeClaim.claimName volumes[].emptyDir volumes[].emptyDir.medium volumes[].emptyDir.sizeLimit`

// schedulerFields choose a node. Here is only one.
const schedulerFields = `
	topologySpreadConstraints[].maxSkew topologySpreadConstraints[].topologyKey topologySpreadConstraints[].whenUnsatisfiable
	topologySpreadConstraints[].labelSelector.matchLabels topologySpreadConstraints[].matchLabelKeys[]`

const containerFields = `
	name image imagePullPolicy command[] args[] workingDir restartPolicy
	envFrom[].configMapRef.name env[].name env[].value env[].valueFrom.configMapKeyRef.name env[].valueFrom.configMapKeyRef.key
	env[].valueFrom.secretKeyRef.name env[].valueFrom.secretKeyRef.key
	env[].valueFrom.secretKeyRef.optional env[].valueFrom.fieldRef.fieldPath
	ports[].name ports[].containerPort ports[].protocol
	lifecycle.preStop.sleep.seconds
	securityContext.allowPrivilegeEscalation securityContext.readOnlyRootFilesystem securityContext.capabilities.drop[]
	securityContext.runAsUser securityContext.runAsGroup securityContext.runAsNonRoot securityContext.seccompProfile.type
	resources.requests.cpu resources.requests.memory resources.limits.cpu resources.limits.memory
	volumeMounts[].name volumeMounts[].mountPath volumeMounts[].readOnly volumeMounts[].subPath`

const probeFields = `
	httpGet.path httpGet.port httpGet.scheme exec.command[] tcpSocket.port
	initialDelaySeconds periodSeconds timeoutSeconds successThreshold failureThreshold`

const deploymentFields = `
	replicas minReadySeconds strategy.type strategy.rollingUpdate.maxSurge strategy.rollingUpdate.maxUnavailable
	selector.matchLabels template.metadata.labels template.metadata.annotations revisionHistoryLimit`

// unheeded are the fields of a pod, each as it would be written in its manifest, that the kubelet of these tests does
// not heed.
func unheeded(spec corev1.PodSpec) []string {
	known := strings.Fields(podFields + schedulerFields)
	for _, list := range []string{"containers[].", "initContainers[]."} {
		for _, field := range strings.Fields(containerFields) {
			known = append(known, list+field)
		}
		for _, probe := range []string{"startupProbe.", "livenessProbe.", "readinessProbe."} {
			for _, field := range strings.Fields(probeFields) {
				known = append(known, list+probe+field)
			}
		}
	}
	return others(spec, known)
}

// others are the fields of an object that are set and not known.
func others(object any, known []string) []string {
	text, err := json.Marshal(object)
	if err != nil {
		return []string{err.Error()}
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return []string{err.Error()}
	}
	found := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		if slices.Contains(known, path) {
			return
		}
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				walk(strings.TrimPrefix(path+"."+name, "."), member)
			}
		case []any:
			for _, element := range value {
				walk(path+"[]", element)
			}
		case nil:
		default:
			found[path] = true
		}
	}
	walk("", tree)
	return slices.Sorted(maps.Keys(found))
}

// TestUnheeded: a field that the kubelet of these tests does not heed is found, wherever it is.
func TestUnheeded(t *testing.T) {
	t.Parallel()
	host, yes := corev1.HostPathFile, true
	container := corev1.Container{
		Name: "a", Stdin: true,
		Ports:           []corev1.ContainerPort{{HostPort: 1}},
		SecurityContext: &corev1.SecurityContext{Privileged: &yes, Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}},
		LivenessProbe:   &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 1}}},
	}
	got := unheeded(corev1.PodSpec{
		HostNetwork: true, Containers: []corev1.Container{container}, InitContainers: []corev1.Container{{Name: "b", TTY: true}},
		Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/", Type: &host}}}},
	})
	want := []string{
		"containers[].livenessProbe.grpc.port", "containers[].livenessProbe.grpc.service", "containers[].ports[].hostPort",
		"containers[].securityContext.capabilities.add[]", "containers[].securityContext.privileged", "containers[].stdin",
		"hostNetwork", "initContainers[].tty", "volumes[].hostPath.path", "volumes[].hostPath.type",
	}
	// Of the service there is no name, which is nothing that a manifest has.
	want = slices.DeleteFunc(want, func(field string) bool { return strings.HasSuffix(field, "grpc.service") })
	if !slices.Equal(got, want) {
		t.Errorf("found %s, want %s", fmt.Sprint(got), fmt.Sprint(want))
	}
	if got := unheeded(corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "b"}}}); len(got) != 0 {
		t.Errorf("found %s in a pod that has none", got)
	}
}
