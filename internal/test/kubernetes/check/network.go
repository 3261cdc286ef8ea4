package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// services wants each to lead to a port of a pod.
func services(s *state) {
	for _, service := range manifest.Find(s.Objects, "Service") {
		if service.Text("spec", "type") == "ExternalName" {
			s.wantNamedService(service)
			continue
		}
		selector := service.Map("spec", "selector")
		pods := s.selected(service, map[string]any{"matchLabels": selector})
		if len(selector) == 0 || len(pods) == 0 {
			s.find(service, "its selector selects no pod")
			continue
		}
		for _, p := range service.Maps("spec", "ports") {
			target := p["targetPort"]
			if target == nil {
				target = p["port"]
			}
			for _, w := range pods {
				if _, found := port(w.pod, target); !found {
					s.find(service, "its port %v leads to %v, which the pods of %s do not have", p["port"], target, w.owner.ID())
				}
			}
		}
		if kind := service.Text("spec", "type"); (kind == "LoadBalancer" || kind == "NodePort") && len(service.List("spec", "loadBalancerSourceRanges")) == 0 {
			s.find(service, "as %s without loadBalancerSourceRanges it is open to everyone", kind)
		}
	}
}

// wantNamedService wants the name of an alias to be a Service that is made here.
func (s *state) wantNamedService(alias manifest.Object) {
	name := strings.Split(alias.Text("spec", "externalName"), ".")
	if len(name) < 3 || name[2] != "svc" || s.made("Service", name[1], name[0]) == nil {
		s.find(alias, "its externalName is %s, which is no Service of these manifests", alias.Text("spec", "externalName"))
	}
}

// networkPolicies wants each to apply to a pod, to name ports that exist, and to leave nothing open to everyone; and each pod to be
// subject to one in both directions.
func networkPolicies(s *state) {
	directions := map[string][]string{}
	for _, policy := range manifest.Find(s.Objects, "NetworkPolicy") {
		pods := s.selected(policy, policy.Map("spec", "podSelector"))
		if len(pods) == 0 {
			s.find(policy, "its podSelector selects no pod")
		}
		types := policy.List("spec", "policyTypes")
		for _, w := range pods {
			for _, direction := range types {
				directions[w.owner.ID()] = append(directions[w.owner.ID()], fmt.Sprint(direction))
			}
		}
		for direction, peers := range map[string]string{"ingress": "from", "egress": "to"} {
			rules := policy.Maps("spec", direction)
			if len(rules) > 0 && !slices.Contains(types, any(strings.ToUpper(direction[:1])+direction[1:])) {
				s.find(policy, "it has rules of %s, and policyTypes leaves them out", direction)
			}
			for _, rule := range rules {
				if len(rule.List(peers)) == 0 {
					s.find(policy, "a rule of %s has no %s: it lets everyone through", direction, peers)
				}
				if len(rule.List("ports")) == 0 {
					s.find(policy, "a rule of %s has no ports: it lets all through", direction)
				}
				for _, peer := range rule.Maps(peers) {
					s.wantNarrow(policy, direction, peer)
				}
				if direction == "ingress" {
					s.wantPorts(policy, pods, rule.Maps("ports"))
				}
			}
		}
	}
	for _, w := range s.pods {
		for _, direction := range []string{"Ingress", "Egress"} {
			if !slices.Contains(directions[w.owner.ID()], direction) {
				s.find(w.owner, "no network policy limits its %s", direction)
			}
		}
	}
}

// wantPorts wants ports of a rule to be those of the pods.
func (s *state) wantPorts(policy manifest.Object, pods []workload, wanted []manifest.Object) {
	for _, p := range wanted {
		for _, w := range pods {
			if _, found := port(w.pod, p["port"]); !found {
				s.find(policy, "it lets the port %v in, which the pods of %s do not have", p["port"], w.owner.ID())
			}
		}
	}
}

