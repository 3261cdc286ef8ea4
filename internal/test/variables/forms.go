package variables

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// table is that of a page in docs, or in docs/providers, which has the variables of one provider only.
func table(some []variable, _ string, _ map[string]string) string {
	ofOne := !slices.ContainsFunc(some, func(v variable) bool { return v.provider == "" })
	text := "\n| variable | default | meaning |\n|---|---|---|\n"
	for _, v := range some {
		standard := regexp.MustCompile(`[A-Z_]{2,}`).ReplaceAllString(v.unset, "`$0`")
		switch {
		case v.standard != "":
			standard = "`" + v.standard + "`"
		case v.required && v.provider != "" && !ofOne:
			standard = "required for `" + v.provider + "`"
		case v.required:
			standard = "required"
		}
		if standard != "" {
			standard += " "
		}
		text += "| `" + v.name + "` | " + standard + "| " + strings.TrimSpace(v.text+" "+v.more) + " |\n"
	}
	return text + "\n"
}

// exampleFile is .env.example. What is required is left to fill in.
func exampleFile(some []variable, _ string, kept map[string]string) string {
	text := ""
	for _, group := range groups(some) {
		const width = 101
		heading := "# --- " + group + " "
		text += "\n" + heading + strings.Repeat("-", width-len(heading)) + "\n"
		for _, v := range some {
			if v.group != group {
				continue
			}
			text += "\n" + comment(v, "") + assignment(v, kept) + "\n"
		}
	}
	return text + "\n"
}

func assignment(v variable, kept map[string]string) string {
	if value, set := kept[v.name]; set {
		return v.name + "=" + value
	}
	if v.required && v.provider == "" {
		return v.name + "="
	}
	return "#" + v.name + "=" + v.value()
}

// exampleOfCompose is docker/env.example. Compose itself makes files of secrets.
func exampleOfCompose(some []variable, _ string, _ map[string]string) string {
	text := ""
	for _, v := range some {
		if !v.isFile && !v.shared {
			text += comment(v, "") + "#" + v.name + "=" + v.value() + "\n"
		}
	}
	return text
}

// handedOn is part of a service of docker/docker-compose.yml, which gets its variables from docker/.env.
func handedOn(some []variable, indent string, _ map[string]string) string {
	text := ""
	for _, v := range some {
		if !v.isFile && !v.shared && !v.secret {
			text += indent + v.name + ": ${" + v.name + ":-" + v.standard + "}\n"
		}
	}
	return text
}

// loop is the line of a shell script that goes over the same variables.
func loop(some []variable, indent string, _ map[string]string) string {
	text := indent + "for name in"
	for _, v := range some {
		if !v.isFile && !v.shared && !v.secret {
			text += " " + v.name
		}
	}
	return text + "; do\n"
}

// environment is that of docker/docker-compose.existing-ca.yml.
func environment(some []variable, indent string, kept map[string]string) string {
	text := ""
	for i, group := range groups(some) {
		if i > 0 {
			text += "\n"
		}
		for _, v := range some {
			if v.group != group {
				continue
			}
			text += comment(v, indent)
			if v.secret {
				text += indent + "# `docker inspect` shows it to everyone who may use docker.\n"
			}
			if value, set := kept[v.name]; set {
				text += indent + v.name + ": " + value + "\n"
			} else {
				text += indent + "# " + v.name + ": " + inYAML(v.value()) + "\n"
			}
		}
	}
	return text
}

// inYAML quotes what would be a number, or none of a plain word's characters.
func inYAML(value string) string {
	if _, err := strconv.Atoi(value); err == nil || !regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9/._:-]*( [A-Za-z0-9]+)*$`).MatchString(value) {
		return strconv.Quote(value)
	}
	return value
}

// value is the default, or an example where there is none.
func (v variable) value() string { return cmp.Or(v.standard, v.example) }

// groups are the headings, in the order of the declarations.
func groups(some []variable) []string {
	var names []string
	for _, v := range some {
		if !slices.Contains(names, v.group) {
			names = append(names, v.group)
		}
	}
	return names
}

// comment is the meaning of a variable, in lines that begin with #. It has no links, and no quotation marks of code
// around single words.
func comment(v variable, indent string) string {
	const width = 108
	text := regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`).ReplaceAllString(v.text, "$1")
	text = regexp.MustCompile("`([^` ]+)`").ReplaceAllString(text, "$1")
	if v.unset != "" && v.unset != "required" {
		text += " " + strings.ToUpper(v.unset[:1]) + v.unset[1:] + "."
	}
	lines, line := "", indent+"#"
	for _, word := range strings.Fields(text) {
		if len(line)+len(" ")+len(word) > width {
			lines, line = lines+line+"\n", indent+"#"
		}
		line += " " + word
	}
	return lines + line + "\n"
}
