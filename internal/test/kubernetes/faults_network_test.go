package kubernetes_test

import "slices"

// networkFaults are those of what may be reached, and by whom.
func networkFaults() []fault {
	const (
		service  = "Service/step-posture-connector"
		policy   = "NetworkPolicy/step-posture-connector"
		internet = "NetworkPolicy/step-posture-connector-to-internet"
		budget   = "PodDisruptionBudget/step-posture-connector"
	)
	return slices.Concat([]fault{
		{object: service, what: "unknown field", plant: set("/spec/selectors", record{}), by: byServer, says: ".spec.selectors: field not declared in schema"},
		{object: service, what: "wrong type", plant: set("/spec/ports/0/port", "9443"), by: byServer, says: "expected numeric"},
		{object: service, what: "port that is none", plant: set("/spec/ports/0/port", 70000), by: byServer, says: "between 1 and 65535"},
		{object: service, what: "no ports", plant: drop("/spec/ports"), by: byServer, says: "spec.ports: Required value"},
		{object: service, what: "selector that matches nothing", plant: set("/spec/selector/"+named, "other"), by: "service", says: "its selector selects no pod"},
		{object: service, what: "no selector", plant: drop("/spec/selector"), by: "service", says: "its selector selects no pod"},
		{object: service, what: "port that the pods lack", plant: set("/spec/ports/0/targetPort", "web"), by: "service", says: "leads to web"},
		{object: service, what: "number that the pods lack", plant: set("/spec/ports/0/targetPort", 443), by: "service", says: "leads to 443"},
		{object: service, what: "open to the internet", plant: set("/spec/type", "LoadBalancer"), by: "service", says: "open to everyone"},
		{overlay: "mdmsecuritydemo", object: "Service/dynamicacme", what: "port that the pods lack", plant: set("/spec/ports/0/targetPort", "web"), by: "service", says: "leads to web"},
	}, []fault{
		{object: policy, what: "unknown field", plant: set("/spec/ingres", list()), by: byServer, says: ".spec.ingres: field not declared in schema"},
		{object: policy, what: "wrong type", plant: set("/spec/policyTypes", "Ingress"), by: byServer, says: "expected list"},
		{object: policy, what: "unknown direction", plant: set("/spec/policyTypes/0", "Inbound"), by: byServer, says: "Unsupported value: \"Inbound\""},
		{object: policy, what: "port that is none", plant: set("/spec/egress/0/ports/0/port", 70000), by: byServer, says: "between 1 and 65535"},
		{object: policy, what: "selector that matches nothing", plant: set("/spec/podSelector/matchLabels/"+named, "other"), by: "policy", says: "its podSelector selects no pod"},
		{object: policy, what: "port that the pods lack", plant: set("/spec/ingress/0/ports/0/port", "web"), by: "policy", says: "lets the port web in"},
		{object: policy, what: "number that the pods lack", plant: set("/spec/ingress/0/ports/0/port", 443), by: "policy", says: "lets the port 443 in"},
		{object: policy, what: "everyone gets in", plant: drop("/spec/ingress/0/from"), by: "policy", says: "has no from"},
		{object: policy, what: "every port", plant: drop("/spec/ingress/0/ports"), by: "policy", says: "has no ports"},
		{object: policy, what: "peer that is everyone", plant: set("/spec/ingress/0/from/0", record{"namespaceSelector": record{}}), by: "policy", says: "a peer that is everyone"},
		// Two peers, one of the two selectors each: either is enough.
		{object: policy, what: "a namespace or a name", plant: set("/spec/ingress/0/from", list(
			record{"namespaceSelector": record{"matchLabels": record{"kubernetes.io/metadata.name": "step-ca"}}},
			record{"podSelector": record{"matchLabels": record{"app.kubernetes.io/name": "step-certificates"}}},
		)), by: "policy", says: "a peer that is every pod of a namespace"},
		{object: policy, what: "a name in every namespace", plant: set("/spec/ingress/0/from/0/namespaceSelector", record{"matchLabels": record{}}), by: "policy", says: "a peer that is in every namespace"},
		{object: policy, what: "everything can be asked", plant: drop("/spec/egress/0/to"), by: "policy", says: "has no to"},
		{object: policy, what: "egress not limited", plant: drop("/spec/policyTypes/1"), by: "policy", says: "no network policy limits its Egress"},
		{object: policy, what: "missing", plant: gone, by: "policy", says: "no network policy limits its Ingress"},
		{overlay: "jamf", object: internet, what: "metadata server of the cloud", plant: drop("/spec/egress/0/to/0/ipBlock/except"), by: "policy", says: "through to 169.254.169.254"},
		{overlay: "jamf", object: internet, what: "addresses inside", plant: set("/spec/egress/0/to/1/ipBlock/cidr", "::/0"), by: "policy", says: "through to fe80::1"},
		{overlay: "jamf", object: internet, what: "address that is none", plant: set("/spec/egress/0/to/0/ipBlock/cidr", "0.0.0.0"), by: byServer, says: "must be a valid CIDR"},
		{overlay: "jamf", object: internet, what: "hole outside of its block", plant: set("/spec/egress/0/to/0/ipBlock/cidr", "192.0.2.0/24"), by: byServer, says: "must be a strict subset"},
	}, []fault{
		{object: budget, what: "unknown field", plant: set("/spec/maxUnavailables", 1), by: byServer, says: ".spec.maxUnavailables: field not declared in schema"},
		{object: budget, what: "wrong type", plant: set("/spec/selector", "app"), by: byServer, says: "expected map"},
		{object: budget, what: "both ways to say it", plant: set("/spec/minAvailable", 1), by: byServer, says: "minAvailable and maxUnavailable cannot be both set"},
		{object: budget, what: "selector that matches nothing", plant: set("/spec/selector/matchLabels/"+named, "other"), by: "disruption", says: "its selector selects no pod"},
		{object: budget, what: "no selector", plant: drop("/spec/selector"), by: "disruption", says: "its selector selects no pod"},
		{object: budget, what: "nothing may go", plant: set("/spec/maxUnavailable", 0), by: "disruption", says: "no node can be drained"},
		{object: budget, what: "all may go", plant: set("/spec/maxUnavailable", 2), by: "disruption", says: "all of them may go"},
		{object: budget, what: "missing", plant: gone, by: "disruption", says: "no PodDisruptionBudget protects it"},
	})
}
