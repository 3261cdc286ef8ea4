package server

import (
	"bytes"
	"encoding/pem"
	"testing"
)

// FuzzParsePEM holds parsePEM against encoding/pem: every block that is found there is found here too, and
// is the same, or the file is refused.
func FuzzParsePEM(f *testing.F) {
	one := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes.Repeat([]byte("one"), 40)})
	two := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "x"}, Bytes: []byte("two")})
	for _, seed := range [][]byte{
		one, two, append(one, two...), append(bytes.TrimSpace(one), two...), append([]byte(byteOrderMark), one...),
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
		for there, rest := pem.Decode(text); there != nil; there, rest = pem.Decode(rest) {
			for len(blocks) > 0 && (blocks[0].kind != there.Type || !bytes.Equal(blocks[0].bytes, there.Bytes)) {
				blocks = blocks[1:] // one that only parsePEM finds, such as behind a byte-order mark
			}
			if len(blocks) == 0 {
				t.Fatalf("encoding/pem finds a block of type %q and %d bytes, parsePEM does not", there.Type, len(there.Bytes))
			}
			blocks = blocks[1:]
		}
	})
}
