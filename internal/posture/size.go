package posture

import (
	"fmt"
)

// checkSize refuses a record that has more than a policy was checked for: the cost of expressions is estimated with
// limits, and a certificate has little room.
func checkSize(d *Device) error {
	groups, _ := d.Facts.Groups.Get()
	if len(groups) > maxGroups {
		return fmt.Errorf("the inventory tells %d groups of one device, more than %d", len(groups), maxGroups)
	}
	for _, group := range groups {
		if err := checkText("the name of a group", group); err != nil {
			return err
		}
	}
	attributes, _ := d.Facts.Attributes.Get()
	for name, value := range attributes {
		if err := checkText("the name of an attribute", name); err != nil {
			return err
		}
		if err := checkText("an attribute", value); err != nil {
			return err
		}
	}
	// Zeros before its numbers make a version as long as one likes.
	if err := checkText("a version", d.Facts.OSVersion.value.text); err != nil {
		return err
	}
	for _, f := range [...]*Fact[string]{
		&d.Facts.SerialNumber, &d.Facts.UDID, &d.Facts.Name, &d.Facts.Model, &d.Facts.OS, &d.Facts.Ownership,
		&d.Facts.User.Username, &d.Facts.User.RealName, &d.Facts.User.EmailAddress, &d.Facts.User.Position, &d.Facts.User.Department,
	} {
		if err := checkText("a text", f.value); err != nil {
			return err
		}
	}
	return nil
}

func checkText(what, text string) error {
	if len(text) > maxText {
		return fmt.Errorf("the inventory tells %s of %d bytes, more than %d", what, len(text), maxText)
	}
	return nil
}
