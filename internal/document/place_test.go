package document_test

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"step-posture-connector/internal/document"
)

// However YAML writes a text, the place of each word in it is where the word is in the file.
func FuzzPlace(f *testing.F) {
	for style := range uint8(5) {
		f.Add("device.os == \"macOS\" && it's", "\\n \u00e9 'x", style)
		f.Add("one\ntwo\n\n  three", "\ttab\\", style)
	}
	f.Fuzz(func(t *testing.T, before, after string, style uint8) {
		const word = "W\u00d6RD"
		text := before + word + after
		styles := []yaml.Style{0, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle}
		node := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
			{Kind: yaml.ScalarNode, Value: "name"},
			{Kind: yaml.ScalarNode, Value: "a"},
			{Kind: yaml.ScalarNode, Value: "rule"},
			{Kind: yaml.ScalarNode, Value: text, Style: styles[int(style)%len(styles)]},
		}}
		content, err := yaml.Marshal(node)
		if err != nil || strings.Count(string(content), word) != 1 {
			return // not every text can be written so, and the word must be there once
		}
		d, root, err := document.Parse("f.yaml", content, shape())
		if err != nil {
			return
		}
		rule := root.Mapping().Get("rule")
		if got, ok := rule.Text(); !ok || got != text {
			return
		}
		if strings.ContainsAny(before, "\r\u0085\u2028\u2029") {
			return // those are lines to YAML, and characters to an expression
		}
		rule.FaultIn(1+strings.Count(before, "\n"), 1+len([]rune(before[strings.LastIndexByte(before, '\n')+1:])), "", "here")
		at := strings.Index(string(content), word)
		head := string(content)[:at]
		want := fmt.Sprintf("f.yaml:%d:%d: rule: here", 1+strings.Count(head, "\n"), 1+len([]rune(head[strings.LastIndexByte(head, '\n')+1:])))
		if got := d.Faults().Error(); !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %s", content, got, want)
		}
	})
}
