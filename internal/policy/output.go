package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// Output is a compiled expression whose text a door puts into its answer.
type Output struct {
	program cel.Program
	reads   []Read // also those of the data that it reads
	data    []Datum
	texts   bool // only a text is accepted, as of a VLAN
}

const (
	acceptedVLAN   = `an expression that is a text, such as data.vlan; a fixed VLAN is written '"42"'`
	acceptedHeader = "an expression, such as user.email_address, that is a text, a list of texts, a whole number, true or false, a time or a version"
)

// VLANShape declares an expression for ReadVLAN, and HeaderShape one for ReadHeader.
func VLANShape(about string) *document.Shape { return expression(about, acceptedVLAN) }

// HeaderShape declares an expression for ReadHeader.
func HeaderShape(about string) *document.Shape { return expression(about, acceptedHeader) }

// ReadVLAN compiles the text of a value, which must be a text when it is evaluated. A fault is reported to the document, and
// nil returned.
func (p *Policy) ReadVLAN(v document.Value) *Output {
	o, t := p.readOutput(v)
	if o == nil {
		return nil
	}
	o.texts = true
	if t.Kind() != types.StringKind && t.Kind() != types.DynKind {
		v.FaultIn(1, 1, acceptedVLAN, "the result is %s", plain(t))
		return nil
	}
	if fixed, _, err := o.program.Eval(nothing{}); err == nil {
		if text, ok := fixed.(types.String); !ok || !CheckVLAN(string(text)) {
			v.FaultIn(1, 1, AcceptedVLAN, "the result is always the same, and no VLAN")
			return nil
		}
	}
	p.outputs = append(p.outputs, o)
	return o
}

// ReadHeader compiles the expression of a header. A fault is reported to the document, and nil returned.
func (p *Policy) ReadHeader(v document.Value) *Output {
	o, t := p.readOutput(v)
	if o == nil {
		return nil
	}
	if !fitsHeader(t) {
		v.FaultIn(1, 1, acceptedHeader, "the result is %s", plain(t))
		return nil
	}
	p.outputs = append(p.outputs, o)
	return o
}

// Header compiles the expression of a header that no document has.
func (p *Policy) Header(expression string) (*Output, error) {
	scope, err := p.outputScope()
	if err != nil {
		return nil, err
	}
	value, faults := scope.CompileValue(expression)
	if faults != nil {
		return nil, faults
	}
	o := &Output{program: value.program, reads: value.reads, data: p.Data}
	p.outputs = append(p.outputs, o)
	return o, nil
}

// fitsHeader reports whether values of a type may be a header. What the type does not say is checked when it is evaluated.
func fitsHeader(t *types.Type) bool {
	switch t.Kind() {
	case types.StringKind, types.BoolKind, types.IntKind, types.TimestampKind, types.DynKind:
		return true
	case types.OpaqueKind:
		return t.TypeName() == versionTypeName
	case types.ListKind:
		element := t.Parameters()[0]
		return element.Kind() == types.StringKind || element.Kind() == types.DynKind || element.Kind() == types.TypeParamKind
	default:
		return false
	}
}

// readOutput compiles an expression that may also read the policy's data.
func (p *Policy) readOutput(v document.Value) (*Output, *types.Type) {
	text, ok := v.Text()
	if !ok || p.compiler != nil && !p.compiler.affords(v, text) {
		return nil, nil
	}
	scope, err := p.outputScope()
	if err != nil {
		v.Fault("", "%v", err)
		return nil, nil
	}
	value, faults := scope.CompileValue(text)
	if faults != nil {
		reportFaults(v, faults)
		return nil, nil
	}
	o := &Output{program: value.program, data: p.Data}
	var direct []Read
	for _, r := range value.reads {
		name, isData := strings.CutPrefix(r.Path, dataPath)
		if !isData {
			direct = append(direct, r)
			continue
		}
		for _, d := range p.Data {
			if d.Name == name && d.Value != nil {
				o.reads = append(o.reads, d.Value.reads...)
			}
		}
	}
	if p.compiler != nil {
		p.compiler.warn(v, direct) // the reads of data were warned of there
	}
	o.reads = append(o.reads, direct...)
	return o, value.t
}

// outputScope is the scope of the policy's expressions with its data.
func (p *Policy) outputScope() (*Scope, error) {
	if p.compiler == nil { // the policy that the environment implies
		scope, err := NewScope(slices.Concat(p.Inventories, p.AlsoIn)...)
		if err != nil {
			return nil, err
		}
		scope.inventories = p.Inventories
		return scope.withData(p.Name, p.Data)
	}
	return p.compiler.scope.withData(p.Name, p.Data)
}

// Text evaluates. The error says what is unknown, and repeats nothing that a client chose.
func (o *Output) Text(e *posture.Evidence) (string, error) {
	value, _, err := o.program.Eval(withData{evidence{e}, &dataOf{evidence: e, data: o.data}})
	if err != nil {
		return "", o.why(e)
	}
	if o.texts {
		text, ok := value.(types.String)
		if !ok {
			return "", errors.New("the result is no text")
		}
		return string(text), nil
	}
	return headerText(value)
}

// why says what is unknown. CEL's own error may repeat a value.
func (o *Output) why(e *posture.Evidence) error {
	var unknown []string
	for _, f := range factsRead(o.reads, e) {
		if !f.Known {
			unknown = append(unknown, f.Path)
		}
	}
	switch len(unknown) {
	case 0:
		return errors.New("the expression has no value for these facts")
	case 1:
		return fmt.Errorf("%s is unknown", unknown[0])
	}
	return fmt.Errorf("%s are unknown", strings.Join(unknown, ", "))
}

// headerText is a value as the text of a header.
func headerText(value ref.Val) (string, error) {
	switch v := value.(type) {
	case types.String:
		return string(v), nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case version:
		return v.String(), nil
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339), nil
	case traits.Mapper: // before a list: none is meant by its keys
	case traits.Lister:
		var all []string
		for elements := v.Iterator(); elements.HasNext() == types.True; {
			text, ok := elements.Next().(types.String)
			if !ok {
				return "", errors.New("the result is a list of other values than texts")
			}
			// A comma would make two elements of one: a group "staff,admins" would be two groups.
			all = append(all, strings.ReplaceAll(string(text), ",", ""))
		}
		return strings.Join(all, ","), nil
	}
	return "", errors.New("the result is no text, list of texts, whole number, true or false, time or version")
}

// ReadsRADIUS reports whether the policy's rules or data, or these outputs, read request.radius.
func (p *Policy) ReadsRADIUS(outputs ...*Output) bool {
	reads := p.ownReads()
	for _, o := range outputs {
		if o != nil {
			reads = append(reads, o.reads...)
		}
	}
	return slices.ContainsFunc(reads, func(r Read) bool { return strings.HasPrefix(r.Path, radiusPath) })
}

// Codes are the codes that the policy's rules refuse with, each once, in their order. Those of rules that only report are among
// them: whether a rule is enforced changes more often than what refers to its code.
func (p *Policy) Codes() (codes []posture.Code) {
	for _, r := range p.Rules {
		if !slices.Contains(codes, r.Code) {
			codes = append(codes, r.Code)
		}
	}
	return codes
}
