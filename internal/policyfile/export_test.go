package policyfile

// What tests need of this package.
var (
	Uses        = uses
	DoorCallers = doorCallers
)
