package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// compiler compiles the expressions of policies that may read the same inventories. Many policies say the same: each
// text is compiled once for one reading of a file.
type compiler struct {
	scope      *Scope
	dataScope  *Scope                                 // what data may read
	gives      func(inventory string) posture.FactSet // nil means all facts
	maxAge     func(inventory string) time.Duration
	conditions map[string]compiledCondition
	values     map[string]compiledValue
	// characters are those that were compiled of the file, by all compilers.
	characters *int
}

// affords counts a text that is compiled, and reports the first one that is too much. Aliases write one expression into
// each of many policies, and policies with different inventories compile it once each: without a bound, a file of 1 MiB
// would take minutes and the memory of the machine.
func (c *compiler) affords(v document.Value, text string) bool {
	before := *c.characters
	*c.characters += len(text)
	if before <= maxCompiled && *c.characters > maxCompiled {
		v.Fault(fmt.Sprintf("at most %d, with those that aliases stand for", maxCompiled), "the expressions of the policies have more than %d characters in all", maxCompiled)
	}
	return *c.characters <= maxCompiled
}

type compiledCondition struct {
	condition *Condition
	faults    Faults
}

type compiledValue struct {
	value  *Value
	faults Faults
}

func (r *Reader) compiler(p *Policy) (*compiler, error) {
	key := strings.Join(p.Inventories, ",") + "|" + strings.Join(p.AlsoIn, ",")
	if c, ok := r.compiled[key]; ok {
		return c, nil
	}
	scope, err := NewScope(slices.Concat(p.Inventories, p.AlsoIn)...)
	if err != nil {
		return nil, err
	}
	scope.inventories = p.Inventories // one of also_in never decides
	scope.setCallers(r.Callers, r.MoreCallers)
	scope.setParameters(r.Parameters)
	dataScope, err := scope.withReference()
	if err != nil {
		return nil, err
	}
	c := &compiler{scope: scope, dataScope: dataScope, gives: r.Gives, maxAge: r.MaxAge, conditions: map[string]compiledCondition{}, values: map[string]compiledValue{}, characters: &r.characters}
	if r.compiled == nil {
		r.compiled = map[string]*compiler{}
	}
	r.compiled[key] = c
	return c, nil
}

// condition compiles an expression, and reports its faults where they stand in the file.
func (c *compiler) condition(v document.Value) *Condition {
	text, ok := v.Text()
	if !ok {
		return nil
	}
	compiled, ok := c.conditions[text]
	if !ok {
		if !c.affords(v, text) {
			return nil
		}
		compiled.condition, compiled.faults = c.scope.CompileCondition(text)
		c.conditions[text] = compiled
	}
	if compiled.faults != nil {
		reportFaults(v, compiled.faults)
		return nil
	}
	if result, constant := compiled.condition.constant(); constant {
		v.Warn("the expression is always %s, whatever the facts are", result)
	}
	c.warn(v, compiled.condition.reads)
	return compiled.condition
}

// value is condition for data.
func (c *compiler) value(v document.Value, text string) *Value {
	compiled, ok := c.values[text]
	if !ok {
		if !c.affords(v, text) {
			return nil
		}
		compiled.value, compiled.faults = c.dataScope.CompileValue(text)
		c.values[text] = compiled
	}
	if compiled.faults != nil {
		reportFaults(v, compiled.faults)
		return nil
	}
	c.warn(v, compiled.value.reads)
	return compiled.value
}

// warn warns of facts that no inventory can give.
func (c *compiler) warn(v document.Value, reads []Read) {
	if c.gives == nil {
		return
	}
	var told []string
	for _, r := range reads {
		if r.Fact == nil || slices.Contains(told, r.Path) {
			continue
		}
		told = append(told, r.Path)
		given := posture.MustFacts("device.identifier") // every record bears it
		of := c.scope.inventories
		if r.Record != "" {
			of = []string{r.Record}
		}
		for _, name := range of {
			given |= c.gives(name)
		}
		switch {
		case given.Has(r.Fact.Set()):
		case r.Record != "":
			v.Warn("the inventory %s does not give %s, so that it is always unknown", r.Record, r.Fact.Name)
		default:
			v.Warn("no inventory of the policy gives %s, so that it is always unknown", r.Path)
		}
	}
}

func reportFaults(v document.Value, faults Faults) {
	for _, f := range faults {
		v.FaultIn(f.Line, f.Column, f.Accepted, "%s", f.Text)
	}
}
