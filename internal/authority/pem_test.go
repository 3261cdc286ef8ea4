package authority

import (
	"bytes"
	"encoding/pem"
	"testing"
)

// FuzzParsePEM compares parsePEM with encoding/pem: parsePEM finds every block that encoding/pem finds, with the same
// content, or refuses the file.
func FuzzParsePEM(f *testing.F) {
	one := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes.Repeat([]byte("one"), 40)})
	two := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "x"}, Bytes: []byte("two")})
	for _, seed := range [][]byte{
		one, two, append(one, two...), append(bytes.TrimSpace(one), two...), append([]byte(bom), one...),
		bytes.ReplaceAll(one, []byte("\n"), []byte("\r\n")), bytes.Replace(one, []byte("END"), []byte("BEGIN"), 1),
		[]byte("text\n-----BEGIN CERTIFICATE-----\nAAAA\n=abcd\n-----END CERTIFICATE-----"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		blocks, err := parsePEM(text)
		if err != nil || isBinary(text) {
			return
		}
		for want, rest := pem.Decode(text); want != nil; want, rest = pem.Decode(rest) {
			for len(blocks) > 0 && (blocks[0].kind != want.Type || !bytes.Equal(blocks[0].bytes, want.Bytes)) {
				blocks = blocks[1:] // one that only parsePEM finds, such as after a BOM
			}
			if len(blocks) == 0 {
				t.Fatalf("encoding/pem finds a block of type %q and %d bytes, parsePEM does not", want.Type, len(want.Bytes))
			}
			blocks = blocks[1:]
		}
	})
}
