package posture

import "time"

// TokenRequirement is what a policy requires of the enrolment token of an order.
type TokenRequirement struct {
	// Policy is the name that tokens are issued for.
	Policy string
	// In is the attribute of the CSR's subject that has the token, and UDIDIn the one with the client's UDID: dotted OIDs. With
	// an empty UDIDIn no UDID is read.
	In, UDIDIn string
	// Lifetime is what a token gets, and the most that it may get.
	Lifetime time.Duration
	// OtherNames lets a CSR of SCEP have names beside the identifier of its challenge. Rules decide about them.
	OtherNames bool
	// UnpairedUDID does not ask for the UDID of the record: the inventory is a list that pairs none with a serial number.
	UnpairedUDID bool
}
