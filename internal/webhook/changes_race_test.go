//go:build race

package webhook_test

// everyChange is how many changes of a recorded request are made for one that is tried: the race detector needs no more, and
// takes ten times as long for each. make test-unit tries all without it.
const everyChange = 7