// wantNarrow wants a peer to be less than everything. The internet is allowed without the addresses inside, where clouds hand out
// their credentials.
func (s *state) wantNarrow(policy manifest.Object, direction string, peer manifest.Object) {
	block := peer.Map("ipBlock")
	switch {
	case block != nil:
		cidr, err := netip.ParsePrefix(fmt.Sprint(block["cidr"]))
		if err != nil {
			s.find(policy, "its ipBlock %v is no CIDR", block["cidr"])
			return
		}
		for _, inside := range []string{"169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "fd00:ec2::254", "fe80::1"} {
			address := netip.MustParseAddr(inside)
			if cidr.Bits() < 8 && cidr.Contains(address) && !slices.ContainsFunc(manifest.Object(block).List("except"), func(hole any) bool {
				prefix, err := netip.ParsePrefix(fmt.Sprint(hole))
				return err == nil && prefix.Contains(address)
			}) {
				s.find(policy, "a rule of %s lets %s through to %s", direction, cidr, inside)
			}
		}
	case !narrows(peer.Map("namespaceSelector")) && !narrows(peer.Map("podSelector")):
		s.find(policy, "a rule of %s has a peer that is everyone", direction)
	case !narrows(peer.Map("podSelector")):
		s.find(policy, "a rule of %s has a peer that is every pod of a namespace", direction)
	case peer.Map("namespaceSelector") != nil && !narrows(peer.Map("namespaceSelector")):
		s.find(policy, "a rule of %s has a peer that is in every namespace: whoever makes pods in one chooses their labels", direction)
	}
}

// narrows tells whether a selector leaves something out.
func narrows(selector manifest.Object) bool {
	return len(selector.Map("matchLabels")) > 0 || len(selector.List("matchExpressions")) > 0
}

// disruptions wants each Deployment with several pods to have a budget that lets one of them go, and each budget to have a Deployment.
func disruptions(s *state) {
	budgets := manifest.Find(s.Objects, "PodDisruptionBudget")
	protected := map[string]bool{}
	for _, budget := range budgets {
		pods := s.selected(budget, budget.Map("spec", "selector"))
		if len(pods) == 0 || len(budget.Map("spec", "selector")) == 0 {
			s.find(budget, "its selector selects no pod")
		}
		for _, w := range pods {
			protected[w.owner.ID()] = true
			replicas := whole(w.owner.At("spec", "replicas"))
			if most := budget.At("spec", "maxUnavailable"); most != nil && (fmt.Sprint(most) == "0" || fmt.Sprint(most) == "0%") {
				s.find(budget, "maxUnavailable is 0: no node can be drained")
			} else if most != nil && whole(most) >= replicas {
				s.find(budget, "maxUnavailable is %v of %d replicas: all of them may go", most, replicas)
			}
			if least := budget.At("spec", "minAvailable"); least != nil && (whole(least) >= replicas || fmt.Sprint(least) == "100%") {
				s.find(budget, "minAvailable is %v of %d replicas: no node can be drained", least, replicas)
			} else if least != nil && whole(least) == 0 {
				s.find(budget, "minAvailable is %v: all pods may go", least)
			}
		}
	}
	for _, w := range s.pods {
		if !protected[w.owner.ID()] && whole(w.owner.At("spec", "replicas")) > 1 {
			s.find(w.owner, "no PodDisruptionBudget protects it")
		}
	}
}

// monitors wants each ServiceMonitor to find a Service, its port, and behind it the health listener.
func monitors(s *state) {
	for _, monitor := range manifest.Find(s.Objects, "ServiceMonitor") {
		var found []manifest.Object
		for _, service := range manifest.Find(s.Objects, "Service") {
			if service.Namespace() == monitor.Namespace() && len(monitor.Map("spec", "selector")) > 0 && matches(monitor.Map("spec", "selector"), service.Labels()) {
				found = append(found, service)
			}
		}
		if len(found) == 0 {
			s.find(monitor, "its selector selects no Service")
		}
		for _, endpoint := range monitor.Maps("spec", "endpoints") {
			for _, service := range found {
				s.wantMetrics(monitor, endpoint, service)
			}
			interval, err := time.ParseDuration(endpoint.Text("interval"))
			timeout, otherErr := time.ParseDuration(endpoint.Text("scrapeTimeout"))
			if err == nil && otherErr == nil && timeout > interval {
				s.find(monitor, "scrapeTimeout %s is longer than the interval %s: Prometheus refuses that", timeout, interval)
			}
			if path := endpoint.Text("path"); path != "" && path != "/metrics" {
				s.find(monitor, "it asks for %s, want /metrics", path)
			}
		}
	}
}

