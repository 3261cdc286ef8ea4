// Package variables writes what documents, example files and compose files say about the environment variables, from
// their declarations: the fields of config.Config and of each provider's Config, with their tags and comments.
package variables

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// variable is one environment variable, as its declaration has it.
type variable struct {
	name     string
	provider string // the one that declares it; empty for the daemon's
	shared   bool   // a provider's, which the daemon declares too
	group    string
	secret   bool
	isFile   bool   // takes the path of a file with a secret
	list     bool   // several secrets
	required bool   // by the env tag
	unset    string // what an unset one means, in words
	standard string // the default
	example  string
	text     string // what it means
	more     string // the paragraphs for the tables only
}

// file is the variable that takes the path of a file in place of a secret.
func (v variable) file() variable {
	text := "The path of a file with the value of `" + v.name + "`, in place of it."
	if v.list {
		text += " There the secrets may also be one to a line."
	}
	return variable{
		name: v.name + "_FILE", provider: v.provider, group: v.group, isFile: true, text: text,
		example: "/run/secrets/" + strings.ToLower(v.name),
	}
}

// declared returns the variables of the daemon, and those of each provider after PROVIDER, with
// the variables of a group together.
func declared() ([]variable, error) {
	sources, err := filepath.Glob("internal/provider/*/*.go")
	if err != nil {
		return nil, err
	}
	var names []string
	var ofProviders []variable
	for _, path := range sources {
		provider := filepath.Base(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") || slices.Contains(names, provider) {
			continue
		}
		own, err := declaredIn(filepath.Dir(path), provider)
		if err != nil {
			return nil, err
		}
		if len(own) > 0 {
			names = append(names, provider)
			ofProviders = append(ofProviders, own...)
		}
	}
	all, err := declaredIn("internal/config", "")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(v variable) bool { return v.name == "PROVIDER" })
	if at < 0 || len(names) == 0 {
		return nil, errors.New("internal/config declares no PROVIDER, or no provider declares a variable")
	}
	links := make([]string, len(names))
	for i, name := range names {
		links[i] = "[`" + name + "`](providers/" + name + ".md)"
	}
	all[at].text += " Accepted: " + strings.Join(links, " or ") + "."
	for i, v := range ofProviders {
		ofProviders[i].group = all[at].group
		ofProviders[i].shared = slices.ContainsFunc(all, func(other variable) bool { return other.name == v.name })
	}
	all = slices.Insert(all, at+1, ofProviders...)
	headings := groups(all)
	slices.SortStableFunc(all, func(a, b variable) int {
		return slices.Index(headings, a.group) - slices.Index(headings, b.group)
	})
	return all, nil
}

// declaredIn returns the variables that the type Config of a package declares; none where it has no such type.
func declaredIn(folder, provider string) ([]variable, error) {
	paths, err := filepath.Glob(folder + "/*.go")
	if err != nil {
		return nil, err
	}
	structs := map[string]*ast.StructType{}
	for _, path := range paths {
		source, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(source, func(node ast.Node) bool {
			if spec, ok := node.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					structs[spec.Name.Name] = s
				}
			}
			return true
		})
	}
	var all []variable
	var walk func(s *ast.StructType) error
	walk = func(s *ast.StructType) error {
		for _, field := range s.Fields.List {
			typ := types.ExprString(field.Type)
			if embedded, ok := structs[typ]; ok && len(field.Names) == 0 {
				if err := walk(embedded); err != nil {
					return err
				}
				continue
			}
			v, err := fromField(field, typ)
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", folder, err)
			case v.name == "":
				continue
			}
			v.provider = provider
			if v.value() == "" && v.unset == "" && (!v.required || provider != "") {
				return fmt.Errorf("%s: %s has neither envDefault nor example", folder, v.name)
			}
			all = append(all, v)
			if v.secret {
				all = append(all, v.file())
			}
		}
		return nil
	}
	if config, ok := structs["Config"]; ok {
		err = walk(config)
	}
	return all, err
}

// fromField reads one field; the variable has no name where the field is none.
func fromField(field *ast.Field, typ string) (variable, error) {
	if field.Tag == nil {
		return variable{}, nil
	}
	text, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return variable{}, err
	}
	tag := reflect.StructTag(text)
	name, options, _ := strings.Cut(tag.Get("env"), ",")
	if name == "" {
		return variable{}, nil
	}
	meaning, more, _ := strings.Cut(strings.TrimSpace(field.Doc.Text()), "\n\n")
	if meaning == "" {
		return variable{}, fmt.Errorf("the field of %s has no comment that says what the variable means", name)
	}
	return variable{
		name: name, group: tag.Get("group"), required: options == "required", unset: tag.Get("unset"),
		standard: tag.Get("envDefault"), example: tag.Get("example"),
		secret: strings.HasSuffix(typ, "Secret") || strings.HasSuffix(typ, "Secrets"), list: strings.HasSuffix(typ, "Secrets"),
		text: joined(meaning) + accepted(meaning, tag), more: joined(more),
	}, nil
}

// accepted says what the tags accept, where the meaning does not name it.
func accepted(meaning string, tag reflect.StructTag) string {
	choices, between := strings.Split(tag.Get("choice"), ","), " or "
	if low, high, isRange := strings.Cut(tag.Get("range"), "-"); isRange {
		choices, between = []string{low, high}, " to "
	}
	named := true
	for i, choice := range choices {
		choices[i] = "`" + choice + "`"
		named = named && (choice == "" || strings.Contains(meaning, choices[i]))
	}
	if named {
		return ""
	}
	return " Accepted: " + strings.Join(choices, between) + "."
}

// joined makes one line of a comment.
func joined(text string) string { return strings.Join(strings.Fields(text), " ") }
