//go:build linux && race

package daemon_test

// generationsCounted is how many versions of the policy file are loaded. The race detector makes each of them ten times as dear, and
// finds in fewer what it would find in more; make test-unit loads all of them without it.
const generationsCounted = 250
