package webhook

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"step-posture-connector/internal/enroll"
)

// disguise encodes a text in the ways that a template or a device has, one for each byte of how: what precedes and follows it, a
// type of string in DER, and at most decodings times base64.
func disguise(text string, how []byte) string {
	encoded := 0
	for _, h := range how {
		n := int(h >> 4)
		switch h & 0xf {
		case 0, 1:
			text = strings.Repeat("Ab", n)[:n] + text
		case 2, 3:
			text += strings.Repeat("x_", n)[:n]
		case 4:
			text = "\x0c" + string(byte(n)) + text
		case 5:
			text = "é" + text + "\xff"
		case 6:
			text = spread(text, 1)
		case 7:
			text = spread(text, 3)
		default:
			if encoded++; encoded > decodings {
				return text
			}
			all := []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding}
			text = all[n%len(all)].EncodeToString([]byte(text))
		}
	}
	return text
}

// spread puts zero bytes before each byte, as strings of wide characters have them.
func spread(text string, zeros int) string {
	var wide strings.Builder
	for i := range len(text) {
		wide.WriteString(strings.Repeat("\x00", zeros) + text[i:i+1])
	}
	return wide.String()
}

// FuzzLeak: a token is found in whatever it is planted in. One that was not planted is not.
func FuzzLeak(f *testing.F) {
	f.Add(make([]byte, 32), []byte(nil))
	f.Add([]byte("0123456789abcdef0123456789abcdef"), []byte{0x18, 0x08})
	f.Add([]byte("0123456789abcdef0123456789abcdef"), []byte{0x30, 0x12, 0x38, 0x70, 0x06, 0x09, 0x52})
	f.Add([]byte("\xff\xfe\xfd3456789abcdef0123456789abcdef"), []byte{0x06, 0x28, 0x10, 0x07, 0x1a, 0x30, 0x05})
	f.Fuzz(func(t *testing.T, random, how []byte) {
		if len(random) != 32 || len(how) > 16 {
			return
		}
		token := base64.RawURLEncoding.EncodeToString(random)
		planted := disguise(token, how)
		if len(planted) > 2*MaxBody { // no body is longer
			return
		}
		own, other := searchFor([]enroll.Token{{Hash: enroll.HashOf(token)}}), searchFor([]enroll.Token{{Hash: enroll.HashOf(token[1:] + "A")}, {}})
		if !own.shows([]byte(planted)) {
			t.Fatalf("%q as %q was not found (%x)", token, planted, how)
		}
		if other.shows([]byte(planted)) && !strings.Contains(planted, token[1:]) && len(how) == 0 {
			t.Fatalf("another token than %q was found in %q", token, planted)
		}
		// In JSON, at any depth. What is no UTF-8 is in base64 there, as step-ca writes it.
		var value any = planted
		if strings.ToValidUTF8(planted, "") != planted {
			value = token
		}
		text, err := json.Marshal(map[string]any{"a": []any{nil, 1, map[string]any{"b": value}}})
		if err != nil {
			t.Fatal(err)
		}
		if !anyText(text, own.shows) {
			t.Fatalf("%q was not found in %s", token, text)
		}
	})
}
