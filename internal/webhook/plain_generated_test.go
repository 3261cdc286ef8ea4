package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plainMaker writes bodies that are nearly plain: each choice is usually the plain one.
type plainMaker struct {
	choices []byte // that are left; where none is, the first of the alternatives is chosen
	to      []byte
	rarity  int // one of so many choices is not plain
	names   []string
}

func (m *plainMaker) choose(of int) int {
	const size = 2
	if len(m.choices) < size {
		return 0
	}
	n := binary.LittleEndian.Uint16(m.choices)
	m.choices = m.choices[size:]
	return int(n) % of
}

// odd is false where no choice is left.
func (m *plainMaker) odd() bool { return m.choose(m.rarity) == 1 }

func (m *plainMaker) pick(texts ...string) { m.to = append(m.to, texts[m.choose(len(texts))]...) }

// space writes white space, which is not plain.
func (m *plainMaker) space() {
	if m.odd() && m.choose(4) == 0 {
		m.pick(" ", "\n", "\t", "\r", "  ", "\v", "\u00a0", "\x00", "\xef\xbb\xbf")
	}
}

func (m *plainMaker) token(text string) {
	m.space()
	switch {
	case m.odd() && m.choose(8) == 0:
	case m.odd() && m.choose(8) == 0:
		m.to = append(append(m.to, text...), text...)
	case m.odd() && m.choose(8) == 0:
		m.pick(",", ":", "{", "}", "[", "]", `"`, "0", "-", "n", "null", `\`, "'", "/", "//", "#")
	default:
		m.to = append(m.to, text...)
	}
	m.space()
}

func (m *plainMaker) text() {
	if m.odd() {
		m.pick(`"\u0041"`, `"\n"`, `"a\"b"`, `"\ud800"`, "\"\xff\"", "\"\xc3\xbc\"", "\"\xed\xa0\x80\"", "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\n\"", `"a`, `a"`, `'a'`, `"\`, "\"\x80\"")
		return
	}
	m.to = append(append(append(m.to, '"'), strings.Repeat("x", m.choose(20))...), '"')
}

func (m *plainMaker) base64() {
	bytes := make([]byte, m.choose(12))
	for i := range bytes {
		bytes[i] = byte(m.choose(256))
	}
	text := base64.StdEncoding.EncodeToString(bytes)
	if m.odd() {
		switch m.choose(9) {
		case 0:
			text = strings.TrimRight(text, "=")
		case 1:
			text += "="
		case 2:
			text = base64.URLEncoding.EncodeToString(bytes)
		case 3:
			text += "\n"
		case 4:
			text = "QR==" // bits that are dropped
		case 5:
			text = "QUJ=" + text
		case 6:
			text += " "
		case 7:
			text = text[:m.choose(len(text)+1)] + "=" + text
		case 8:
			text = "=" + strings.Repeat("=", m.choose(4))
		}
	}
	m.to = append(append(append(m.to, '"'), text...), '"')
}

func (m *plainMaker) value(depth int) {
	m.space()
	kind := m.choose(10)
	if depth <= 0 {
		kind = m.choose(6)
	}
	switch kind {
	case 0:
		m.text()
	case 1:
		m.pick("null", "true", "false")
	case 2:
		m.pick("0", "1", "-1", "-0", "10", "123456789012345678901234567890")
	case 3:
		if m.odd() {
			m.pick("01", "-", "-01", "1.", ".1", "1.0", "1e5", "1E+5", "1e", "1e999", "-1e-999", "+1", "00", "--1", "0x1", "NaN", "Infinity", "-Infinity", "0-", "1-1", "nul", "nulll", "tru", "True", "fals", "undefined", "")
			return
		}
		m.pick("7", "0")
	case 4:
		m.text()
	case 5:
		m.base64()
	case 6, 7:
		m.object(depth-1, nil)
	default:
		m.token("[")
		for i := range m.choose(4) {
			if i > 0 {
				m.token(",")
			}
			m.value(depth - 1)
		}
		if m.odd() && m.choose(4) == 0 {
			m.token(",")
		}
		m.token("]")
	}
}

func (m *plainMaker) name() string {
	if len(m.names) > 0 && m.odd() {
		return m.names[m.choose(len(m.names))]
	}
	var name string
	switch m.choose(12) {
	case 0:
		name = ""
	case 1:
		name = []string{"Timestamp", "timestamp ", "timestamp\x00", "timestam", "Raw", "RAW", "SANs", "attestationdata", "X509CertificateRequest", "x509certificate", "permanentidentifier"}[m.choose(11)]
	case 2:
		name = []string{"timestamp", "raw", "sans", "extensions", "permanentIdentifier", "x509Certificate", "provisionerName"}[m.choose(7)]
	default:
		// Of few letters: many share the bit, and some are equal.
		for range m.choose(6) {
			name += string("abck"[m.choose(4)])
		}
		if m.choose(3) > 0 {
			name += strconv.Itoa(m.choose(100))
		}
	}
	m.names = append(m.names, name)
	return name
}

