package monitoring_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const folder = "../../../docker/monitoring"

// dashboard has the parts of a Grafana dashboard that the tests use.
type dashboard struct {
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Query string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func readRules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(folder, "alerts.yml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	var rules []rulefmt.Rule
	for _, group := range groups.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// queries returns all expressions, by their places.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, rule := range readRules(t) {
		all["alert "+rule.Alert] = rule.Expr
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	for _, panel := range readDashboard(t).Panels {
		for i, target := range panel.Targets {
			all["panel "+panel.Title+string(rune('A'+i))] = variables.Replace(target.Expr)
		}
	}
	return all
}

// exported returns the series of testdata/metrics.txt, by name. A test of the daemon compares that file with what it
// exports.
func exported(t *testing.T) map[string][]labels.Labels {
	t.Helper()
	text, err := os.ReadFile("../../../testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]labels.Labels{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		series, err := parser.NewParser(parser.Options{}).ParseMetric(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		name := series.Get(model.MetricNameLabel)
		all[name] = append(all[name], series)
	}
	return all
}

// ofPrometheus reports whether a label or metric is made by Prometheus.
func ofPrometheus(name string) bool { return slices.Contains([]string{"up", "instance", "job"}, name) }

// Every query finds exported series: the metric, each label, and each value in it.
func TestQueriesFindWhatIsExported(t *testing.T) {
	t.Parallel()
	series := exported(t)
	for where, text := range queries(t) {
		expression, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			switch n := node.(type) {
			case *parser.VectorSelector:
				if !ofPrometheus(n.Name) && !slices.ContainsFunc(series[n.Name], func(s labels.Labels) bool { return matches(n.LabelMatchers, s) }) {
					t.Errorf("%s: no exported series matches %s", where, n)
				}
			case *parser.AggregateExpr:
				for _, label := range n.Grouping {
					if !ofPrometheus(label) && !strings.Contains(names(t), label+`="`) {
						t.Errorf("%s: no exported series has the label %s", where, label)
					}
				}
			}
			return nil
		})
	}
}

func matches(matchers []*labels.Matcher, series labels.Labels) bool {
	for _, m := range matchers {
		if !ofPrometheus(m.Name) && !m.Matches(series.Get(m.Name)) {
			return false
		}
	}
	return true
}

func names(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every exported metric is in a panel or a rule.
func TestEveryMetricIsUsed(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, text := range queries(t) {
		all.WriteString(text + "\n")
	}
	for _, match := range regexp.MustCompile(`(?m)^# (\w+) `).FindAllStringSubmatch(names(t), -1) {
		if !strings.Contains(all.String(), match[1]) {
			t.Errorf("%s is in no panel and in no rule", match[1])
		}
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	const width = 24
	taken := map[[2]int]string{}
	ids := map[int]string{}
	for _, panel := range d.Panels {
		if other, twice := ids[panel.ID]; twice {
			t.Errorf("%s and %s have the same ID", other, panel.Title)
		}
		ids[panel.ID] = panel.Title
		at := panel.GridPos
		if at.X+at.W > width || len(panel.Targets) == 0 {
			t.Errorf("%s is too wide, or shows nothing", panel.Title)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s and %s overlap", other, panel.Title)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
	}
	for _, variable := range d.Templating.List {
		if metric := regexp.MustCompile(`label_values\((\w+),`).FindStringSubmatch(variable.Query); metric != nil && exported(t)[metric[1]] == nil {
			t.Errorf("a variable reads %s, which is not exported", metric[1])
		}
	}
}
