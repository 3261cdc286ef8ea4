package check

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// probes wants the connector to have all three, at the port of its health listener, and every probe at a port that its container has.
func probes(s *state) {
	for _, w := range s.pods {
		for _, c := range containers(w.pod) {
			wanted := s.variables(w.owner.Namespace(), c.Object)["HEALTH_ADDRESS"]
			for _, name := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
				probe := c.Map(name)
				switch {
				case probe == nil && c.ours && name != "startupProbe":
					s.find(w.owner, "the container %s has no %s", c.Text("name"), name)
				case probe == nil:
				default:
					s.wantProbe(w, c, name, probe, wanted)
				}
			}
		}
	}
}

func (s *state) wantProbe(w workload, c container, name string, probe map[string]any, address string) {
	request := manifest.Map(probe["httpGet"])
	if request == nil {
		if c.ours {
			s.find(w.owner, "the %s of %s is no httpGet", name, c.Text("name"))
		}
		return
	}
	number, found := port(manifest.Object{"spec": map[string]any{"containers": []any{map[string]any(c.Object)}}}, request["port"])
	if !found {
		s.find(w.owner, "the %s of %s asks the port %v, which the container does not have", name, c.Text("name"), request["port"])
		return
	}
	if !c.ours {
		return
	}
	host, listens, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		s.find(w.owner, "HEALTH_ADDRESS is %q, so nothing answers the %s", address, name)
	case host != "" && host != "0.0.0.0" && host != "::":
		s.find(w.owner, "HEALTH_ADDRESS is %q, where the kubelet cannot ask", address)
	case listens != strconv.Itoa(number):
		s.find(w.owner, "the %s asks the port %d, and HEALTH_ADDRESS is %q", name, number, address)
	}
	path := map[string]string{"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}[name]
	if request["path"] != path {
		s.find(w.owner, "the %s asks for %v, want %s", name, request["path"], path)
	}
	if scheme := request["scheme"]; scheme != nil && scheme != "HTTP" {
		s.find(w.owner, "the %s speaks %v, and the health listener plain HTTP", name, scheme)
	}
}

// ports wants the connector's ports to be those of its listeners, none of them one that only root may open.
func ports(s *state) {
	for _, w := range s.pods {
		for _, c := range containers(w.pod) {
			var have []string
			for _, p := range c.Maps("ports") {
				number := whole(p["containerPort"])
				have = append(have, strconv.Itoa(number))
				if number < 1024 {
					s.find(w.owner, "the container %s has the port %d: below 1024 only root may listen", c.Text("name"), number)
				}
			}
			if !c.ours {
				continue
			}
			var listens []string
			variables := s.variables(w.owner.Namespace(), c.Object)
			for name, value := range variables {
				if _, number, err := net.SplitHostPort(value); err == nil && strings.HasSuffix(name, "_ADDRESS") {
					listens = append(listens, number)
				}
			}
			if own, set := variables["PORT"]; set {
				listens = append(listens, own)
			} else {
				listens = append(listens, "9443")
			}
			slices.Sort(have)
			slices.Sort(listens)
			if !slices.Equal(have, listens) {
				s.find(w.owner, "the container %s has the ports %s, and the connector listens on %s", c.Text("name"), have, listens)
			}
		}
	}
}

// users wants what Pod Security "restricted" leaves open: a certain user, who is not root, a group for the files of secrets, and a
// root filesystem that nobody can write to.
func users(s *state) {
	for _, w := range s.pods {
		pod := w.pod.Map("spec", "securityContext")
		for _, c := range containers(w.pod) {
			own := c.Map("securityContext")
			for _, field := range []string{"runAsUser", "runAsGroup"} {
				value := own[field]
				if value == nil {
					value = pod[field]
				}
				if whole(value) == 0 {
					s.find(w.owner, "the container %s has no %s, or root", c.Text("name"), field)
				}
			}
			if own["readOnlyRootFilesystem"] != true {
				s.find(w.owner, "the container %s has not readOnlyRootFilesystem", c.Text("name"))
			}
		}
		for _, v := range w.pod.Maps("spec", "volumes") {
			if v.Map("secret") != nil && whole(pod["fsGroup"]) == 0 {
				s.find(w.owner, "without fsGroup, the connector cannot read the secret volume %s", v.Text("name"))
			}
		}
	}
}

