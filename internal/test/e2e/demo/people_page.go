package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// page is what an administrator copies from docs/provisioners/oidc.md. The demonstration copies it too, so it shows what the
// page says.
type page struct {
	commands, policies string
	files              map[string]string // templates and the inventory, by name
	rule, message      string            // the rule that asks for the group, and what it tells people
}

func readPage(repository string) (page, error) {
	text, err := os.ReadFile(filepath.Join(repository, "docs", "provisioners", "oidc.md"))
	if err != nil {
		return page{}, fmt.Errorf("read the page about people: %w", err)
	}
	p := page{files: map[string]string{}}
	blocks := []struct {
		after, language string
		set             func(string)
	}{
		{"`people.tpl`", "gotemplate", func(s string) { p.files["people.tpl"] = s }},
		{"`shells.tpl`", "gotemplate", func(s string) { p.files["shells.tpl"] = s }},
		{"has a row a person", "csv", func(s string) { p.files[peopleFile] = s }},
		{"prints an ID and a secret, once", "sh", func(s string) { p.commands = s }},
		{"\n## The policy\n", "yaml", func(s string) { p.policies = s }},
	}
	for _, b := range blocks {
		_, rest, found := strings.Cut(string(text), b.after)
		match := regexp.MustCompile("(?ms)^```" + b.language + "\n(.*?)^```$").FindStringSubmatch(rest)
		if !found || match == nil {
			return page{}, fmt.Errorf("docs/provisioners/oidc.md has no block of %s behind %q", b.language, b.after)
		}
		b.set(match[1])
	}
	return p, p.findRule()
}

// findRule finds the rule that asks for the group. Both policies of the page have it, in the same words.
func (p *page) findRule() error {
	rules := regexp.MustCompile(`(?m)^      - name: `+groupRule+`\n(?:        .*\n)+`).FindAllString(p.policies, -1)
	const policies = 2
	if len(rules) != policies || rules[0] != rules[1] {
		return fmt.Errorf("docs/provisioners/oidc.md has not the same rule %s in both policies", groupRule)
	}
	message := regexp.MustCompile(`(?m)^        message: (.+)$`).FindStringSubmatch(rules[0])
	if message == nil {
		return fmt.Errorf("the rule %s of docs/provisioners/oidc.md has no message", groupRule)
	}
	p.rule = strings.TrimPrefix(strings.ReplaceAll(rules[0], "\n      ", "\n"), "      ")
	p.message = message[1]
	return nil
}

// commandsFor are the page's commands for this identity provider and this connector.
func (p *page) commandsFor(issuer, connector string) string {
	return strings.NewReplacer("https://idp.example.com", issuer, "https://posture.example.com:9443", connector).Replace(p.commands)
}

// forbidden begins the client's line about a refusal.
const forbidden = "The request was forbidden by the certificate authority: "

// saysRule reports whether the client's line has the message and the code of the rule. The connector puts a reference between
// them.
func (p *page) saysRule(answer string) bool {
	return strings.HasPrefix(answer, forbidden+p.message) && strings.HasSuffix(answer, " ("+groupCode+").")
}
