package policyfile

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// Doors are what is said of the certificates of devices, and who may ask when a device shows its own.
type Doors struct {
	Issuers, CRL string // paths; CRL is empty without a list
	// Provisioners are names; AnyProvisioner says that every one is accepted.
	Provisioners   []string
	AnyProvisioner bool
	Doors          []Door
}

// Door is an entry of doors.radius or doors.forward_auth.
type Door struct {
	Door    string // posture.RADIUSDoor or posture.ForwardAuthDoor
	Callers []string
	Policy  string
	Cache   time.Duration

	// These are of RADIUS. VLAN is nil where none is assigned, Quarantine empty where nobody gets one.
	VLAN            *policy.Output
	SessionTimeout  time.Duration
	Quarantine      string
	QuarantineCodes []posture.Code

	// These are of forward auth.
	Header   string
	Identity devicecert.Identity
	Headers  []Header
}

// Header is a header of the answer to a web server.
type Header struct {
	Name string
	Text *policy.Output
}

// Outputs are the expressions of an entry.
func (d *Door) Outputs() (all []*policy.Output) {
	if d.VLAN != nil {
		all = append(all, d.VLAN)
	}
	for _, h := range d.Headers {
		all = append(all, h.Text)
	}
	return all
}

// hasDoor reports whether a door has a policy.
func (f *File) hasDoor(policyName string) bool {
	return f.Doors != nil && slices.ContainsFunc(f.Doors.Doors, func(d Door) bool { return d.Policy == policyName })
}

// readDoors reads the section "doors". folder is that of the policy file.
func (f *File) readDoors(v document.Value, policies []string, folder string) {
	if !v.IsSet() {
		return
	}
	m := v.Mapping()
	d := &Doors{Issuers: pathIn(folder, m.Get("issuers")), CRL: pathIn(folder, m.Get("crl"))}
	f.Doors = d
	d.readProvisioners(m.Get("provisioners"))
	taken := map[string]string{}
	for _, list := range [...]struct {
		key  string
		door string
	}{{"radius", posture.RADIUSDoor}, {"forward_auth", posture.ForwardAuthDoor}} {
		items, _ := m.Get(list.key).List()
		for _, item := range items {
			d.Doors = append(d.Doors, f.readDoor(item.As(doorShape(list.door, policies)), list.door, policies, taken))
		}
	}
	takesRADIUS := slices.ContainsFunc(f.Webhooks, func(w Webhook) bool { return w.Takes(posture.RADIUS) })
	if len(d.Doors) == 0 && !takesRADIUS {
		v.Fault("radius, forward_auth, or a webhook with accepts: radius", "nobody may ask: there is no door")
	}
}

// pathIn is a path of the policy file, relative to its folder.
func pathIn(folder string, v document.Value) string {
	path, ok := v.Text()
	if !ok || filepath.IsAbs(path) || path == "" {
		return path
	}
	return filepath.Join(folder, path)
}

const anyProvisioner = "any"

func (d *Doors) readProvisioners(v document.Value) {
	if !v.IsList() {
		text, _ := v.Text()
		d.AnyProvisioner = text == anyProvisioner
	} else {
		items, _ := v.List()
		for _, item := range items {
			name, ok := item.Text()
			if ok && slices.Contains(d.Provisioners, name) {
				item.Fault("each provisioner once", "%s is in the list already", name)
			}
			d.Provisioners = append(d.Provisioners, name)
		}
		if slices.Equal(d.Provisioners, []string{anyProvisioner}) {
			d.Provisioners, d.AnyProvisioner = nil, true
		}
	}
	if d.AnyProvisioner {
		v.Warn("certificates of every provisioner pass: with some, a client chooses the names in its certificate; list the provisioner that attests devices")
	}
}

func (f *File) readDoor(item document.Value, door string, policies []string, taken map[string]string) Door {
	m := item.Mapping()
	d := Door{Door: door, SessionTimeout: time.Hour, Header: defaultHeader, Identity: devicecert.PermanentIdentifier}
	callers, _ := m.Get("callers").List()
	for _, caller := range callers {
		name, ok := caller.Text()
		switch key := callerKey(name); {
		case !ok:
		case taken[key] != "":
			caller.Fault("a caller in one entry", "%s has the caller %s too", taken[key], name)
		default:
			taken[key] = item.Path()
			d.Callers = append(d.Callers, name)
		}
	}
	d.Cache = durationIn(m.Get("cache"), 0, 0, maxDoorCache, "0s to 1h")
	var p *policy.Policy
	if v := m.Get("policy"); v.IsSet() {
		name, ok := v.Text()
		d.Policy, p = name, f.Policies[name]
		if ok && !slices.Contains(policies, name) {
			v.Unknown("policy", name, policies, orNone(policies))
		}
	}
	if p == nil {
		return d // a fault that was reported
	}
	f.warnWithoutCopy(m.Get("policy"), p)
	if door == posture.RADIUSDoor {
		d.readRADIUS(m, p)
	} else {
		d.readForwardAuth(m, p)
	}
	return d
}

