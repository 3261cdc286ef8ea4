package policy

import "regexp"

// AcceptedVLAN says what CheckVLAN accepts.
const AcceptedVLAN = "a number from 1 to 4094, or a name: a letter, and then up to 31 letters, digits, _, . and -"

var aVLAN = regexp.MustCompile(`^(?:[1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4]|[A-Za-z][A-Za-z0-9_.-]{0,31})$`)

// CheckVLAN reports whether a text is the number of a VLAN, as IEEE 802.1Q has them, or a name that access points have for one.
// An empty text is none: a RADIUS server would take it, and put the device into its default network.
func CheckVLAN(text string) bool { return aVLAN.MatchString(text) }