// tokens wants no pod to be able to ask the API server.
func tokens(s *state) {
	for _, account := range manifest.Find(s.Objects, "ServiceAccount") {
		if account["automountServiceAccountToken"] != false {
			s.find(account, "automountServiceAccountToken is not false")
		}
	}
	for _, w := range s.pods {
		if w.pod.At("spec", "automountServiceAccountToken") != false {
			s.find(w.owner, "automountServiceAccountToken is not false")
		}
		if w.pod.At("spec", "enableServiceLinks") != false {
			s.find(w.owner, "enableServiceLinks is not false: Services of the namespace become variables")
		}
		for _, v := range w.pod.Maps("spec", "volumes") {
			for _, part := range v.Maps("projected", "sources") {
				if part.Map("serviceAccountToken") != nil {
					s.find(w.owner, "the volume %s has a token of the service account", v.Text("name"))
				}
			}
		}
	}
}

// rights wants no rights: the connector never calls the API.
func rights(s *state) {
	for _, object := range s.Objects {
		switch object.Kind() {
		case "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
			s.find(object, "the connector needs no rights")
		}
	}
}

// resources wants requests, and a limit of the memory that Go knows of. There is none of the CPU: it would make answers slow.
func resources(s *state) {
	for _, w := range s.pods {
		for _, c := range containers(w.pod) {
			for _, field := range [][]string{{"resources", "requests", "cpu"}, {"resources", "requests", "memory"}, {"resources", "limits", "memory"}} {
				if c.At(field...) == nil {
					s.find(w.owner, "the container %s has no %s", c.Text("name"), strings.Join(field, "."))
				}
			}
			soft := s.variables(w.owner.Namespace(), c.Object)["GOMEMLIMIT"]
			if hard := c.Text("resources", "limits", "memory"); soft != "" && bytesOf(soft) >= bytesOf(hard) {
				s.find(w.owner, "GOMEMLIMIT is %s, and the container ends at %s", soft, hard)
			}
		}
	}
}

// bytesOf reads 256Mi and 220MiB; anything else is 0.
func bytesOf(text string) int {
	unit := map[string]int{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
	for suffix, factor := range unit {
		if number, found := strings.CutSuffix(strings.TrimSuffix(text, "B"), suffix); found {
			value, err := strconv.Atoi(number)
			if err != nil {
				return 0
			}
			return value * factor
		}
	}
	return 0
}

// images wants a fixed version.
func images(s *state) {
	fixed := regexp.MustCompile(`^[^:@]+(:\d+/[^:@]+)?(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{64})?$`)
	for _, w := range s.pods {
		for _, c := range containers(w.pod) {
			image := c.Text("image")
			match := fixed.FindStringSubmatch(image)
			if match == nil || match[2] == "" && match[3] == "" || match[2] == ":latest" && match[3] == "" {
				s.find(w.owner, "the image %q of %s has no fixed version", image, c.Text("name"))
			}
		}
	}
}

// rollouts wants a new pod to be ready before an old one ends, and an old one to answer until nobody asks it any more.
func rollouts(s *state) {
	for _, w := range s.pods {
		if replicas := w.owner.At("spec", "replicas"); whole(replicas) < 2 {
			s.find(w.owner, "it has %v replicas, want two or more", replicas)
		}
		strategy := w.owner.Map("spec", "strategy")
		if strategy["type"] != "RollingUpdate" || fmt.Sprint(w.owner.At("spec", "strategy", "rollingUpdate", "maxUnavailable")) != "0" {
			s.find(w.owner, "an old pod may end before a new one is ready: strategy is not RollingUpdate with maxUnavailable 0")
		}
		for _, c := range containers(w.pod) {
			pause := whole(c.At("lifecycle", "preStop", "sleep", "seconds"))
			if c.ours && pause == 0 {
				s.find(w.owner, "the container %s has no sleep in preStop: its listener closes while nodes still send it requests", c.Text("name"))
			}
			if grace := whole(w.pod.At("spec", "terminationGracePeriodSeconds")); c.ours && grace < pause+15 {
				s.find(w.owner, "terminationGracePeriodSeconds is %d: the sleep of %d s and 15 s for requests do not fit", grace, pause)
			}
		}
	}
}

// spreads wants the constraints of a pod to count pods of its own kind.
func spreads(s *state) {
	for _, w := range s.pods {
		constraints := w.pod.Maps("spec", "topologySpreadConstraints")
		if len(constraints) == 0 && whole(w.owner.At("spec", "replicas")) > 1 {
			s.find(w.owner, "nothing keeps its pods on different nodes")
		}
		for _, constraint := range constraints {
			selector := constraint.Map("labelSelector")
			if len(selector) == 0 || !matches(selector, w.pod.Labels()) {
				s.find(w.owner, "the spread over %s counts other pods than its own", constraint.Text("topologyKey"))
			}
		}
	}
}
