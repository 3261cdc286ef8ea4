//go:build race

package file_test

// manyDevices is how many devices a large inventory has. The race detector finds in fewer what it would find in more; make
// test-unit runs the test of a million without it.
const manyDevices = million / 20
