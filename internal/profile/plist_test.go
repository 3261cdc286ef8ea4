package profile_test

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/micromdm/plist"
)

const (
	declaration = `version="1.0" encoding="UTF-8"`
	doctype     = `DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"`
)

// parse reads a property list as strictly as Apple's plutil, and compares what it has read with what another library reads.
func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	p := &parser{xml.NewDecoder(strings.NewReader(string(text)))}
	value, err := p.document()
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	dict, ok := value.(map[string]any)
	if !ok {
		t.Fatalf("the property list is a %T, not a dictionary", value)
	}
	var other map[string]any
	if err := plist.Unmarshal(text, &other); err != nil {
		t.Fatal(err)
	}
	if want := plain(other); !reflect.DeepEqual(plain(dict), want) {
		t.Fatalf("read as %v\nthe other library reads %v", dict, want)
	}
	return dict
}

// plain makes numbers of one type.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		made := map[string]any{}
		for k, v := range value {
			made[k] = plain(v)
		}
		return made
	case []any:
		made := []any{}
		for _, v := range value {
			made = append(made, plain(v))
		}
		return made
	case uint64, int64, int:
		return fmt.Sprint(value)
	default:
		return value
	}
}

type parser struct{ *xml.Decoder }

// next returns the next token that is no white space.
func (p *parser) next() (xml.Token, error) {
	for {
		token, err := p.Token()
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) == "" {
			continue
		}
		return xml.CopyToken(token), err
	}
}

func (p *parser) document() (any, error) {
	if token, _ := p.next(); !reflect.DeepEqual(token, xml.ProcInst{Target: "xml", Inst: []byte(declaration)}) {
		return nil, fmt.Errorf("begins with %v", token)
	}
	if token, _ := p.next(); !reflect.DeepEqual(token, xml.Directive(doctype)) {
		return nil, fmt.Errorf("has %s for a DOCTYPE", token)
	}
	token, err := p.next()
	if start, ok := token.(xml.StartElement); !ok || start.Name.Local != "plist" || len(start.Attr) != 1 ||
		start.Attr[0] != (xml.Attr{Name: xml.Name{Local: "version"}, Value: "1.0"}) {
		return nil, fmt.Errorf("has %v for a plist, %w", token, err)
	}
	token, err = p.next()
	if err != nil {
		return nil, err
	}
	value, err := p.value(token)
	if err != nil {
		return nil, err
	}
	if token, err = p.next(); err != nil || token != (xml.EndElement{Name: xml.Name{Local: "plist"}}) {
		return nil, fmt.Errorf("plist has more than one value: %v, %w", token, err)
	}
	if token, err = p.next(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("behind plist is %v", token)
	}
	return value, nil
}

func (p *parser) value(token xml.Token) (any, error) {
	start, ok := token.(xml.StartElement)
	if !ok || len(start.Attr) > 0 {
		return nil, fmt.Errorf("%v is no value", token)
	}
	switch start.Name.Local {
	case "dict":
		return p.dict()
	case "array":
		return p.array()
	}
	var text string
	if err := p.DecodeElement(&text, &start); err != nil {
		return nil, err
	}
	switch kind := start.Name.Local; kind {
	case "string":
		return text, nil
	case "integer":
		return strconv.ParseInt(text, 10, 64)
	case "data":
		return base64.StdEncoding.DecodeString(text)
	case "true", "false":
		if text != "" {
			return nil, fmt.Errorf("%s has the text %q", kind, text)
		}
		return kind == "true", nil
	default:
		return nil, fmt.Errorf("%s is no element that a profile of ours has", kind)
	}
}

func (p *parser) dict() (any, error) {
	dict := map[string]any{}
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok { // the decoder matches ends with their beginnings
			return dict, nil
		}
		var key string
		if start.Name.Local != "key" {
			return nil, fmt.Errorf("%s where a key belongs", start.Name.Local)
		}
		if err := p.DecodeElement(&key, &start); err != nil {
			return nil, err
		}
		if _, twice := dict[key]; twice || key == "" {
			return nil, fmt.Errorf("the key %q is there twice, or empty", key)
		}
		if token, err = p.next(); err != nil {
			return nil, err
		}
		if dict[key], err = p.value(token); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
}

func (p *parser) array() (any, error) {
	array := []any{}
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		if _, end := token.(xml.EndElement); end {
			return array, nil
		}
		value, err := p.value(token)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
}

// The check itself finds what plutil finds.
func TestCheckOfPropertyLists(t *testing.T) {
	t.Parallel()
	document := func(body string) string {
		return "<?xml " + declaration + "?>\n<!" + doctype + ">\n<plist version=\"1.0\">" + body + "</plist>\n"
	}
	for name, row := range map[string]struct {
		text string
		ok   bool
	}{
		"well-formed":         {document("<dict><key>A</key><string>x</string><key>B</key><data>AAA=</data></dict>"), true},
		"no DOCTYPE":          {"<?xml " + declaration + "?>\n<plist version=\"1.0\"><dict/></plist>", false},
		"another version":     {strings.Replace(document("<dict/>"), `plist version="1.0"`, `plist version="2.0"`, 1), false},
		"a key without value": {document("<dict><key>A</key></dict>"), false},
		"a value without key": {document("<dict><string>A</string></dict>"), false},
		"a key twice":         {document("<dict><key>A</key><true/><key>A</key><true/></dict>"), false},
		"no base64":           {document("<dict><key>A</key><data>A*</data></dict>"), false},
		"no number":           {document("<dict><key>A</key><integer>1.5</integer></dict>"), false},
		"a truth with text":   {document("<dict><key>A</key><true>yes</true></dict>"), false},
		"unknown element":     {document("<dict><key>A</key><text>x</text></dict>"), false},
		"two values":          {document("<dict/><dict/>"), false},
		"not closed":          {strings.TrimSuffix(document("<dict/>"), "</plist>\n"), false},
		"more behind it":      {document("<dict/>") + "<dict/>", false},
		"unescaped":           {document("<dict><key>A</key><string>a < b</string></dict>"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &parser{xml.NewDecoder(strings.NewReader(row.text))}
			if _, err := p.document(); (err == nil) != row.ok {
				t.Errorf("%v", err)
			}
		})
	}
}
