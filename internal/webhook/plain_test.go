package webhook

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

func recordedBody(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "samples", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// What step-ca sends for an attested CSR is plain.
func TestPlainBodyOfStepCA(t *testing.T) {
	t.Parallel()
	body := recordedBody(t, "acme-da-x509-enriching")
	checkPlainBody(t, body)
	read, ok := readPlainBody(body)
	if !ok || read.AttestationData.PermanentIdentifier != "C02HARNESS01" || read.Timestamp == nil || len(read.X509CertificateRequest.Raw) == 0 {
		t.Errorf("readPlainBody = %+v, %v", read, ok)
	}
}

func TestPlainBody(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{
		`{}`,
		`{"":"","a":{"":0},"b":[],"c":[{},[],-1,true,false,null,"x"]}`,
		`{"timestamp":null,"attestationData":null,"x509CertificateRequest":null,"x509Certificate":null,"sshCertificate":null}`,
		`{"provisionerName":"a","x509CertificateRequest":{"raw":"","sans":[],"extensions":[]}}`,
		`{"provisionerName":null,"x509CertificateRequest":{"raw":null,"sans":null,"extensions":null,"raw2":"QQ=="}}`,
		`{"x":[[[[[[[[]]]]]]]]}`,
		"{\"x\":\"\x7f\"}",
	} {
		checkPlainBody(t, []byte(plain))
		if _, ok := readPlainBody([]byte(plain)); !ok {
			t.Errorf("%s is not plain", plain)
		}
	}
	many := `{"x":0`
	for i := range plainMembers {
		many += `,"` + strings.Repeat("x", i+2) + `":0`
	}
	for _, other := range []string{
		"", "{", "}", "[]", "null", `"x"`, "{} ", " {}", "{}{}", "{},", "{,}", `{"a":0,}`, `{"a"}`, `{"a":}`, `{"a":0 }`, `{"a" :0}`, `{a:0}`,
		`{"a":01}`, `{"a":-}`, `{"a":1.5}`, `{"a":1e3}`, `{"a":tru}`, `{"a":nul}`, `{"a":"}`, `{"a":[}`, `{"a":[0,]}`, `{"a":[,0]}`, `{"a":[0 ,0]}`, `{"a":[0}`,
		`{"a":0,"a":0}`, `{"x":{"a":0,"b":0,"a":0}}`, `{"x":[{"a":0,"a":0}]}`, `{"timestamp":null,"timestamp":"a"}`,
		`{"a":"\u0041"}`, `{"a\n":0}`, `{"a":"ü"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\n\"}", "{\"abcdefgh\":\"\x1f\"}", "{\"abcdefgh\":\"\x80\"}",
		`{"timestamp":5}`, `{"provisionerName":{}}`, `{"attestationData":"A"}`, `{"attestationData":{"permanentIdentifier":5}}`,
		`{"x509CertificateRequest":[]}`, `{"x509CertificateRequest":{"raw":5}}`, `{"x509CertificateRequest":{"raw":"Q"}}`, `{"x509CertificateRequest":{"raw":"QQ"}}`,
		`{"x509CertificateRequest":{"sans":[{}]}}`, `{"x509CertificateRequest":{"extensions":[{}]}}`, `{"x509CertificateRequest":{"sans":{}}}`,
		`{"x509Certificate":{}}`, `{"sshCertificateRequest":{}}`, `{"sshCertificate":{}}`,
		`{"x":[[[[[[[[[]]]]]]]]]}`, many + "}", `{"x":"` + strings.Repeat("x", 1<<16) + `"}`,
	} {
		if read, ok := readPlainBody([]byte(other)); ok {
			t.Errorf("%.80s is plain: %+v", other, read)
		}
	}
}

// Each byte of a plain body is changed in every way, removed and doubled: what is still accepted the JSON
// library accepts too, and finds the same.
func TestPlainBodyChanged(t *testing.T) {
	t.Parallel()
	body := recordedBody(t, "acme-da-x509-enriching")
	for i := range body {
		changed := slices.Clone(body)
		for range 255 {
			changed[i]++
			checkPlainBody(t, changed)
		}
		checkPlainBody(t, body[:i])
		checkPlainBody(t, slices.Delete(slices.Clone(body), i, i+1))
		checkPlainBody(t, slices.Insert(slices.Clone(body), i, body[i]))
	}
	checkPlainBody(t, append(slices.Clone(body), 0))
}

func checkPlainBody(t *testing.T, raw []byte) {
	t.Helper()
	kept := slices.Clone(raw)
	read, ok := readPlainBody(raw)
	if !ok {
		return
	}
	if tooDeep(raw) {
		t.Fatalf("%q is accepted, but nested too deep", raw)
	}
	var want requestBody
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("%q is accepted, but the JSON library says %v", raw, err)
	}
	clear(raw) // nothing that was read may depend on the buffer, which the next request overwrites
	if !reflect.DeepEqual(*read, want) {
		t.Fatalf("%q is read as %+v, the JSON library reads %+v", kept, *read, want)
	}
	copy(raw, kept)
}

// FuzzPlainBody: what is read as a plain body, the JSON library accepts too and finds the same in it.
func FuzzPlainBody(f *testing.F) {
	for _, name := range []string{"acme-da-x509-enriching", "acme-da-x509-authorizing", "jwk-x509-enriching", "jwk-sshuser-enriching"} {
		f.Add(recordedBody(f, name))
	}
	for _, body := range []string{
		`{"timestamp":null,"provisionerName":"a","x":{"a":[0,-12,{"b":"c"}],"d":true}}`,
		`{"timestamp":"2026-11-22T02:02:20Z","attestationData":{"permanentIdentifier":"A"},"x509CertificateRequest":{"raw":"QQ==","sans":[],"extensions":null}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkPlainBody(t, slices.Clone(raw)) })
}

// Nothing that was decoded depends on the buffer, which the next request overwrites, also what the library reads.
func TestDecodedBodyOutlivesItsBuffer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"acme-da-x509-enriching", "acme-da-x509-authorizing", "jwk-x509-authorizing"} {
		body := recordedBody(t, name)
		var when struct {
			Timestamp time.Time `json:"timestamp"`
		}
		if err := json.Unmarshal(body, &when); err != nil {
			t.Fatal(err)
		}
		want, p := decode(Signed{raw: body}, when.Timestamp, time.Second, false)
		if p != nil {
			t.Fatal(p)
		}
		buffer := slices.Clone(body)
		got, p := decode(Signed{raw: buffer}, when.Timestamp, time.Second, false)
		if p != nil {
			t.Fatal(p)
		}
		clear(buffer)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
