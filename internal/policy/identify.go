package policy

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// Identify is a compiled expression over the request that gives the identifier of whoever asks.
type Identify struct {
	program cel.Program
	reads   []Read
}

// ReadIdentify compiles the text of a value, which may read request alone; parameters are those of request.url. A fault is
// reported to the document, and nil returned.
func ReadIdentify(v document.Value, parameters []string) *Identify {
	text, ok := v.Text()
	if !ok {
		return nil
	}
	scope, err := NewScope()
	if err != nil {
		v.Fault("", "%v", err)
		return nil
	}
	scope.setParameters(parameters)
	checked, faults := scope.check(text, types.StringType)
	if faults != nil {
		reportFaults(v, faults)
		return nil
	}
	for _, r := range checked.reads {
		if r.variable != requestVariable {
			v.Fault("an expression over request, such as request.principal", "%s is not known yet: the identifier says which record it is", r.Path)
			return nil
		}
		if r.Path == "request.identifier" || r.Path == "request.mode" {
			v.Fault("an expression over the rest of request, such as request.principal", "%s follows from the identifier", r.Path)
			return nil
		}
	}
	program, err := scope.program(checked.tree)
	if err != nil {
		v.Fault("", "%v", err)
		return nil
	}
	identify := &Identify{program, checked.reads}
	if len(identify.reads) == 0 {
		v.Fault("an expression over request, such as request.principal", "the expression gives every request the same identifier")
		return nil
	}
	return identify
}

const requestVariable = "request"

// Identifier evaluates the expression for a request. The error says why there is no text, and repeats nothing of the request.
func (i *Identify) Identifier(r *posture.Request) (string, error) {
	value, _, err := i.program.Eval(evidence{&posture.Evidence{Request: *r}})
	if err != nil {
		unknown := (*unknownError)(nil)
		if errors.As(err, &unknown) {
			return "", unknown
		}
		return "", fmt.Errorf("evaluate: %s", clean(err))
	}
	text, ok := value.(types.String)
	if !ok {
		return "", errors.New("it is no text")
	}
	return string(text), nil
}

// Reads are the paths that the expression reads, such as request.principal.
func (i *Identify) Reads() (paths []string) {
	for _, r := range i.reads {
		paths = append(paths, r.Path)
	}
	return paths
}

// mayApply reports whether a rule may apply to a request of which nothing is known but what is set.
func (r *Rule) mayApply(to posture.Request) bool {
	if r.When == nil {
		return true
	}
	result, err := r.When.evaluate(partly{&to})
	return err != nil || result != posture.Unmet
}

// partly knows only the request.
type partly struct{ request *posture.Request }

// ResolveName implements interpreter.Activation.
func (p partly) ResolveName(name string) (any, bool) {
	if name == requestVariable {
		return p.request, true
	}
	return nothing{}.ResolveName(name)
}

// Parent implements interpreter.Activation.
func (partly) Parent() cel.Activation { return nil }

// ofKind is a request of which only the kind and the caller are known.
func ofKind(kind, caller string) posture.Request {
	return posture.Request{Door: posture.WebhookDoor, Kind: kind, Caller: caller}
}

// reads are what the rule and its condition read.
func (r *Rule) reads() (all []Read) {
	for _, c := range [...]*Condition{r.Require, r.When} {
		if c != nil {
			all = append(all, c.reads...)
		}
	}
	return all
}

const (
	csrPath         = "request.csr."
	certificatePath = "request.certificate."
	urlPath         = "request.url."
	sshPath         = "request.ssh."
	x5cPath         = "request.x5c."
	scepPath        = "request.scep."
	radiusPath      = "request.radius."
	namesPath       = "request.names"
)

// OnlyAuthorizing are the names of the rules that apply to AUTHORIZING alone.
func (p *Policy) OnlyAuthorizing() (names []string) {
	for _, r := range p.Rules {
		if r.When != nil && !r.mayApply(ofKind(posture.Enriching, "")) && !r.mayApply(ofKind(posture.Challenging, "")) && r.mayApply(ofKind(posture.Authorizing, "")) {
			names = append(names, r.Name)
		}
	}
	return names
}

// ReadsFinalNames reports whether a rule reads the names in the certificate that would be signed: those of an SSH certificate,
// or those of an X.509 certificate.
func (p *Policy) ReadsFinalNames(ssh bool) bool {
	path := certificatePath
	if ssh {
		path = sshPath
	}
	for _, r := range p.Rules {
		if !r.mayApply(ofKind(posture.Authorizing, "")) {
			continue
		}
		for _, read := range r.reads() {
			if read.Path == namesPath || strings.HasPrefix(read.Path, path) {
				return true
			}
		}
	}
	return false
}

// Compares reports whether a rule reads a path.
func (p *Policy) Compares(path string) bool {
	for _, r := range p.Rules {
		for _, read := range r.reads() {
			if read.Path == path {
				return true
			}
		}
	}
	return false
}

// Parameters are the parameters of request.url that rules read which apply to a webhook's requests.
func (p *Policy) Parameters(webhook string) (names []string) {
	for _, r := range p.Rules {
		if !r.mayApply(ofKind("", webhook)) {
			continue
		}
		for _, read := range r.reads() {
			if name, ok := strings.CutPrefix(read.Path, urlPath); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

// ReadsRequestParts reports whether rules or data read what Request has of certificates and the like, beyond its names and key.
func (p *Policy) ReadsRequestParts() bool {
	for _, r := range p.reads() {
		for _, prefix := range [...]string{csrPath, certificatePath, x5cPath, sshPath, scepPath, radiusPath} {
			if strings.HasPrefix(r.Path, prefix) {
				return true
			}
		}
	}
	return false
}
