package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"step-posture-connector/internal/command"
)

// manual returns the man page of the program, with a section for each command of the command line, in man(7).
func manual(b build) ([]byte, error) {
	tree := command.Tree()
	p := &page{}
	p.line(`.TH ` + strings.ToUpper(name) + ` 1 ` + b.at.Format("2006-01-02") + ` "` + name + ` ` + b.version + `" "User Commands"`)
	p.section("NAME")
	p.text(name + ` \- ` + plain(strings.ToLower(tree.Short[:1])+tree.Short[1:]))
	p.section("SYNOPSIS")
	commands := runnable(tree)
	if len(commands) < 10 { // Far fewer than there are.
		return nil, fmt.Errorf("the command line has %d commands", len(commands))
	}
	for i, c := range commands {
		if i > 0 {
			p.line(".br")
		}
		p.line(usage(c))
	}
	p.section("DESCRIPTION")
	p.paragraphs(tree.Long)
	p.section("OPTIONS")
	p.options(tree.LocalFlags())
	p.section("COMMANDS")
	for _, c := range commands {
		if c == tree {
			continue
		}
		p.line(`.SS "` + plain(strings.TrimPrefix(c.CommandPath(), name+" ")) + `"`)
		p.command(c)
	}
	variables, err := os.ReadFile(".env.example")
	if err != nil {
		return nil, err
	}
	p.section("ENVIRONMENT")
	if err := p.environment(string(variables)); err != nil {
		return nil, err
	}
	p.section("EXIT STATUS")
	for _, status := range []struct {
		code    int
		meaning string
	}{
		{command.ExitOK, "The work is done. Commands that judge: allowed, passed, intact."},
		{command.ExitError, "The work could not be done; standard error has a line for each problem."},
		{command.ExitDeny, "The verdict of a command that judges is no: denied, failed, tampered with."},
		{command.ExitUsage, "The command line is wrong."},
	} {
		p.item(strconv.Itoa(status.code), "", status.meaning)
	}
	p.section("FILES")
	for _, file := range []struct{ path, meaning string }{
		{folder + "/env", "The variables of the service. Only root reads it."},
		{folder + "/webhook_secrets", "The signing secrets of step-ca's webhooks. The service gets a copy from systemd."},
		{folder + "/posture.yaml", "The policy: rules, inventories, webhooks. A change applies without a restart."},
		{"/var/lib/" + name, "The state database, and the copies of inventories."},
		{"/var/log/" + name, "The audit log, where AUDIT_LOG_PATH names a file in it."},
		{"/usr/share/doc/" + name + "/docs", "The documentation. systemd.md has the first start, policy.md the rules."},
	} {
		p.item(`\fI`+plain(file.path)+`\fP`, "", file.meaning)
	}
	p.section("SEE ALSO")
	p.line(`.BR systemctl (1),`)
	p.line(`.BR journalctl (1),`)
	p.line(`.BR systemd.exec (5)`)
	return []byte(p.written.String()), p.err
}

// runnable returns the commands that do something, the program itself first. The scripts of completion are one.
func runnable(c *cobra.Command) []*cobra.Command {
	switch {
	case c.Hidden || c.Name() == "help":
		return nil
	case c.Name() == "completion" || !c.HasAvailableSubCommands():
		return []*cobra.Command{c}
	}
	var found []*cobra.Command
	if !c.HasParent() {
		found = append(found, c)
	}
	for _, child := range c.Commands() {
		found = append(found, runnable(child)...)
	}
	return found
}

// usage is the synopsis of a command, with its arguments in italics.
func usage(c *cobra.Command) string {
	_, arguments, _ := strings.Cut(c.Use, " ")
	if c.Name() == "completion" {
		arguments = "bash|zsh|fish|powershell"
	}
	line := `\fB` + plain(c.CommandPath()) + `\fP`
	if arguments != "" {
		line += ` \fI` + plain(arguments) + `\fP`
	}
	if c.HasAvailableLocalFlags() {
		line += ` [\fIoptions\fP]`
	}
	return line
}

// page is a man page while it is written.
type page struct {
	written strings.Builder
	err     error
}

