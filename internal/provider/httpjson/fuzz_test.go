package httpjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// FuzzAnswer changes recorded answers: one that has changed its form is never "not found", and never another device.
func FuzzAnswer(f *testing.F) {
	answers := []string{
		`{"devices":[{"sn":"C02","state":"issued","seen":"2026-01-01T00:00:00Z","tags":["a"],"owner":{"mail":"a@b"},"asset":1}],"more":false}`,
		`{"devices":[{"sn":"D03","state":"issued"},{"sn":"C02","state":"issued","os":"15.4"}],"more":false}`,
	}
	for i := range answers {
		for at := 0; at < len(answers[i]); at += 3 {
			f.Add(uint8(i), uint16(at), uint8(at%5), byte('0'+at%10))
		}
	}
	c := configured(f, assets)
	f.Fuzz(func(t *testing.T, which uint8, at uint16, how uint8, b byte) {
		body := []byte(answers[int(which)%len(answers)])
		begin := int(at) % len(body)
		switch how % 5 {
		case 0:
			body[begin] = b
		case 1:
			body = append(body[:begin], body[begin+1:]...)
		case 2:
			body = body[:begin]
		case 3:
			body = append(body[:begin], append([]byte{b}, body[begin:]...)...)
		case 4:
			end := min(begin+1+int(b)%16, len(body))
			body = append(body[:begin], body[end:]...)
		}
		d, step, err := sampled(t, c, 200, string(body), posture.AllFacts())
		switch {
		case err == nil && !strings.EqualFold(strings.TrimSpace(d.Identifier), "C02"):
			t.Errorf("%s is the device %q", body, d.Identifier)
		case errors.Is(err, posture.ErrNotFound) && !isWhole(body):
			t.Errorf("%s is not found at %s", body, step)
		}
	})
}

// isWhole reports whether an answer still has its form, says that it is whole, and has records of other devices only.
func isWhole(body []byte) bool {
	var answer struct {
		Devices *[]map[string]any `json:"devices"`
		More    *bool             `json:"more"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Devices == nil || answer.More == nil || *answer.More {
		return false
	}
	for _, d := range *answer.Devices {
		text, isText := d["sn"].(string)
		if !isText || text == "" || strings.EqualFold(strings.Trim(text, " "), "C02") {
			return false
		}
	}
	return true
}
