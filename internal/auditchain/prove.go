package auditchain

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Proof is what the audit log says about a certificate.
type Proof struct {
	Proven      bool         `json:"proven"`
	Certificate *Certificate `json:"certificate"`
	// Decision is that of the line that meets all demands, or the most; nil where no line has anything to do with the certificate.
	Decision *Decision `json:"decision,omitempty"`
	File     string    `json:"file,omitempty"`
	Line     int       `json:"line,omitempty"`
	Demands  []Demand  `json:"demands"`
	Report   *Report   `json:"verification"`
}

// Decision is a decision as the audit log has it; see docs/logging.md for the members.
type Decision struct {
	Time       time.Time      `json:"time"`
	Reference  string         `json:"reference"`
	Decision   string         `json:"decision"`
	Code       string         `json:"code"`
	Reason     string         `json:"reason"`
	Identifier string         `json:"identifier"`
	Provider   string         `json:"provider"`
	Policy     string         `json:"policy,omitempty"`
	Inventory  string         `json:"inventory,omitempty"`
	Caller     string         `json:"caller,omitempty"`
	Door       string         `json:"door,omitempty"`
	WebhookID  string         `json:"webhook_id"`
	Groups     []string       `json:"groups"`
	PublicKey  string         `json:"public_key_sha256,omitempty"`
	Facts      jsontext.Value `json:"facts,omitempty"`

	Event string `json:"event,omitempty"` // empty of a decision
}

// issuingDoor is the door at which certificates are ordered, as lines have it with a policy file.
const issuingDoor = "webhook"

// Demand is one thing that a line must have, to be the decision behind a certificate.
type Demand struct {
	Name string `json:"name"`
	Met  bool   `json:"met"`
	Text string `json:"text"`
}

// The names of the demands, in their order.
const (
	demandAllow      = "allow"
	demandReference  = "reference"
	demandIdentifier = "identifier"
	demandKey        = "key"
	demandTime       = "time"
	demandChain      = "chain"
)

// Prove verifies the files as Verify does, and looks for the decision behind the certificate: a line that allows, with a reference,
// the identifier and the key that the certificate has, at the time at which it was made, in chains that are intact.
func Prove(ctx context.Context, o Options, c *Certificate, paths []string, stdin io.Reader) (*Proof, error) {
	o.references = c.references
	o.publicKey = []byte(`"public_key_sha256":"` + c.PublicKey + `"`)
	report, err := Verify(ctx, o, paths, stdin)
	if err != nil {
		return nil, err
	}
	p := &Proof{Certificate: c, Report: report}
	nearest := closeness{met: -1}
	for _, f := range report.found {
		decision := &Decision{}
		if json.Unmarshal(f.text, decision) != nil || decision.Event != "" {
			continue // none of ours: it is reported if it is in a chain, and proves nothing
		}
		if decision.Door != "" && decision.Door != issuingDoor {
			continue // fail closed: no certificate is issued for what a device was let through
		}
		demands := c.judge(decision, f.isIntact, report)
		near := closeness{referenceMet: c.references[decision.Reference], away: decision.Time.Sub(c.NotBefore).Abs()}
		for _, d := range demands {
			if d.Met {
				near.met++
			}
		}
		if near.isCloserThan(nearest) {
			nearest = near
			p.Decision, p.File, p.Line, p.Demands = decision, f.file, f.line, demands
		}
	}
	if p.Decision == nil {
		p.Demands = []Demand{c.judgeReference(""), judgeChain(true, report)}
		return p, nil
	}
	p.Proven = !slices.ContainsFunc(p.Demands, func(d Demand) bool { return !d.Met })
	return p, nil
}

// closeness says which of several lines is shown: that which meets the most demands, then one with the reference, then the nearest.
type closeness struct {
	met          int
	referenceMet bool
	away         time.Duration
}

func (c closeness) isCloserThan(other closeness) bool {
	switch {
	case c.met != other.met:
		return c.met > other.met
	case c.referenceMet != other.referenceMet:
		return c.referenceMet
	}
	return c.away < other.away
}

// judge compares a line with the certificate. Every demand must be met.
func (c *Certificate) judge(d *Decision, isIntact bool, report *Report) []Demand {
	allow := Demand{Name: demandAllow, Met: d.Decision == "allow", Text: "the line allows"}
	if !allow.Met {
		allow.Text = fmt.Sprintf("the line says %q, and not allow", d.Decision)
	}
	identifier := Demand{demandIdentifier, d.Identifier != "" && slices.Contains(c.identifiers, d.Identifier), fmt.Sprintf("the certificate names %q", d.Identifier)}
	if !identifier.Met {
		identifier.Text = fmt.Sprintf("the line is about %q, and the certificate names %q", d.Identifier, c.identifiers)
	}
	key := Demand{demandKey, d.PublicKey != "" && d.PublicKey == c.PublicKey, "the certificate is for the key of the request"}
	switch {
	case d.PublicKey == "":
		key.Text = "the line does not say for which key it is"
	case !key.Met:
		key.Text = "the certificate is for another key than the line"
	}
	away := c.NotBefore.Sub(d.Time)
	at := Demand{demandTime, away.Abs() <= MaxSkew, fmt.Sprintf("the certificate begins %s, the line is of %s", c.NotBefore.Format(time.RFC3339), d.Time.UTC().Format(time.RFC3339))}
	if !at.Met {
		at.Text += fmt.Sprintf(": more than %d minutes", MaxSkew/time.Minute)
	}
	return []Demand{allow, c.judgeReference(d.Reference), identifier, key, at, judgeChain(isIntact, report)}
}

func (c *Certificate) judgeReference(reference string) Demand {
	d := Demand{demandReference, c.references[reference], "the certificate has the reference " + reference}
	switch {
	case d.Met:
	case len(c.references) == 0:
		d.Text = "the certificate has nothing that can be a reference: its template does not put it in"
	case reference == "":
		d.Text = "no line of the files has a reference that is in the certificate, or its key"
	default:
		d.Text = fmt.Sprintf("the certificate does not have the reference %q of the line", reference)
	}
	return d
}

// judgeChain demands that all files are intact, and not only the line: where one line was changed, others may be missing.
func judgeChain(isIntact bool, report *Report) Demand {
	d := Demand{demandChain, isIntact && report.Intact, fmt.Sprintf("the chain is intact: %s", countLines(report.Lines))}
	switch {
	case !report.Intact:
		p := report.Problems[0]
		d.Text = "the chain is not intact: " + p.Text
		if p.File != "" {
			d.Text = fmt.Sprintf("the chain is not intact: %s:%d: %s", p.File, p.Line, p.Text)
		}
	case !isIntact:
		d.Text = "the line is not in a chain: nothing protects it"
	}
	return d
}
