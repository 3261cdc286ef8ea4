package file_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestRepeatsAreComparedByValue: the same value in another notation is a repeat, which is harmless; another value is
// an error, because one of the two is wrong.
func TestRepeatsAreComparedByValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, first, second string
		same                bool
	}{
		{"identical", `{"a":1}`, `{"a":1}`, true},
		{"white space", `{"a":[1,2]}`, "{ \"a\" :\n[ 1 ,2 ] }", true},
		{"order of members", `{"a":1,"b":{"c":2,"d":3}}`, `{"b":{"d":3,"c":2},"a":1}`, true},
		{"order of a list", `{"a":[1,2]}`, `{"a":[2,1]}`, false},
		{"escapes", `{"\u0061":"\u00e9\/😀"}`, `{"a":"é/\ud83d\ude00"}`, true},
		{"composed and decomposed", `{"a":"é"}`, "{\"a\":\"e\u0301\"}", false},
		{"case of a string", `{"a":"x"}`, `{"a":"X"}`, false},
		{"case of a name", `{"a":1}`, `{"A":1}`, false},
		{"missing and null", `{}`, `null`, true},
		{"null member and no member", `{"a":null}`, `{}`, false},
		{"empty string and no member", `{"a":""}`, `{}`, false},
		{"string and number", `{"a":"1"}`, `{"a":1}`, false},
		{"number and true", `{"a":1}`, `{"a":true}`, false},
		{"empty object and empty list", `{"a":{}}`, `{"a":[]}`, false},
		{"zeros after the point", `{"a":1.10}`, `{"a":1.1000}`, true},
		{"exponent", `{"a":120}`, `{"a":1.2e+2}`, true},
		{"exponent, small", `{"a":0.012}`, `{"a":12E-3}`, true},
		{"exponent, large", `{"a":1e400}`, `{"a":10e399}`, true},
		{"exponent, tiny", `{"a":3e-20000}`, `{"a":0.3e-19999}`, true},
		{"zero", `{"a":0}`, `{"a":0.00e7}`, true},
		{"negative zero", `{"a":-0}`, `{"a":0}`, true},
		{"sign", `{"a":-1}`, `{"a":1}`, false},
		{"large whole numbers", `{"a":12345678901234567890}`, `{"a":12345678901234567891}`, false},
		{"beyond the precision of a float64", `{"a":9007199254740993}`, `{"a":9007199254740992}`, false},
		{"many digits after the point", `{"a":0.10000000000000000000000000000000000001}`, `{"a":0.1}`, false},
		{"beyond the range of a float64", `{"a":1e400}`, `{"a":1e401}`, false},
		{"below the range of a float64", `{"a":1e-400}`, `{"a":1e-401}`, false},
		{"exponent of nine digits", `{"a":1e700000000}`, `{"a":1e800000000}`, false},
		{"negative exponent of nine digits", `{"a":1e-700000000}`, `{"a":1e-700000001}`, false},
		{"exponent of twenty digits", `{"a":1e10000000000000000000}`, `{"a":1e10000000000000000001}`, false},
		{"exponent of twenty digits, same value", `{"a":1e10000000000000000000}`, `{"a":10e9999999999999999999}`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, data := range [][2]string{{test.first, test.second}, {test.second, test.first}} {
				content := fmt.Sprintf(`{"devices":[{"identifier":"C02","data":%s},{"identifier":"C02","data":%s}]}`, data[0], data[1])
				if !test.same {
					wantLines(t, "error of "+content, refused(t, "json", content),
						[]string{`inventory PATH: devices[1]: duplicate identifier "C02" with different data`})
					continue
				}
				p, warnings := loaded(t, "json", content)
				wantLines(t, "warnings of "+content, warnings, []string{"inventory PATH: devices[1]: exact repeat of a device (1 in the file)"})
				want := strings.NewReplacer("null", "{}").Replace(data[0])
				if test.name != "white space" {
					wantData(t, p, "C02", want)
				}
			}
		})
	}
}

// TestRepeatOfARepeat: the third entry with the same identifier is compared too.
func TestRepeatOfARepeat(t *testing.T) {
	t.Parallel()
	wantLines(t, "error", refused(t, "csv", "Identifier,a\nC02,1\nC02,1\nC02,2\nC02,1\n"),
		[]string{`inventory PATH: line 4: duplicate identifier "C02" with different data`})
}
