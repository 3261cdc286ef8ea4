package posture

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Version is the version of an operating system: one to four numbers, as Apple ("15.4.1"), Microsoft
// ("10.0.26100.4652") and Linux distributions ("24.04") write them. No semantic versioning: that has three parts.
// The zero Version is older than every other.
type Version struct {
	numbers [versionParts]uint32
	text    string
}

const (
	versionParts = 4
	versionBits  = 31 // each number is below 2³¹
)

var errVersion = errors.New("not a version: want one to four numbers below 2147483648, separated by dots, such as 15.4.1")

// ParseVersion reads one to four decimal numbers that dots separate. Everything else is an error, Apple's
// "13.4.1 (a)" too: what the letter means is not known. Its error does not repeat text.
func ParseVersion(text string) (Version, error) {
	v := Version{text: text}
	rest, more := text, true
	for i := 0; more; i++ {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		// ParseUint accepts no sign, no space and, with base 10, no underscore.
		number, err := strconv.ParseUint(part, 10, versionBits)
		if err != nil || i == versionParts {
			return Version{}, errVersion
		}
		v.numbers[i] = uint32(number)
	}
	return v, nil
}

// Compare returns a negative number if v is older than w, zero if they are equal, and else a positive one.
// Numbers are compared one by one; one that is missing is 0, so that 15.4 equals 15.4.0.
func (v Version) Compare(w Version) int {
	return slices.CompareFunc(v.numbers[:], w.numbers[:], cmp.Compare)
}

// AtLeast reports whether v is w or newer.
func (v Version) AtLeast(w Version) bool { return v.Compare(w) >= 0 }

// String returns the text that was parsed.
func (v Version) String() string { return v.text }
