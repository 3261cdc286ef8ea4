// Package check finds what is wrong with manifests and what an API server accepts nevertheless: it judges each object
// alone, and believes that whatever it names will exist.
//
// Well-known linters check much of this too. None that the module proxy serves looks into ConfigMaps, follows a port from a
// ServiceMonitor to a container, or knows which of our variables are secret.
package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// Finding is one fault.
type Finding struct {
	Rule   string // the key of the rule, such as probe
	Object string // ID of the object
	Text   string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Object, f.Rule, f.Text) }

// Given is an object that the user makes, as the documentation says, before the manifests are applied.
type Given struct {
	Kind, Name string
	Keys       []string
	AnyKeys    bool // it has whatever keys are asked for
}

// Input is what is checked: all objects of one installation.
type Input struct {
	Objects []manifest.Object
	Given   []Given
	// SecretVariables are the names of our variables whose values nobody may read.
	SecretVariables []string
}

// rules are all that there are, in the order of their findings.
func rules() map[string]func(*state) {
	return map[string]func(*state){
		"certificate": certificates,
		"disruption":  disruptions,
		"image":       images,
		"monitor":     monitors,
		"mount":       mounts,
		"namespace":   namespaces,
		"path":        paths,
		"policy":      networkPolicies,
		"port":        ports,
		"probe":       probes,
		"reference":   references,
		"resources":   resources,
		"rights":      rights,
		"rollout":     rollouts,
		"secret":      secrets,
		"service":     services,
		"spread":      spreads,
		"token":       tokens,
		"user":        users,
	}
}

// Rules are the names of all rules.
func Rules() []string {
	var names []string
	for name := range rules() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Check applies all rules.
func Check(in Input) []Finding {
	s := &state{Input: in}
	for _, object := range in.Objects {
		if pod, makes := manifest.PodOf(object); makes {
			s.pods = append(s.pods, workload{pod, object})
		}
	}
	all := rules()
	for _, name := range Rules() {
		s.rule = name
		all[name](s)
	}
	slices.SortStableFunc(s.findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Object, b.Object))
	})
	return s.findings
}

// state is what the rules work on.
type state struct {
	Input
	pods     []workload
	rule     string
	findings []Finding
}

// workload is a pod, and what makes it.
type workload struct {
	pod   manifest.Object
	owner manifest.Object
}

func (s *state) find(object manifest.Object, format string, values ...any) {
	s.findings = append(s.findings, Finding{s.rule, object.ID(), fmt.Sprintf(format, values...)})
}

// selected are the pods that a selector of an object selects, in the namespace of the object.
func (s *state) selected(object manifest.Object, selector map[string]any) (found []workload) {
	for _, w := range s.pods {
		if w.owner.Namespace() == object.Namespace() && matches(selector, w.pod.Labels()) {
			found = append(found, w)
		}
	}
	return found
}

// matches is what the API means by a label selector. An empty one matches everything.
func matches(selector, labels map[string]any) bool {
	for key, value := range manifest.Map(selector["matchLabels"]) {
		if labels[key] != value {
			return false
		}
	}
	for _, expression := range manifest.Maps(selector["matchExpressions"]) {
		value, has := labels[expression.Text("key")]
		in := slices.Contains(expression.List("values"), value)
		var holds bool
		switch expression.Text("operator") {
		case "In":
			holds = has && in
		case "NotIn":
			holds = !has || !in
		case "Exists":
			holds = has
		case "DoesNotExist":
			holds = !has
		}
		if !holds {
			return false
		}
	}
	return true
}

// container is a container of a pod.
type container struct {
	manifest.Object
	lives bool // it runs as long as the pod: a container, or a sidecar
	ours  bool // it is the connector
}

// containers are all of a pod, those that run first included.
func containers(pod manifest.Object) (all []container) {
	for _, c := range pod.Maps("spec", "initContainers") {
		all = append(all, container{c, c.Text("restartPolicy") == "Always", false})
	}
	for _, c := range pod.Maps("spec", "containers") {
		all = append(all, container{c, true, c.Text("name") == "connector"})
	}
	return all
}

// port finds a port of a pod by its name or number.
func port(pod manifest.Object, wanted any) (number int, found bool) {
	for _, c := range containers(pod) {
		for _, p := range c.Maps("ports") {
			if n := whole(p["containerPort"]); p["name"] == wanted || wanted != nil && n == whole(wanted) {
				return n, true
			}
		}
	}
	return 0, false
}

// whole is a number, or 0.
func whole(value any) int {
	number, _ := value.(float64)
	return int(number)
}

// variables are those of a container that manifests show, with the ConfigMaps that it takes them from. One of them that is set
// twice has the later value.
func (s *state) variables(namespace string, c manifest.Object) map[string]string {
	all := map[string]string{}
	for _, from := range c.Maps("envFrom") {
		if made := s.made("ConfigMap", namespace, from.Text("configMapRef", "name")); made != nil {
			for name, value := range made.Map("data") {
				all[from.Text("prefix")+name] = fmt.Sprint(value)
			}
		}
	}
	for _, variable := range c.Maps("env") {
		value := variable.Text("value")
		if key := variable.Map("valueFrom", "configMapKeyRef"); key != nil {
			value = s.made("ConfigMap", namespace, fmt.Sprint(key["name"])).Text("data", fmt.Sprint(key["key"]))
		}
		all[variable.Text("name")] = value
	}
	return all
}

// made is an object of the manifests; nil where there is none.
func (s *state) made(kind, namespace, name string) manifest.Object {
	for _, object := range s.Objects {
		if object.Kind() == kind && object.Namespace() == namespace && object.Name() == name {
			return object
		}
	}
	return nil
}