// object writes an object of the known members, in any order, and others.
func (m *plainMaker) object(depth int, known map[string]func()) {
	var names []string
	for name := range known {
		if m.choose(4) > 0 {
			names = append(names, name)
		}
		if m.odd() && m.choose(6) == 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	others := m.choose(4)
	if m.choose(50) == 1 {
		others = m.choose(60)
	}
	for range others {
		if name := m.name(); known[name] == nil || m.odd() {
			names = append(names, name)
		}
	}
	if m.choose(6) > 0 {
		slices.Sort(names)
		names = slices.Compact(names)
	}
	for i := range names {
		j := i + m.choose(len(names)-i)
		names[i], names[j] = names[j], names[i]
	}
	m.token("{")
	for i, name := range names {
		if i > 0 {
			m.token(",")
		}
		m.space()
		m.to = append(append(append(m.to, '"'), name...), '"')
		m.token(":")
		switch write := known[name]; {
		case m.odd():
			m.pick("nulx", "nul", "null0", "Null", "n", "NULL")
		case m.choose(8) == 0:
			m.to = append(m.to, "null"...)
		case write == nil || m.odd():
			m.value(depth)
		default:
			write()
		}
	}
	if m.odd() && m.choose(4) == 0 {
		m.token(",")
	}
	m.token("}")
}

func (m *plainMaker) list() {
	if m.odd() {
		m.pick("[ ]", "[{}]", "[null]", "[", "[]]", "[[]]", "{}", "[\n]", `[{"type":"dns","value":"a"}]`, `[{"id":"1.2","value":"QQ=="}]`, `""`)
		return
	}
	m.to = append(m.to, "[]"...)
}

func (m *plainMaker) body() []byte {
	depth := m.choose(10)
	request := func() {
		m.object(depth, map[string]func(){"raw": m.base64, "sans": m.list, "extensions": m.list, "subject": func() { m.value(depth) }})
	}
	certificate := func() {
		m.object(depth, map[string]func(){"subject": func() { m.object(depth, map[string]func(){"commonName": m.text}) }, "rawSubject": m.base64, "sans": m.list, "extensions": m.list})
	}
	known := map[string]func(){
		"timestamp": m.text, "provisionerName": m.text,
		"attestationData":        func() { m.object(depth, map[string]func(){"permanentIdentifier": m.text}) },
		"x509CertificateRequest": request,
	}
	if m.choose(20) == 1 {
		known["x509Certificate"] = certificate
		known["sshCertificate"] = func() { m.value(depth) }
		known["sshCertificateRequest"] = func() { m.value(depth) }
	}
	m.space()
	m.object(depth, known)
	m.space()
	if m.odd() && m.choose(4) == 0 {
		m.pick("\n", " ", "\x00", "{}", "null", "}", ",", "\xef\xbb\xbf")
	}
	if m.choose(500) == 1 { // to the largest sizes
		if at := strings.LastIndexByte(string(m.to), '}'); at > 5 {
			size := []int{65534, 65535, 65536, 65537}[m.choose(4)]
			m.to = append(m.to[:at], `,"long`+strings.Repeat("x", 100)+`":"`...)
			m.to = append(m.to, strings.Repeat("y", max(0, size-len(m.to)-2))...)
			m.to = append(m.to, `"}`...)
		}
	}
	return m.to
}

// makeBody writes the body of some choices.
func makeBody(choices []byte) []byte {
	m := &plainMaker{choices: choices}
	m.rarity = []int{20, 60, 1000, 60_000}[m.choose(4)]
	return m.body()
}

// Bodies that are plain and nearly plain: what is accepted the JSON library accepts too, and finds the same.
func TestPlainBodyGenerated(t *testing.T) {
	t.Parallel()
	const bodies, blocks = 10_000, 64
	plain := 0
	for i := range bodies {
		var choices []byte
		for j := range blocks {
			block := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(i*blocks+j)))
			choices = append(choices, block[:]...)
		}
		raw := makeBody(choices)
		if _, ok := readPlainBody(raw); ok {
			plain++
		}
		checkPlainBody(t, raw)
	}
	if plain < bodies/4 || plain > bodies*3/4 {
		t.Errorf("%d of %d bodies are plain, want about half of them", plain, bodies)
	}
}

// FuzzPlainBodyGenerated does the same with bodies that the fuzzer chooses.
func FuzzPlainBodyGenerated(f *testing.F) {
	f.Add(bytes.Repeat([]byte{7, 1, 3, 0, 2, 9, 1}, 100))
	f.Fuzz(func(t *testing.T, choices []byte) { checkPlainBody(t, makeBody(choices)) })
}