func (s *state) wantMetrics(monitor, endpoint, service manifest.Object) {
	for _, p := range service.Maps("spec", "ports") {
		if p["name"] != endpoint["port"] {
			continue
		}
		for _, w := range s.selected(service, map[string]any{"matchLabels": service.Map("spec", "selector")}) {
			number, _ := port(w.pod, p["targetPort"])
			for _, c := range containers(w.pod) {
				address := s.variables(w.owner.Namespace(), c.Object)["HEALTH_ADDRESS"]
				if c.ours && !strings.HasSuffix(address, fmt.Sprintf(":%d", number)) {
					s.find(monitor, "its port leads to %d, and the metrics are at %q", number, address)
				}
			}
		}
		return
	}
	s.find(monitor, "the Service %s has no port %v", service.Name(), endpoint["port"])
}

// certificates wants each to be used, to have the name of a Service, and to be renewed with a new key before it ends.
func certificates(s *state) {
	for _, certificate := range manifest.Find(s.Objects, "Certificate") {
		secret := certificate.Text("spec", "secretName")
		if !slices.ContainsFunc(s.pods, func(w workload) bool {
			return w.owner.Namespace() == certificate.Namespace() && slices.ContainsFunc(sources(w.pod), func(from source) bool { return from.kind == "Secret" && from.name == secret })
		}) {
			s.find(certificate, "no pod mounts its Secret %s", secret)
		}
		names := certificate.List("spec", "dnsNames")
		for _, service := range manifest.Find(s.Objects, "Service") {
			name := service.Name() + "." + service.Namespace() + ".svc"
			if slices.ContainsFunc(service.Maps("spec", "ports"), func(p manifest.Object) bool { return p["name"] == "https" || p["name"] == "door" }) && !slices.Contains(names, any(name)) {
				s.find(certificate, "its dnsNames lack %s", name)
			}
		}
		for _, name := range names {
			parts := strings.Split(fmt.Sprint(name), ".")
			if len(parts) >= 3 && parts[2] == "svc" && s.made("Service", parts[1], parts[0]) == nil {
				s.find(certificate, "nothing is called %v", name)
			}
		}
		life, err := time.ParseDuration(certificate.Text("spec", "duration"))
		before, otherErr := time.ParseDuration(certificate.Text("spec", "renewBefore"))
		if err != nil || otherErr != nil || before < 5*time.Minute || before >= life || life < time.Hour {
			s.find(certificate, "duration and renewBefore are %q and %q, want an hour or more, and five minutes or more before its end",
				certificate.Text("spec", "duration"), certificate.Text("spec", "renewBefore"))
		}
		if certificate.Text("spec", "privateKey", "rotationPolicy") != "Always" {
			s.find(certificate, "its key stays when it is renewed")
		}
		if !slices.Contains(certificate.List("spec", "usages"), any("server auth")) {
			s.find(certificate, "it is not for servers")
		}
	}
}

// namespaces wants every object to be in one that the manifests or the user make, and Pod Security in those of the manifests.
func namespaces(s *state) {
	own := map[string]bool{}
	for _, namespace := range manifest.Find(s.Objects, "Namespace") {
		own[namespace.Name()] = true
		labels := namespace.Labels()
		if labels["pod-security.kubernetes.io/enforce"] != "restricted" {
			s.find(namespace, "it does not enforce Pod Security \"restricted\"")
		}
	}
	for _, given := range s.Given {
		if given.Kind == "Namespace" {
			own[given.Name] = true
		}
	}
	for _, object := range s.Objects {
		if n := object.Namespace(); n != "" && !own[n] {
			s.find(object, "nobody makes the namespace %s", n)
		}
	}
}
