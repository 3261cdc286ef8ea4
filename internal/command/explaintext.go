package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/posture"
)

// print writes what was explained for people.
func (f explained) print(out io.Writer) error {
	var text strings.Builder
	line := func(format string, arguments ...any) {
		text.WriteString(visible(fmt.Sprintf(format, arguments...)) + "\n")
	}
	list := func(name string, members []string) {
		if len(members) > 0 {
			line("%s: %s", name, strings.Join(members, ", "))
		}
	}
	text.WriteString(headlineOf(f.Decision, f.Identifier, f.Code))
	line("reason: %s", f.Reason+f.Error)
	if f.Message != "" {
		line("message: %s", f.Message)
	}
	list("would deny", f.WouldDeny)
	line("policy: %s", f.describeChoice())
	if f.Inventory != "" {
		line("inventory: %s", f.Inventory)
	}
	if f.Outcome != "" {
		line("outcome: %s decided", f.Outcome)
	}
	text.WriteString(describeMode(f.Mode, f.modeGiven))
	if len(f.Inventories) > 1 || f.Record == nil && len(f.Inventories) > 0 {
		line("inventories:")
		for _, i := range f.Inventories {
			line("  %s", i.describe(f.Inventory))
		}
	}
	if f.Record != nil {
		text.WriteString(f.Record.title())
		for _, fact := range describeFacts(f.device) {
			line("  %s", fact)
		}
	}
	if len(f.Rules) > 0 {
		line("rules:")
		for _, rule := range f.Rules {
			line("  %s", rule.describe())
		}
	}
	if f.Data != nil {
		line("data: %s", compact(f.Data))
	}
	list("data unknown", f.DataUnknown)
	for _, text := range f.Snapshot.lines() {
		line("%s", text)
	}
	for _, note := range f.Notes {
		line("note: %s", note)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// describeChoice names the policy, and why it is this one.
func (f explained) describeChoice() string {
	switch {
	case f.Webhook != "":
		return f.Policy + ", of the webhook " + f.Webhook
	case len(f.others) > 0:
		return f.Policy + " (--policy or --webhook chooses another one: " + strings.Join(f.others, ", ") + ")"
	}
	return f.Policy
}

func (i askedInventory) describe(decides string) string {
	text := i.Name
	if i.Provider != i.Name {
		text += " (" + i.Provider + ")"
	}
	if i.AlsoIn {
		text += ", must know it too"
	}
	text += ": " + i.Answer
	if i.Managed != nil && !*i.Managed {
		text += ", not managed"
	}
	if i.Name == decides {
		text += ", decides"
	}
	if i.Error != "" {
		text += ": " + i.Error
	}
	return text
}

func (r explainedRule) describe() string {
	text := r.Name + ": " + r.Result
	switch {
	case r.Result == doesNotApply:
	case r.EnforcedFrom != "":
		text += ", enforced from " + r.EnforcedFrom
	case !r.Enforced:
		text += ", report only"
	default:
		text += ", enforced"
	}
	if r.said != "" {
		text += ": " + r.said
	}
	return text
}

// describeFacts has a line for each known fact, by the names that rules use.
func describeFacts(d *posture.Device) (lines []string) {
	for _, definition := range posture.Vocabulary() {
		value, known := definition.Get(d)
		if !known {
			continue
		}
		switch v := plainFact(value).(type) {
		case map[string]string:
			lines = append(lines, describeAttributes(definition.Name, v)...)
		case []string:
			lines = append(lines, definition.Name+": "+listed(v))
		case string:
			if definition.Type == posture.TextFact {
				v = shortened(v)
			}
			lines = append(lines, definition.Name+": "+v)
		default:
			lines = append(lines, fmt.Sprintf("%s: %v", definition.Name, v))
		}
	}
	return lines
}

func describeAttributes(of string, attributes map[string]string) (lines []string) {
	names := slices.Sorted(maps.Keys(attributes))
	for _, name := range names[:min(len(names), maxAttributes)] {
		lines = append(lines, fmt.Sprintf("%s[%s]: %s", of, shortened(name), shortened(attributes[name])))
	}
	if more := len(names) - maxAttributes; more > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d more; --json prints all", of, more))
	}
	return lines
}

// listed are texts in quotes, as many as people can read.
func listed(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	shown := make([]string, 0, maxAttributes)
	for _, text := range texts[:min(len(texts), maxAttributes)] {
		shown = append(shown, shortened(text))
	}
	if more := len(texts) - maxAttributes; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more; --json prints all", more))
	}
	return strings.Join(shown, ", ")
}

// shortened is a text in quotes, cut where it is long.
func shortened(text string) string {
	if characters := []rune(text); len(characters) > maxValue {
		return strconv.Quote(string(characters[:maxValue])) + "..."
	}
	return strconv.Quote(text)
}
