package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// member is one of a JSON object, whose order and doubles encoding/json would lose.
type member struct {
	name  string
	value any // object, []any or a json.RawMessage
}

type object []member

func (o object) MarshalJSON() ([]byte, error) {
	text := []byte("{")
	for i, m := range o {
		if i > 0 {
			text = append(text, ',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", m.name, err)
		}
		text = append(fmt.Appendf(text, "%q:", m.name), value...)
	}
	return append(text, '}'), nil
}

// readTree reads JSON, which is valid.
func readTree(tb testing.TB, text json.RawMessage) any {
	tb.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	switch text[0] {
	case '{':
		var o object
		_, _ = decoder.Token()
		for decoder.More() {
			name, err := decoder.Token()
			var value json.RawMessage
			if err != nil || decoder.Decode(&value) != nil {
				tb.Fatalf("read %s: %v", text, err)
			}
			word, _ := name.(string)
			o = append(o, member{word, readTree(tb, value)})
		}
		return o
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(text, &items); err != nil {
			tb.Fatal(err)
		}
		all := make([]any, len(items))
		for i, item := range items {
			all[i] = readTree(tb, item)
		}
		return all
	default:
		return text
	}
}

// change is a body that differs from a recorded one in one place.
type change struct {
	what string
	body []byte
	// sameNames says that every name of the original is in it, perhaps as one of another kind.
	sameNames bool
}

// changes calls each with every change of a recorded body.
func changes(tb testing.TB, body []byte, each func(change)) {
	tb.Helper()
	root, _ := readTree(tb, body).(object)
	write := func(what string, sameNames bool, tree any) {
		text, err := json.Marshal(tree)
		if err != nil {
			tb.Fatal(err)
		}
		each(change{what, text, sameNames})
	}
	walk(root, "", func(o object, at string, put func(object) any) {
		for i, m := range o {
			name := at + "." + m.name
			with := func(what string, sameNames bool, members ...member) {
				write(what+" "+name, sameNames, put(slices.Concat(o[:i], members, o[i+1:])))
			}
			with("without", false)
			with("doubled", false, m, m)
			with("doubled by null:", false, m, member{m.name, json.RawMessage("null")})
			for _, value := range []string{`null`, `true`, `-1e400`, `"x"`, `[]`, `{}`, `["x"]`, `[{"type":"dns","value":"x"}]`} {
				with("as "+value+":", false, member{m.name, json.RawMessage(value)})
			}
			with("in a list:", false, member{m.name, []any{m.value}})
			for _, other := range otherPlaces(m.name) {
				with("as "+other+":", false, member{other, m.value})
				with("also as "+other+":", false, m, member{other, m.value})
			}
			swap(o, i, func(swapped object, other string) {
				write("swapped with "+other+": "+name, areLists(m.name, other), put(swapped))
			})
			if at != "" {
				write("at the top: "+name, false, append(slices.Clone(root), m))
			}
		}
	})
	for i, m := range root {
		for j, into := range root {
			if inner, ok := into.value.(object); ok && i != j {
				moved := slices.Clone(root)
				moved[j].value = append(slices.Clone(inner), m)
				write("in "+into.name+": "+m.name, false, slices.Delete(moved, i, i+1))
			}
		}
	}
}

// swap exchanges the values of a member and each one behind it.
func swap(o object, i int, each func(swapped object, other string)) {
	for j := i + 1; j < len(o); j++ {
		swapped := slices.Clone(o)
		swapped[i].value, swapped[j].value = o[j].value, o[i].value
		each(swapped, o[j].name)
	}
}

// areLists reports whether both members are lists of names, all of which count in request.names.
func areLists(one, other string) bool {
	lists := []string{"dnsNames", "emailAddresses", "uris"}
	return slices.Contains(lists, one) && slices.Contains(lists, other)
}

// otherPlaces are the members that mean nearly the same.
func otherPlaces(name string) (others []string) {
	for _, same := range [][]string{
		{"x509CertificateRequest", "x509Certificate", "sshCertificateRequest", "sshCertificate", "x5cCertificate"},
		{"dnsNames", "emailAddresses", "ipAddresses", "uris", "sans", "extensions", "principals"},
		{"keyID", "keyId", "KeyID", "type"},
		{"raw", "rawSubject", "publicKey"},
		{"commonName", "serialNumber", "extraNames", "CommonName"},
		{"authorizationPrincipal", "provisionerName", "scepChallenge", "scepTransactionID", "scepErrorDescription", "scepErrorCode", "timestamp"},
		{"attestationData", "AttestationData"},
		{"permanentIdentifier", "permanentidentifier"},
	} {
		if slices.Contains(same, name) {
			for _, other := range same {
				if other != name {
					others = append(others, other)
				}
			}
		}
	}
	return others
}

// walk visits every object in a tree. put is the whole tree with another object in place of the visited one.
func walk(value any, at string, visit func(o object, at string, put func(object) any)) {
	walkInto(value, at, visit, func(changed any) any { return changed })
}

func walkInto(value any, at string, visit func(object, string, func(object) any), put func(any) any) {
	switch value := value.(type) {
	case object:
		visit(value, at, func(changed object) any { return put(changed) })
		for i, m := range value {
			walkInto(m.value, at+"."+m.name, visit, func(changed any) any {
				whole := slices.Clone(value)
				whole[i].value = changed
				return put(whole)
			})
		}
	case []any:
		for i, item := range value {
			walkInto(item, fmt.Sprintf("%s[%d]", at, i), visit, func(changed any) any {
				whole := slices.Clone(value)
				whole[i] = changed
				return put(whole)
			})
		}
	}
}
