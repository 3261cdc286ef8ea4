package stepca

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Webhook is one of the connector's webhooks, as its configuration has it.
type Webhook struct {
	Name, ID string
	// Policy is the name of its policy, NeedsAuthorizing says that the policy has rules for AUTHORIZING, and Token that it requires
	// an enrolment token, which the CSR has and the certificate must not have.
	Policy                  string
	NeedsAuthorizing, Token bool
	// Path is where it is served. Signs says that step-ca asks it before it signs, Attested that only ACME device-attest-01
	// has what it accepts; SSH and Host are about SSH certificates, and those of hosts.
	Path                       string
	Signs, Attested, SSH, Host bool
	// Kind is the kind that it has to be, as step-ca writes it; empty if that is left open.
	Kind string
	// Params are the parameters that its URL must have; nil where the path takes any.
	Params []string
	// ProvisionerType and ProvisionerName are whose it has to be; empty if that is left open.
	ProvisionerType, ProvisionerName string
}

// Findings are what a check has found. Faults let a client choose what the connector is asked; the rest are warnings.
type Findings struct {
	Faults, Warnings []string
	// Found are the webhooks that were found, a line for each.
	Found []string
}

// place is a webhook of ours at a provisioner.
type place struct {
	provisioner Provisioner
	hook        Hook
	own         Webhook
	address     address
}

func (p place) String() string { return p.provisioner.String() + ", webhook " + quote(p.hook.Name) }

// Check compares the provisioners of a CA with the connector's webhooks. paths are all that the connector serves.
func Check(provisioners []Provisioner, own []Webhook, paths []string) Findings {
	c := &checker{own: map[string]Webhook{}, paths: paths}
	for _, w := range own {
		c.own[strings.ToLower(w.ID)] = w
	}
	for _, p := range provisioners {
		c.locate(p)
	}
	for _, p := range provisioners {
		c.provisioner(p)
	}
	c.sshpop(provisioners)
	c.missing(own)
	c.strangers(provisioners)
	return Findings{Faults: bounded(c.faults), Warnings: bounded(c.warnings), Found: bounded(c.found)}
}

type checker struct {
	own                     map[string]Webhook // by ID
	paths                   []string
	places                  []place
	faults, warnings, found []string
}

func (c *checker) warn(about fmt.Stringer, format string, args ...any) {
	c.warnings = append(c.warnings, about.String()+": "+fmt.Sprintf(format, args...))
}

func (c *checker) fault(about fmt.Stringer, format string, args ...any) {
	c.faults = append(c.faults, about.String()+": "+fmt.Sprintf(format, args...))
}

func (c *checker) locate(p Provisioner) {
	for _, hook := range p.Options.Webhooks {
		if own, ok := c.own[strings.ToLower(hook.ID)]; ok {
			at := place{p, hook, own, parseAddress(hook.URL)}
			c.places = append(c.places, at)
			c.found = append(c.found, fmt.Sprintf("step-ca: %s, is the webhook %s", at, quote(own.Name)))
		}
	}
}

// at are the webhooks of ours at a provisioner.
func (c *checker) at(p Provisioner) (all []place) {
	for _, place := range c.places {
		if place.provisioner.Name == p.Name && place.provisioner.Type == p.Type {
			all = append(all, place)
		}
	}
	return all
}

func (c *checker) provisioner(p Provisioner) {
	places := c.at(p)
	if len(places) == 0 {
		return
	}
	for _, at := range places {
		c.template(at)
		c.form(at)
		c.params(at)
	}
	signing := slices.DeleteFunc(slices.Clone(places), func(at place) bool { return !at.own.Signs })
	c.authorizing(p, signing)
	c.coverage(p, signing)
	if slices.ContainsFunc(signing, func(at place) bool { return !at.hook.hasNoX509() }) {
		c.renewal(p)
	}
	c.trust(p, places)
}

// template reports actions in a URL that let a client write more than one value. The connector could not see it: the query is
// not signed, and what a claim added looks as what the administrator wrote.
func (c *checker) template(at place) {
	if at.address.broken {
		c.fault(at, "its URL is no template of an https URL, so what it sends cannot be checked; change it with step ca provisioner webhook update")
		return
	}
	for _, action := range at.address.unescaped {
		c.fault(at, "its URL has %s, which does not end in | urlquery: a client whose claim has & could write other parameters; accepted: {{ … | urlquery }}", quote(action))
	}
}

// missing reports webhooks of ours that the CA does not have, or has more than once.
func (c *checker) missing(own []Webhook) {
	for _, w := range own {
		count := 0
		for _, at := range c.places {
			if strings.EqualFold(at.own.ID, w.ID) {
				count++
			}
		}
		switch {
		case count == 0:
			c.warnings = append(c.warnings, fmt.Sprintf("webhook %s: no provisioner of the CA has the ID %s; it may be another CA's, or was removed and added again, which makes a new ID and a new secret", quote(w.Name), show(w.ID)))
		case count > 1:
			c.warnings = append(c.warnings, fmt.Sprintf("webhook %s: %d provisioners have it, so a request does not say whose it is; use one webhook for each", quote(w.Name), count))
		}
	}
}

// strangers reports webhooks at our paths with IDs that the configuration does not have. Where it is known which host is
// ours, those of other hosts are another connector's.
func (c *checker) strangers(provisioners []Provisioner) {
	hosts := map[string]bool{}
	for _, at := range c.places {
		hosts[at.address.host] = true
	}
	for _, p := range provisioners {
		for _, hook := range p.Options.Webhooks {
			a := parseAddress(hook.URL)
			_, known := c.own[strings.ToLower(hook.ID)]
			if known || !slices.Contains(c.paths, a.path) || (len(hosts) > 0 && !hosts[a.host]) {
				continue
			}
			c.warn(place{provisioner: p, hook: hook}, "it has the path %s, and an ID that the configuration does not have, %s: its requests are refused with 401; add it to the configuration, or remove it", a.path, show(hook.ID))
		}
	}
}

// bounded keeps what an operator can read.
func bounded(lines []string) []string {
	if len(lines) <= maxFindings {
		return lines
	}
	return append(lines[:maxFindings:maxFindings], fmt.Sprintf("and %d more", len(lines)-maxFindings))
}

// show makes one short line of a text of the CA, which may have anything in it.
func show(text string) string { return strings.Trim(quote(text), `"`) }

func quote(text string) string {
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return strconv.Quote(text)
}
