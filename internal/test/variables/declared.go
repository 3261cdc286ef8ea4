// Package variables writes what documents, example files and compose files say about the environment variables, from
// their declarations: the fields of config.Config and of each provider's Config, with their tags and comments.
package variables

import (
	"cmp"
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
	shared   bool   // declared by a provider, and by the daemon too
	secret   bool
	isFile   bool // takes the path of a file with the value of another one
	group    string
	required bool   // by the env tag
	unset    string // what an unset one means, in words
	standard string // the default
	example  string
	text     string // what it means
	more     string // the paragraphs for the tables only
	kind     string // the type of the field, without its package
	choices  []string
	between  [2]string // the lowest and the highest number
}

// value is the default, or an example if it has none.
func (v variable) value() string { return cmp.Or(v.standard, v.example) }

// declared returns the variables of the daemon, with those of each provider after PROVIDER; those of a group follow each
// other.
func declared() ([]variable, error) {
	all, err := declaredIn("internal/config", "")
	if err != nil {
		return nil, err
	}
	folders, err := filepath.Glob("internal/provider/*")
	if err != nil {
		return nil, err
	}
	var links []string
	var others []variable
	for _, folder := range folders {
		name := providerOf(filepath.Base(folder))
		own, err := declaredIn(folder, name)
		if err != nil {
			return nil, err
		}
		if len(own) > 0 {
			links = append(links, "[`"+name+"`](providers/"+name+".md)")
			others = append(others, own...)
		}
	}
	at := slices.IndexFunc(all, func(v variable) bool { return v.name == "PROVIDER" })
	if at < 0 || len(links) == 0 {
		return nil, errors.New("internal/config declares no PROVIDER, or no provider declares a variable")
	}
	all[at].text += " Accepted: " + strings.Join(links, " or ") + "."
	for i, v := range others {
		others[i].group = all[at].group
		others[i].shared = slices.ContainsFunc(all, func(other variable) bool { return other.name == v.name })
	}
	all = slices.Insert(all, at+1, others...)
	headings := groups(all)
	slices.SortStableFunc(all, func(a, b variable) int {
		return slices.Index(headings, a.group) - slices.Index(headings, b.group)
	})
	return all, nil
}

// providerOf is the name of the provider in a folder. sql is a package of the standard library, so the folder has another name;
// and a name of a package has no underscore.
func providerOf(folder string) string {
	if folder == "apple" {
		return "apple_business"
	}
	return strings.TrimSuffix(folder, "query")
}

// declaredIn returns the variables that the type Config of a package declares; none if it has no such type.
func declaredIn(folder, provider string) ([]variable, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
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
				structs[spec.Name.Name], _ = spec.Type.(*ast.StructType)
			}
			return true
		})
	}
	var all []variable
	for _, field := range fieldsOf(structs, "Config") {
		own, err := fromField(field, provider)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		all = append(all, own...)
	}
	return all, nil
}

// fieldsOf returns the fields of a struct, and those of the structs that it embeds.
func fieldsOf(structs map[string]*ast.StructType, name string) (all []*ast.Field) {
	if structs[name] == nil {
		return nil
	}
	for _, field := range structs[name].Fields.List {
		if len(field.Names) == 0 {
			all = append(all, fieldsOf(structs, types.ExprString(field.Type))...)
		} else {
			all = append(all, field)
		}
	}
	return all
}

// fromField returns the variable of a field, and the one that takes the path of a file, for a secret and where that is allowed; none for a field
// without an env tag, or one that only a policy file has.
func fromField(field *ast.Field, provider string) ([]variable, error) {
	literal := "``"
	if field.Tag != nil {
		literal = field.Tag.Value
	}
	text, err := strconv.Unquote(literal)
	if err != nil {
		return nil, err
	}
	tag := reflect.StructTag(text)
	name, options, _ := strings.Cut(tag.Get("env"), ",")
	if name == "" || tag.Get("only") == "section" {
		return nil, nil
	}
	typ := types.ExprString(field.Type)
	isList := strings.HasSuffix(typ, "Secrets") || strings.HasSuffix(typ, "UUIDs")
	meaning, more, _ := strings.Cut(strings.TrimSpace(field.Doc.Text()), "\n\n")
	v := variable{
		name: name, provider: provider, secret: strings.HasSuffix(typ, "Secrets") || strings.HasSuffix(typ, "Secret"), group: tag.Get("group"),
		required: options == "required" || tag.Get("requiredWithout") != "", unset: tag.Get("unset"), standard: tag.Get("envDefault"), example: tag.Get("example"),
		text: oneLine(meaning) + accepted(meaning, tag), more: oneLine(more),
	}
	v.kind = typ[strings.LastIndex(typ, ".")+1:]
	if choice := tag.Get("choice"); choice != "" {
		v.choices = strings.Split(choice, ",")
	}
	v.between[0], v.between[1], _ = strings.Cut(tag.Get("range"), "-")
	switch {
	case meaning == "":
		return nil, fmt.Errorf("the field of %s has no comment that says what the variable means", name)
	case v.value() == "" && v.unset == "" && (!v.required || provider != ""):
		return nil, fmt.Errorf("%s has neither envDefault nor example", name)
	case !v.secret && !isList && tag.Get("file") != "allowed":
		return []variable{v}, nil
	}
	file := variable{
		name: name + "_FILE", provider: provider, isFile: true, group: v.group, example: "/run/secrets/" + strings.ToLower(name),
		text: "The path of a file with the value of `" + name + "`, in place of it.",
	}
	if isList {
		file.text += " The file may also have one on each line."
	}
	return []variable{v, file}, nil
}

// accepted says what the tags accept, unless the meaning names all of it.
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

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