// callerKey is a name of a caller as names are compared: DNS names without regard to case, common names exactly.
func callerKey(name string) string {
	if strings.HasPrefix(name, "cn:") {
		return name
	}
	return strings.ToLower(name)
}

// durationIn reads a duration between two bounds, which accepted names as an operator writes them.
func durationIn(v document.Value, otherwise, least, most time.Duration, accepted string) time.Duration {
	if !v.IsSet() {
		return otherwise
	}
	d, ok := v.Duration()
	if text, _ := v.Text(); ok && (d < least || d > most) {
		v.Fault("a duration from "+accepted, "%s is outside", text)
	}
	return d
}

// warnWithoutCopy warns of an inventory whose failure would keep every device out.
func (f *File) warnWithoutCopy(v document.Value, p *policy.Policy) {
	for _, name := range slices.Concat(p.Inventories, p.AlsoIn) {
		if !f.inMemory(name) && f.maxAge(name) == 0 {
			v.Warn("the inventory %s of this policy has no snapshot, so that nobody gets in while it cannot be asked; add snapshot to the inventory", name)
		}
	}
}

// inMemory reports whether an inventory is in memory, so that it always answers.
func (f *File) inMemory(inventory string) bool {
	const file = "file"
	for _, i := range f.Inventories {
		if i.Name == inventory {
			return i.Kind == file
		}
	}
	return inventory == file // of the environment, where the name is the kind
}

func (d *Door) readRADIUS(m document.Mapping, p *policy.Policy) {
	if v := m.Get("vlan"); v.IsSet() {
		d.VLAN = p.ReadVLAN(v)
	}
	d.SessionTimeout = durationIn(m.Get("session_timeout"), time.Hour, minSession, maxSession, "60s to 24h")
	v := m.Get("quarantine")
	if !v.IsSet() {
		return
	}
	q := v.Mapping()
	d.Quarantine, _ = q.Get("vlan").Text()
	if d.Quarantine != "" && !policy.CheckVLAN(d.Quarantine) {
		q.Get("vlan").Fault(policy.AcceptedVLAN, "it is the VLAN itself, and no expression")
	}
	for _, facts := range [...]string{"data.", "device.", "user.", "request."} {
		if strings.HasPrefix(d.Quarantine, facts) { // many access points put a device whose VLAN they do not know into the default network
			q.Get("vlan").Warn("%s is the name of a VLAN here, and no expression", d.Quarantine)
		}
	}
	var accepted []string
	for _, code := range append([]posture.Code{
		posture.DeviceNotFound, posture.DeviceAmbiguous, posture.DeviceNotManaged, posture.DeviceNotInGroup, posture.DeviceNotCompliant,
	}, p.Codes()...) {
		// A rule without a code has deviceNotCompliant. A code of a certificate never puts a device anywhere, whoever has named it.
		if !slices.Contains(accepted, string(code)) && !strings.HasPrefix(string(code), "certificate") {
			accepted = append(accepted, string(code))
		}
	}
	items, _ := q.Get("codes").List()
	for _, item := range items {
		text, ok := item.Text()
		switch {
		case !ok:
		case !slices.Contains(accepted, text):
			// Never for a fault, and never for a certificate that is not one of a device.
			item.Fault(strings.Join(accepted, ", "), "%.64q is no code with which the policy %s refuses a device", text, p.Name)
		case slices.Contains(d.QuarantineCodes, posture.Code(text)):
			item.Fault("each code once", "%s is in the list already", text)
		default:
			d.QuarantineCodes = append(d.QuarantineCodes, posture.Code(text))
		}
	}
}

func (d *Door) readForwardAuth(m document.Mapping, p *policy.Policy) {
	if text, ok := m.Get("header").Text(); ok {
		d.Header = text
	}
	if text, ok := m.Get("identity").Text(); ok {
		d.Identity = devicecert.Identity(text)
	}
	v := m.Get("headers")
	if !v.IsSet() {
		for _, h := range defaultHeaders() {
			text, err := p.Header(h[1])
			if err != nil {
				m.Get("policy").Fault("", "%v", err) // cannot happen
				continue
			}
			d.Headers = append(d.Headers, Header{h[0], text})
		}
		return
	}
	before := map[string]bool{"X-Device-Id": true}
	for name, value := range v.Names() {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !value.Check(name, headerNameShape()):
			continue
		case canonical == "X-Device-Id":
			value.Key().Fault("another name", "X-Device-Id is always sent, and is the identifier in the certificate")
			continue
		case strings.HasPrefix(canonical, "X-Accel-"):
			value.Key().Fault("another name", "nginx acts on X-Accel headers")
			continue
		case before[canonical]:
			value.Key().Fault("each header once", "%s is there already, in another case", name)
			continue
		}
		before[canonical] = true
		if text := p.ReadHeader(value); text != nil {
			d.Headers = append(d.Headers, Header{name, text})
		}
	}
}

const defaultHeader = "X-Client-Cert"

// defaultHeaders are what an entry without headers has beside X-Device-Id: names and expressions.
func defaultHeaders() [][2]string {
	return [][2]string{{"X-Device-Name", "device.name"}, {"X-Device-User", "user.username"}, {"X-Device-Groups", "device.groups"}}
}
