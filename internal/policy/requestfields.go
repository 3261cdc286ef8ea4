package policy

import (
	"slices"
	"time"

	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/posture"
)

// The names of the types of what request has; see deviceTypeName.
const (
	csrTypeName         = requestTypeName + ".csr"
	certificateTypeName = requestTypeName + ".certificate"
	x5cTypeName         = requestTypeName + ".x5c"
	sshTypeName         = requestTypeName + ".ssh"
	scepTypeName        = requestTypeName + ".scep"
	radiusTypeName      = requestTypeName + ".radius"
	urlTypeName         = requestTypeName + ".url"
)

// requestFields are the fields of request, and of what it has: types by their names.
func requestFields() map[string]object {
	text := func(name string, words []string, get func(*posture.Request) string) field {
		f := newField("request."+name, types.StringType, func(r *posture.Request) (any, bool) { return types.String(get(r)), get(r) != "" })
		f.words = words
		return f
	}
	part := func(name, typeName string, get func(*posture.Request) any) field {
		// Known always: what the request does not have has no known field.
		return newField("request."+name, types.NewObjectType(typeName), func(r *posture.Request) (any, bool) { return get(r), true })
	}
	return map[string]object{
		requestTypeName: {
			"door":        text("door", posture.Doors(), func(r *posture.Request) string { return r.Door }),
			"caller":      text("caller", nil, func(r *posture.Request) string { return r.Caller }),
			"kind":        text("kind", posture.RequestKinds(), func(r *posture.Request) string { return r.Kind }),
			"provisioner": text("provisioner", nil, func(r *posture.Request) string { return r.Provisioner }),
			"mode":        text("mode", posture.Modes(), func(r *posture.Request) string { return r.Mode }),
			"identifier":  text("identifier", nil, func(r *posture.Request) string { return r.Identifier }),
			"principal":   text("principal", nil, func(r *posture.Request) string { return r.Principal }),
			"key_type":    text("key_type", posture.KeyTypes(), func(r *posture.Request) string { return r.KeyType }),
			"key_bits":    newField("request.key_bits", types.IntType, func(r *posture.Request) (any, bool) { return r.KeyBits, r.KeyBits != 0 }),
			"names":       newField("request.names", types.NewListType(types.StringType), func(r *posture.Request) (any, bool) { return r.Names, r.Names != nil }),
			"csr":         part("csr", csrTypeName, func(r *posture.Request) any { return r.CSR }),
			"certificate": part("certificate", certificateTypeName, func(r *posture.Request) any { return r.Certificate }),
			"x5c":         part("x5c", x5cTypeName, func(r *posture.Request) any { return r.X5C }),
			"ssh":         part("ssh", sshTypeName, func(r *posture.Request) any { return r.SSH }),
			"scep":        part("scep", scepTypeName, func(r *posture.Request) any { return r.SCEP }),
			"radius":      part("radius", radiusTypeName, func(r *posture.Request) any { return r.RADIUS }),
			"url":         part("url", urlTypeName, func(r *posture.Request) any { return r }),
		},
		csrTypeName:         certificateFields("request.csr."),
		certificateTypeName: shownFields(),
		x5cTypeName:         certificateFields("request.x5c."),
		sshTypeName:         sshFields(),
		scepTypeName: {
			"transaction_id": partField("request.scep.transaction_id", func(s posture.SCEPRequest) string { return s.TransactionID }),
		},
		radiusTypeName: {
			"nas":             partField(radiusPath+"nas", func(r posture.RADIUSRequest) string { return r.NAS }),
			"ssid":            partField(radiusPath+"ssid", func(r posture.RADIUSRequest) string { return r.SSID }),
			"calling_station": partField(radiusPath+"calling_station", func(r posture.RADIUSRequest) string { return r.CallingStation }),
		},
		urlTypeName: {},
	}
}

// partField is a text of a part of the request.
func partField[T any](path string, get func(T) string) field {
	return newField(path, types.StringType, func(of *T) (any, bool) {
		if of == nil {
			return nil, false
		}
		return types.String(get(*of)), get(*of) != ""
	})
}

// partList is a list of texts of a part of the request.
func partList[T any](path string, get func(T) []string) field {
	return newField(path, types.NewListType(types.StringType), func(of *T) (any, bool) {
		if of == nil {
			return nil, false
		}
		return get(*of), get(*of) != nil
	})
}

// partTime is a time of a part of the request.
func partTime[T any](path string, get func(T) time.Time) field {
	return newField(path, types.TimestampType, func(of *T) (any, bool) {
		if of == nil {
			return nil, false
		}
		return get(*of), !get(*of).IsZero()
	})
}

func certificateFields(prefix string) object {
	type names = posture.CertificateNames
	return object{
		"common_name":           partField(prefix+"common_name", func(n names) string { return n.CommonName }),
		"subject_serial_number": partField(prefix+"subject_serial_number", func(n names) string { return n.SubjectSerialNumber }),
		"serial_number":         partField(prefix+"serial_number", func(n names) string { return n.SerialNumber }),
		"emails":                partList(prefix+"emails", func(n names) []string { return n.Emails }),
		"dns_names":             partList(prefix+"dns_names", func(n names) []string { return n.DNSNames }),
		"ips":                   partList(prefix+"ips", func(n names) []string { return n.IPs }),
		"uris":                  partList(prefix+"uris", func(n names) []string { return n.URIs }),
	}
}

// shownFields are those of request.certificate, which also has what is known of a certificate that a device shows at a door.
func shownFields() object {
	type names = posture.CertificateNames
	o := certificateFields(certificatePath)
	// serial is serial_number, by the name that rules of doors have for it.
	o["serial"] = partField(certificatePath+"serial", func(n names) string { return n.SerialNumber })
	o["not_before"] = partTime(certificatePath+"not_before", func(n names) time.Time { return n.NotBefore })
	o["not_after"] = partTime(certificatePath+"not_after", func(n names) time.Time { return n.NotAfter })
	o["provisioner"] = partField(certificatePath+"provisioner", func(n names) string { return n.Provisioner })
	kind := partField(certificatePath+"provisioner_type", func(n names) string { return n.ProvisionerType })
	kind.words = issuerTypes()
	o["provisioner_type"] = kind
	return o
}

// issuerTypes are the words of request.certificate.provisioner_type.
func issuerTypes() []string {
	return slices.DeleteFunc(posture.IssuerTypes(), func(word string) bool { return word == "" })
}

func sshFields() object {
	kind := partField("request.ssh.type", func(s posture.SSHRequest) string { return s.Type })
	kind.words = posture.SSHTypes()
	return object{
		"type":         kind,
		"key_id":       partField("request.ssh.key_id", func(s posture.SSHRequest) string { return s.KeyID }),
		"principals":   partList("request.ssh.principals", func(s posture.SSHRequest) []string { return s.Principals }),
		"valid_before": partTime("request.ssh.valid_before", func(s posture.SSHRequest) time.Time { return s.ValidBefore }),
	}
}

// setParameters says which parameters request.url has.
func (s *Scope) setParameters(names []string) {
	url := object{}
	for _, name := range names {
		url[name] = newField("request.url."+name, types.StringType, func(r *posture.Request) (any, bool) {
			return types.String(r.URL[name]), r.URL[name] != ""
		})
	}
	s.fields.objects[urlTypeName] = url
}
