package docs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/store"
)

// manifest is what the tests read of a document of Kubernetes; other members are ignored.
type manifest struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Spec struct {
		Type         string    `yaml:"type"`
		ExternalName string    `yaml:"externalName"`
		Ports        []port    `yaml:"ports"`
		Selector     yaml.Node `yaml:"selector"`
		Template     struct {
			Metadata struct {
				Labels map[string]string `yaml:"labels"`
			} `yaml:"metadata"`
			Spec pod `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

type port struct {
	Name          string `yaml:"name"`
	Port          int    `yaml:"port"`
	TargetPort    string `yaml:"targetPort"`
	ContainerPort int    `yaml:"containerPort"`
}

type pod struct {
	Volumes []struct {
		Name                  string `yaml:"name"`
		PersistentVolumeClaim *struct {
			ClaimName string `yaml:"claimName"`
		} `yaml:"persistentVolumeClaim"`
	} `yaml:"volumes"`
	Containers []struct {
		Ports []port `yaml:"ports"`
		Env   []struct {
			Name      string `yaml:"name"`
			Value     string `yaml:"value"`
			ValueFrom *struct {
				SecretKeyRef struct {
					Name     string `yaml:"name"`
					Key      string `yaml:"key"`
					Optional bool   `yaml:"optional"`
				} `yaml:"secretKeyRef"`
			} `yaml:"valueFrom"`
		} `yaml:"env"`
		VolumeMounts []struct {
			Name      string `yaml:"name"`
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	} `yaml:"containers"`
}

// manifests are the documents of the example, by kind, namespace and name.
func manifests(t *testing.T) map[string]manifest {
	t.Helper()
	all := map[string]manifest{}
	for _, file := range glob(t, "docs/kubernetes/overlays/mdmsecuritydemo/*.yaml") {
		if strings.HasSuffix(file, "/kustomization.yaml") {
			continue
		}
		documents := yaml.NewDecoder(bytes.NewReader([]byte(read(t, file))))
		for {
			var m manifest
			err := documents.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			name := strings.Join([]string{m.Kind, m.Metadata.Namespace, m.Metadata.Name}, " ")
			if _, exists := all[name]; exists || m.Kind == "" || m.Metadata.Namespace == "" || m.Metadata.Name == "" {
				t.Errorf("%s: %q is incomplete, or there twice", file, name)
			}
			all[name] = m
		}
	}
	return all
}

func (p *pod) port(t *testing.T, name string) int {
	t.Helper()
	for _, port := range p.Containers[0].Ports {
		if port.Name == name {
			return port.ContainerPort
		}
	}
	t.Errorf("the container has no port %q", name)
	return 0
}

// environ is the environment of the container, with a value of its own for each secret.
func (p *pod) environ(optional bool) map[string]string {
	environ := map[string]string{}
	for _, v := range p.Containers[0].Env {
		switch {
		case v.ValueFrom == nil:
			environ[v.Name] = v.Value
		case optional || !v.ValueFrom.SecretKeyRef.Optional:
			environ[v.Name] = "secret-" + v.Name
		}
	}
	return environ
}

const demoDeployment = "Deployment dynamicacme step-posture-connector"

// TestServicesOfTheDemo: enrollhandler and step-ca find the connector at the names and ports of mdmsecuritydemo.
func TestServicesOfTheDemo(t *testing.T) {
	t.Parallel()
	all := manifests(t)
	deployment := all[demoDeployment]
	containers := deployment.Spec.Template.Spec.Containers
	if len(containers) != 1 {
		t.Fatalf("%d containers, want one", len(containers))
	}
	c, problems := config.Load(deployment.Spec.Template.Spec.environ(false))
	if len(problems) > 0 {
		t.Fatalf("the environment is refused: %v", problems)
	}
	_, queries, _ := net.SplitHostPort(string(c.APIAddress))
	for _, test := range []struct {
		namespace, name string
		port            int
		listens         string // the port of the listener that answers
	}{
		{"dynamicacme", "dynamicacme", 443, strconv.Itoa(int(c.Port))},
		{"deviceinventory", "deviceinventory", 80, queries},
	} {
		service := all[strings.Join([]string{"Service", test.namespace, test.name}, " ")]
		if service.Spec.Type == "ExternalName" {
			labels := strings.Split(service.Spec.ExternalName, ".")
			if len(labels) < 3 || labels[2] != "svc" || len(service.Spec.Ports) > 0 {
				t.Fatalf("%s: the external name is %q, want that of a service", test.name, service.Spec.ExternalName)
			}
			service = all[strings.Join([]string{"Service", labels[1], labels[0]}, " ")]
		}
		selector := map[string]string{}
		if err := service.Spec.Selector.Decode(&selector); err != nil || len(selector) == 0 {
			t.Fatalf("%s.%s: it selects %v, %v", test.name, test.namespace, selector, err)
		}
		for label, value := range selector {
			if deployment.Spec.Template.Metadata.Labels[label] != value {
				t.Errorf("%s.%s: it selects %s=%s, which the pod does not have", test.name, test.namespace, label, value)
			}
		}
		if service.Metadata.Namespace != deployment.Metadata.Namespace {
			t.Errorf("%s.%s: it is in the namespace %s, and selects nothing", test.name, test.namespace, service.Metadata.Namespace)
		}
		if len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != test.port {
			t.Fatalf("%s.%s has the ports %+v, want %d", test.name, test.namespace, service.Spec.Ports, test.port)
		}
		if got := deployment.Spec.Template.Spec.port(t, service.Spec.Ports[0].TargetPort); strconv.Itoa(got) != test.listens {
			t.Errorf("%s.%s leads to port %d, and the connector listens on %s", test.name, test.namespace, got, test.listens)
		}
	}
	_, health, _ := net.SplitHostPort(string(c.HealthAddress))
	if got := deployment.Spec.Template.Spec.port(t, "health"); strconv.Itoa(got) != health {
		t.Errorf("the port of the probes is %d, and HEALTH_ADDRESS has %s", got, health)
	}
}

// TestEnvironmentOfTheDemo: the container has the variables of the originals and what the connector needs beside them; each
// exists, and each path is in a volume.
func TestEnvironmentOfTheDemo(t *testing.T) {
	t.Parallel()
	all := manifests(t)
	of := all[demoDeployment].Spec.Template.Spec
	known := slices.Concat(config.Variables[config.Config](), provider.Variables())
	environ := of.environ(true)
	for name := range environ {
		if !slices.Contains(known, name) {
			t.Errorf("the connector has no variable %s", name)
		}
	}
	for _, name := range []string{
		"COMPAT_MDMSECURITYDEMO", "API_KEY", "WEBHOOK_KEY", "DEVICE_INVENTORY_API_KEY", "TLS_CERT_PATH", "TLS_KEY_PATH", "INVENTORY_PATH", "API_ADDRESS", "STATE_URL",
	} {
		if environ[name] == "" {
			t.Errorf("%s is not set", name)
		}
	}
	if _, err := store.ParseURL(environ["STATE_URL"]); err != nil {
		t.Errorf("STATE_URL: %v", err)
	}
	mounted := func(of pod, file string) (volume string) {
		for _, mount := range of.Containers[0].VolumeMounts {
			if mount.MountPath == path.Dir(file) {
				return mount.Name
			}
		}
		return ""
	}
	for variable, volume := range map[string]string{"TLS_CERT_PATH": "tls", "TLS_KEY_PATH": "tls", "INVENTORY_PATH": "inventory", "STATE_URL": "state"} {
		if got := mounted(of, strings.TrimPrefix(environ[variable], "sqlite:")); got != volume {
			t.Errorf("%s is in the volume %q, want %s", variable, got, volume)
		}
	}
	for _, volume := range of.Volumes {
		if claim := volume.PersistentVolumeClaim; claim != nil {
			if _, exists := all["PersistentVolumeClaim dynamicacme "+claim.ClaimName]; !exists {
				t.Errorf("there is no claim %s", claim.ClaimName)
			}
		}
	}
}

// TestPageOfTheDemo: its variables exist, and its template has the line that the connector asks for.
func TestPageOfTheDemo(t *testing.T) {
	t.Parallel()
	const page = "docs/mdmsecuritydemo.md"
	known := append(config.Variables[config.Config](), "DEBUG_KEY", "ALLOW_NO_MACHINEINFO")
	for _, name := range matches(t, page, "`([A-Z]+_[A-Z_]+)(?:=[^`]*)?`") {
		if name != "FILE_PATH" && name != "FILE_TYPE" && !slices.Contains(known, name) {
			t.Errorf("%s names %s, which nothing has", page, name)
		}
	}
	for _, name := range []string{"COMPAT_MDMSECURITYDEMO", "API_KEY", "WEBHOOK_KEY", "DEVICE_INVENTORY_API_KEY", "INVENTORY_PATH", "API_ADDRESS", "STATE_URL"} {
		if !strings.Contains(read(t, page), "| `"+name+"`") {
			t.Errorf("%s has no row of %s", page, name)
		}
	}
	lines := constants(t, "internal/webhook", "^templateLine$")
	if len(lines) != 1 || !strings.Contains(read(t, page), fmt.Sprintf(lines[0], "2.5.4.35")) {
		t.Errorf("%s lacks the line of the template that leaves out the key: %q", page, lines)
	}
}
