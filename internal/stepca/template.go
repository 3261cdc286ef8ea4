package stepca

import (
	"strings"
	"text/template/parse"
)

// gap stands for what an action prints, in the text of a template. No URL has the character.
const gap = "\x00"

// address is the URL of a webhook, which is a template of step-ca.
type address struct {
	// path and host are without what actions print.
	host, path string
	// params are the names of the parameters, in order, also those that a condition leaves out.
	params []string
	// unescaped are actions that print, and do not end in urlquery.
	unescaped []string
	// actions is how many print.
	actions int
	// broken says that it is no template, or no URL.
	broken bool
}

// parseAddress reads a URL as step-ca does, with text/template. Functions are not looked up: whether step-ca has a function does
// not change what ends in urlquery, which is built into the language.
func parseAddress(text string) address {
	tree := parse.New("url")
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		return address{broken: true}
	}
	a := address{}
	for _, other := range trees {
		if other != tree { // one that is defined inside, under any name
			a.walk(other.Root, &strings.Builder{})
		}
	}
	var flat strings.Builder
	if tree.Root != nil {
		a.walk(tree.Root, &flat)
	}
	a.split(flat.String())
	return a
}

// split takes a URL apart. url.Parse would not take one with gaps.
func (a *address) split(text string) {
	rest, ok := strings.CutPrefix(text, "https://")
	a.broken = !ok
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	a.host, a.path = strings.ToLower(host), "/"+path
	for part := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(part, "="); part != "" {
			a.params = append(a.params, name)
		}
	}
}

func (a *address) walk(node parse.Node, flat *strings.Builder) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, each := range n.Nodes {
				a.walk(each, flat)
			}
		}
	case *parse.TextNode:
		flat.Write(n.Text)
	case *parse.ActionNode:
		a.action(n, flat)
	case *parse.IfNode:
		a.branch(&n.BranchNode, flat)
	case *parse.RangeNode:
		a.branch(&n.BranchNode, flat)
	case *parse.WithNode:
		a.branch(&n.BranchNode, flat)
	case *parse.TemplateNode:
		flat.WriteString(gap) // what it prints is in a tree of its own
	}
}

func (a *address) branch(n *parse.BranchNode, flat *strings.Builder) {
	a.walk(n.List, flat)
	a.walk(n.ElseList, flat)
}

func (a *address) action(n *parse.ActionNode, flat *strings.Builder) {
	if len(n.Pipe.Decl) > 0 {
		return // an assignment prints nothing
	}
	a.actions++
	flat.WriteString(gap)
	last := n.Pipe.Cmds[len(n.Pipe.Cmds)-1]
	if name, ok := last.Args[0].(*parse.IdentifierNode); !ok || name.Ident != "urlquery" {
		a.unescaped = append(a.unescaped, n.String())
	}
}
