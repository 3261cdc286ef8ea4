package kubernetes_test

import (
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/check"
	"step-posture-connector/internal/test/kubernetes/manifest"
)

// The pod of helm test is admitted as those of the deployment are, and no Service and no disruption budget takes it for one of them;
// the network policy of all does, so that it reaches what they reach.
func TestChartCheckPod(t *testing.T) {
	const space, release = "chart-check", "posture"
	for _, values := range valuesFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(values), "-values.yaml"), func(t *testing.T) {
			objects, err := manifest.Parse([]byte(must(t, "helm", "template", release, kubernetesFolder("chart"), "--namespace", space, "--values", values)))
			if err != nil {
				t.Fatal(err)
			}
			pods := manifest.Find(objects, "Pod")
			if len(pods) != 1 || pods[0].Text("metadata", "annotations", "helm.sh/hook") != "test" {
				t.Fatalf("the chart has %d pods, want that of helm test", len(pods))
			}
			in := installation{name: release, objects: manifest.Find(objects, "ServiceAccount"), given: []check.Given{{Kind: "Namespace", Name: space}}}
			in.occupy(t)
			for _, account := range in.objects {
				apply(t, account, false)
			}
			apply(t, pods[0], false)
			policies := 0
			for _, object := range objects {
				switch object.Kind() {
				case "Service":
					if selects(object.Map("spec", "selector"), pods[0]) {
						t.Errorf("%s sends requests to the pod of helm test", object.ID())
					}
				case "PodDisruptionBudget":
					if selects(object.Map("spec", "selector", "matchLabels"), pods[0]) {
						t.Errorf("%s counts the pod of helm test", object.ID())
					}
				case "NetworkPolicy":
					policies++
					if !selects(object.Map("spec", "podSelector", "matchLabels"), pods[0]) {
						t.Errorf("%s does not apply to the pod of helm test", object.ID())
					}
				}
			}
			if policies == 0 {
				t.Error("the chart has no network policy")
			}
		})
	}
}

// selects says whether a pod has all labels of a selector, and the selector has one.
func selects(labels map[string]any, pod manifest.Object) bool {
	for key, value := range labels {
		if pod.Labels()[key] != value {
			return false
		}
	}
	return len(labels) > 0
}
