package devicecert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"
)

// recordedNames are names in DER, and what OpenSSL 3.0.19 made of them: openssl x509 -noout -subject -nameopt compat.
func recordedNames() [][2]string {
	return [][2]string{
		{"30153113301106035504030c0a4b3351375848324e3950", `/CN=K3Q7XH2N9P`},
		{"302e31123010060355040a0c09446f6f7273204c61623118301606035504030c0f446f6f727320446576696365204341", `/O=Doors Lab/CN=Doors Device CA`},
		{"302a3113301106035504030c0a4b3351375848324e3950311330110603550405130a4b3351375848324e3950", `/CN=K3Q7XH2N9P/serialNumber=K3Q7XH2N9P`},
		{"302e310a3008060355040a0c01413114300806035504030c01613008060355040b0c0162310a3008060355040a0c0163", `/O=A/CN=a+OU=b/O=c`},
		{"3011310f300d06035504030c06612f434e3d62", `/CN=a\/CN=b`},
		{"3011310f300d06035504030c06612b434e3d62", `/CN=a\+CN=b`},
		{"3019310b300906035504030c02615c310a3008060355040a0c0162", `/CN=a\/O=b`},
		{"30123110300e06035504030c07615c2f434e3d62", `/CN=a\\/CN=b`},
		{"30123110300e06035504030c074772c3bcc39f65", `/CN=Gr\xC3\xBC\xC3\x9Fe`},
		{"301d311b301906035504030c12612c623b6322643c653e6623673d687e2069", `/CN=a,b;c"d<e>f#g=h~ i`},
		{"3010310e300c06035504030c056100627f0a", `/CN=a\x00b\x7F\x0A`},
		{"300f310d300b06035504031404636166e9", `/CN=caf\xE9`},
		{"300f310d300b06035504031e04004b0033", `/CN=\x00K\x003`},
		{"30133111300f06035504031c080000004b00000033", `/CN=\x00\x00\x00K\x00\x00\x003`},
		{"300b3109300706035504030c00", `/CN=`},
		{"3000", ``},
		{"3018310a300806035504030c0161310a300806035504030c0162", `/CN=a/CN=b`},
		{"301e3110300e06092b06010401868d1f010c0178310a300806035504030c0161", `/1.3.6.1.4.1.99999.1=x/CN=a`},
		{"304a31173015060a0992268993f22c64011916076578616d706c6531133011060a0992268993f22c6401010c03616461311a301806092a864886f70d010901160b6140622e6578616d706c65", `/DC=example/UID=ada/emailAddress=a@b.example`},
		{"30820181310a300806035504040c0173310b3009060355040613024348310a300806035504070c016c310b300906035504080c027374310f300d06035504090c06737472656574310a3008060355040c0c0174310a3008060355040d0c0164310a3008060355040f0c0162310a300806035504110c0170310a300806035504290c016e310a3008060355042a0c0167310a3008060355042b0c0169310a3008060355042e130171310b300906035504410c027073310b300906035504610c026f69310b3009060355042c0c026771310b3009060355042d0c027835310d300b06035504480c04726f6c65310b300906035504100c027061310c300a06035504120c03706f62310c300a06035504140c0374656c310c300a06035504360c03646d643111300f06092a864886f70d0109020c02757331133011060b2b0601040182373c0201031302434831133011060b2b0601040182373c0201020c025a4831123010060b2b0601040182373c0201010c015a3111300f060a0992268993f22c64010316016d", `/SN=s/C=CH/L=l/ST=st/street=street/title=t/description=d/businessCategory=b/postalCode=p/name=n/GN=g/initials=i/dnQualifier=q/pseudonym=ps/organizationIdentifier=oi/generationQualifier=gq/x500UniqueIdentifier=x5/role=role/postalAddress=pa/postOfficeBox=pob/telephoneNumber=tel/dmdName=dmd/unstructuredName=us/jurisdictionC=CH/jurisdictionST=ZH/jurisdictionL=Z/mail=m`},
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for _, test := range recordedNames() {
		der, err := hex.DecodeString(test[0])
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := oneLine(der); !ok || got != test[1] {
			t.Errorf("oneLine(%s) = %q, %v, want %q", test[0], got, ok, test[1])
		}
		for cut := range der {
			if got, ok := oneLine(der[:cut]); ok {
				t.Errorf("the first %d bytes of %s are the name %q", cut, test[0], got)
			}
		}
		if got, ok := oneLine(append(der, 0)); ok {
			t.Errorf("%s with a byte behind it is the name %q", test[0], got)
		}
	}
}

// FuzzOneLine: where encoding/asn1 reads a name too, both see as many attributes, and the text is printable ASCII.
func FuzzOneLine(f *testing.F) {
	for _, test := range recordedNames() {
		der, err := hex.DecodeString(test[0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		text, ok := oneLine(der)
		if !ok {
			return
		}
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) || text != "" && text[0] != '/' {
			t.Errorf("the text is %q", text)
		}
		var name pkix.RDNSequence
		if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
			return
		}
		attributes := 0
		for _, set := range name {
			attributes += len(set)
		}
		if strings.Count(text, "=") < attributes {
			t.Errorf("the name has %d attributes, and the text is %q", attributes, text)
		}
	})
}
