package posture

import (
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// nearMiss says that one of the device's groups looks like the required one and is another: names are
// compared byte for byte, and the difference is easily overlooked. It is empty when no group looks like it.
func nearMiss(required string, groups []string) string {
	spaces := func(name string) string { return strings.Join(strings.Fields(name), " ") }
	differences := []struct {
		what string
		fold func(string) string
		verb string // formats both names, so that the difference is visible
	}{
		{"only in case", strings.ToLower, "%q"},
		{"only in spaces", spaces, "%+q"},
		{"only in how letters are composed of characters", norm.NFC.String, "%+q"},
		{"only in case, spaces or how letters are composed", func(name string) string { return spaces(strings.ToLower(norm.NFKC.String(name))) }, "%+q"},
	}
	for _, d := range differences {
		for _, group := range groups {
			if d.fold(group) == d.fold(required) {
				return fmt.Sprintf("; the device is in the group "+d.verb+", which differs from "+d.verb+" %s: group names are compared byte for byte", group, required, d.what)
			}
		}
	}
	return ""
}
