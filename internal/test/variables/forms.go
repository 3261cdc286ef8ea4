package variables

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// table is that of docs/configuration.md, or of a page in docs/providers.
func table(some []variable, _ string, _ map[string]string) string {
	several := slices.ContainsFunc(some, func(v variable) bool { return v.provider == "" })
	text := "\n| variable | default | meaning |\n|---|---|---|\n"
	for _, v := range some {
		standard := regexp.MustCompile(`[A-Z][A-Z0-9_]+`).ReplaceAllString(v.unset, "`$0`")
		switch {
		case v.standard != "":
			standard = "`" + v.standard + "`"
		case v.required && v.provider != "" && several:
			standard = "required for `" + v.provider + "`"
		case v.required && v.unset == "":
			standard = "required"
		}
		text += "| `" + v.name + "` | " + strings.TrimLeft(standard+" ", " ") + "| " + strings.TrimSpace(v.text+" "+v.more) + " |\n"
	}
	return text + "\n"
}

// exampleFile is .env.example. The operator fills in what is required.
func exampleFile(some []variable, _ string, kept map[string]string) string {
	text, group := "", ""
	for _, v := range some {
		if v.group != group {
			const width = 101
			group = v.group
			text += "\n" + (("# --- " + group + " ") + strings.Repeat("-", width))[:width] + "\n"
		}
		value, set := kept[v.name]
		switch {
		case set || v.required && v.provider == "":
			text += "\n" + comment(v, "") + v.name + "=" + value + "\n"
		default:
			text += "\n" + comment(v, "") + "#" + v.name + "=" + v.value() + "\n"
		}
	}
	return text + "\n"
}

// exampleOfCompose is docker/env.example. Compose makes files of the secrets in it.
func exampleOfCompose(some []variable, _ string, _ map[string]string) (text string) {
	for _, v := range some {
		if !v.isFile && !v.shared {
			text += comment(v, "") + "#" + v.name + "=" + v.value() + "\n"
		}
	}
	return text
}

// passedOn is part of a service of docker/docker-compose.yml, which gets its variables from docker/.env.
func passedOn(some []variable, indent string, _ map[string]string) (text string) {
	for _, v := range some {
		if !v.isFile && !v.shared && !v.secret {
			text += indent + v.name + ": ${" + v.name + ":-" + v.standard + "}\n"
		}
	}
	return text
}

// loop is the line of a shell script that handles the same variables.
func loop(some []variable, indent string, _ map[string]string) string {
	names := regexp.MustCompile(`(?m): .*\n`).ReplaceAllString(passedOn(some, " ", nil), "")
	return indent + "for name in" + names + "; do\n"
}

// environment is the section of docker/docker-compose.existing-ca.yml.
func environment(some []variable, indent string, kept map[string]string) (text string) {
	for i, v := range some {
		if i > 0 && v.group != some[i-1].group {
			text += "\n"
		}
		text += comment(v, indent)
		if v.secret {
			text += indent + "# `docker inspect` shows it to every user of docker.\n"
		}
		if value, set := kept[v.name]; set {
			text += indent + v.name + ": " + value + "\n"
		} else {
			text += indent + "# " + v.name + ": " + inYAML(v.value()) + "\n"
		}
	}
	return text
}

// inYAML quotes numbers, the words that YAML 1.1 takes for booleans or null, and all but plain words.
func inYAML(value string) string {
	isWord := regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null)$`).MatchString(value)
	if _, err := strconv.ParseFloat(value, 64); err == nil || isWord || !regexp.MustCompile(`^[A-Za-z0-9/]([A-Za-z0-9/._:-]*[A-Za-z0-9/._-])?( [A-Za-z0-9]+)*$`).MatchString(value) {
		return strconv.Quote(value)
	}
	return value
}

// groups are the headings, in the order of the declarations.
func groups(some []variable) (names []string) {
	for _, v := range some {
		if !slices.Contains(names, v.group) {
			names = append(names, v.group)
		}
	}
	return names
}

// comment is the meaning of a variable, in lines that begin with #, without links, and without backquotes around single
// words.
func comment(v variable, indent string) string {
	const width = 108
	text := regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`).ReplaceAllString(v.text, "$1")
	text = regexp.MustCompile("`([^` ]+)`").ReplaceAllString(text, "$1")
	if v.unset != "" && v.unset != "required" {
		text += " " + strings.ToUpper(v.unset[:1]) + v.unset[1:] + "."
	}
	lines, line := "", indent+"#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(" ")+len(word) > width {
			lines, line = lines+line+"\n", indent+"#"
		}
		line += " " + word
	}
	return lines + line + "\n"
}
