//go:build !race

package webhook_test

// everyChange is how many changes of a recorded request are made for one that is tried.
const everyChange = 1
