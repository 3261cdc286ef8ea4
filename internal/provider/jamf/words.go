package jamf

import (
	"strings"

	"step-posture-connector/internal/posture"
)

// ownerOf is who owns a mobile device. Account-Driven Device Enrollment is not listed: with it users enroll devices of the
// organization as well as their own.
func ownerOf(word string) posture.Fact[string] {
	switch word {
	case "Institutional":
		return posture.Known("organization")
	case "Personal", "PersonalDeviceProfile", "UserEnrollment", "AccountDrivenUserEnrollment":
		return posture.Known("personal")
	}
	return posture.Fact[string]{}
}

// mobileSystem is the operating system of a mobile device. Jamf calls iPadOS iOS, so the model decides.
func mobileSystem(word, model string, version posture.Fact[posture.Version]) posture.Fact[string] {
	if word != "iOS" {
		return posture.Word(word, posture.OperatingSystems())
	}
	switch {
	case strings.HasPrefix(model, "iPhone"), strings.HasPrefix(model, "iPod"):
		return posture.Known("iOS")
	case strings.HasPrefix(model, "iPad"):
		first, err := posture.ParseVersion("13") // an iPad had iOS before
		if v, known := version.Get(); known && err == nil && !v.AtLeast(first) {
			return posture.Known("iOS")
		}
		return posture.Known("iPadOS")
	}
	// Fail closed: a rule about iPads must not take one for something else.
	return posture.Fact[string]{}
}

// volume is whether FileVault has encrypted the partition that a Mac starts from. A partition that is being encrypted is
// not yet, one that is being decrypted not any more. All other words are unknown, such as SOME_ENCRYPTED, which does not say
// whether the partition to start from is among them.
func volume(word string) posture.Fact[bool] {
	switch strings.ToUpper(strings.ReplaceAll(word, " ", "_")) {
	case "ENCRYPTED", "BOOT_ENCRYPTED", "ALL_ENCRYPTED":
		return posture.Known(true)
	case "UNENCRYPTED", "NOT_ENCRYPTED", "DECRYPTED", "DECRYPTING", "DECRYPTING_PAUSED", "ENCRYPTING", "ENCRYPTING_PAUSED":
		return posture.Known(false)
	}
	return posture.Fact[bool]{}
}

// agreed is what all those say that say something; unknown where they contradict each other.
func agreed(facts ...posture.Fact[bool]) (all posture.Fact[bool]) {
	for _, f := range facts {
		value, known := f.Get()
		if before, said := all.Get(); known && said && before != value {
			return posture.Fact[bool]{}
		}
		if known {
			all = f
		}
	}
	return all
}