func (p *page) line(l string)       { p.written.WriteString(l + "\n") }
func (p *page) section(name string) { p.line(".SH " + `"` + name + `"`) }

// text writes running text, which is not a request even where a line begins with a dot.
func (p *page) text(t string) {
	for line := range strings.SplitSeq(t, "\n") {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		p.line(line)
	}
	if i := strings.IndexFunc(t, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }); i >= 0 {
		p.err = errors.Join(p.err, fmt.Errorf("no character for a man page in %q", t))
	}
}

func (p *page) command(c *cobra.Command) {
	p.line(usage(c))
	p.line(".PP")
	if c.Long == "" || c.Name() == "completion" {
		p.text(plain(c.Short) + ".")
	} else {
		p.paragraphs(c.Long)
	}
	p.options(c.LocalNonPersistentFlags())
	if c.Example != "" {
		p.line(".PP")
		p.line("Examples:")
		p.line(".PP")
		p.line(".EX")
		p.text(plain(c.Example))
		p.line(".EE")
	}
}

// paragraphs fills the lines of a help text anew. What it says about the exit status begins a paragraph.
func (p *page) paragraphs(long string) {
	long = strings.ReplaceAll(long, "\nExit status:", "\n\nExit status:")
	for i, paragraph := range strings.Split(long, "\n\n") {
		if i > 0 {
			p.line(".PP")
		}
		p.text(filled(plain(strings.ReplaceAll(paragraph, "\n", " "))))
	}
}

// options lists flags, except for those that every command has.
func (p *page) options(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, meaning := pflag.UnquoteUsage(f)
		argument := ""
		if kind != "" {
			argument = ` \fI` + plain(kind) + `\fP`
		}
		if value := f.DefValue; value != "" && value != "false" && value != "0" && value != "[]" && !strings.Contains(meaning, "default") {
			meaning += " (default " + value + ")"
		}
		p.item(`\fB\-\-`+plain(f.Name)+`\fP`, argument, meaning)
	})
}

func (p *page) item(tag, argument, meaning string) {
	p.line(".TP")
	p.line(tag + argument)
	p.text(filled(plain(meaning)))
}

// environment lists the variables with their meanings from .env.example, which is made of their declarations.
func (p *page) environment(example string) error {
	p.text(filled(plain("A file with lines NAME=value has the same effect: .env, the file of --env-file, or that of ENV_FILE. " +
		"Where two names differ by _FILE only, the second names a file with the value. The values shown are defaults or examples.")))
	variable := regexp.MustCompile(`^#?([A-Z][A-Z_]+)=(.*)$`)
	var comment []string
	var names []string
	for line := range strings.SplitSeq(example, "\n") {
		if m := variable.FindStringSubmatch(line); m != nil {
			value := ""
			if m[2] != "" {
				value = ` (\fI` + plain(m[2]) + `\fP)`
			}
			if len(comment) == 0 {
				return fmt.Errorf(".env.example has no comment above %s", m[1])
			}
			p.item(`\fB`+plain(m[1])+`\fP`, value, strings.Join(comment, " "))
			names, comment = append(names, m[1]), nil
			continue
		}
		if text, found := strings.CutPrefix(line, "# "); found {
			comment = append(comment, text)
		} else {
			comment = nil
		}
	}
	if len(names) == 0 || len(names) != len(slices.Compact(slices.Sorted(slices.Values(names)))) {
		return errors.New(".env.example has no variables, or one of them twice")
	}
	return nil
}

// plain escapes text for a man page: the hyphen is one that can be copied.
func plain(text string) string {
	marks := regexp.MustCompile("`([^`]+)`")
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "→", `\(->`, "“", `"`, "”", `"`).Replace(text)
	return marks.ReplaceAllString(text, `\fB$1\fP`)
}

// filled puts each sentence on lines of its own, and breaks those that are long for an editor.
func filled(text string) string {
	const width = 78
	sentences := strings.Split(regexp.MustCompile(`([.?!]) +([A-Z0-9])`).ReplaceAllString(text, "$1\n$2"), "\n")
	var lines []string
	for _, sentence := range sentences {
		line := ""
		for word := range strings.FieldsSeq(sentence) {
			if line != "" && len(line)+1+len(word) > width {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
