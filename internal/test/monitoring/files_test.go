package monitoring_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/dns"
	"go.yaml.in/yaml/v3"
)

// Prometheus' own library reads its file. It scrapes each replica behind the connector's name.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	c, err := config.LoadFile(filepath.Join(folder, "prometheus.yml"), false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.RuleFiles) != 1 || filepath.Base(c.RuleFiles[0]) != "alerts.yml" {
		t.Errorf("its rules are %q, want alerts.yml", c.RuleFiles)
	}
	if len(c.ScrapeConfigs) != 1 || c.ScrapeConfigs[0].JobName != "step-posture-connector" {
		t.Fatalf("it asks %+v, want step-posture-connector, which the rules name", c.ScrapeConfigs)
	}
	found, ok := c.ScrapeConfigs[0].ServiceDiscoveryConfigs[0].(*dns.SDConfig)
	if !ok || strings.Join(found.Names, " ") != "connector" || found.Type != "A" || found.Port != 9444 {
		t.Errorf("it finds the connectors by %+v", c.ScrapeConfigs[0].ServiceDiscoveryConfigs)
	}
}

// Grafana's provisioning files have keys that it knows, and paths of the compose file.
func TestGrafana(t *testing.T) {
	t.Parallel()
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type, URL string
			IsDefault       bool `yaml:"isDefault"`
		}
	}
	decode(t, "grafana/datasources/prometheus.yml", &sources)
	if sources.APIVersion != 1 || len(sources.Datasources) != 1 || sources.Datasources[0].Type != "prometheus" ||
		sources.Datasources[0].URL != "http://prometheus:9090" || !sources.Datasources[0].IsDefault {
		t.Errorf("the data sources are %+v", sources)
	}
	var boards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type string
			Options    struct{ Path string }
		}
	}
	decode(t, "grafana/dashboards/dashboards.yml", &boards)
	if boards.APIVersion != 1 || len(boards.Providers) != 1 || boards.Providers[0].Type != "file" {
		t.Fatalf("the dashboards are %+v", boards)
	}
	compose, err := os.ReadFile(filepath.Join(folder, "..", "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"./monitoring/dashboard.json:" + boards.Providers[0].Options.Path + "/dashboard.json:ro\n",
		"./monitoring/grafana:/etc/grafana/provisioning:ro\n", "./monitoring:/etc/prometheus:ro\n", "\n  prometheus:\n",
	} {
		if !strings.Contains(string(compose), want) {
			t.Errorf("the compose file has no %q", want)
		}
	}
}

// decode refuses words that are not known.
func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
