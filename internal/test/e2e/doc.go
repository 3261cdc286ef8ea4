// Package e2e tests the connector with a real step-ca.
//
// Its tests run the connector's binary and step-ca as separate processes on the
// loopback interface, and place ACME device-attest-01 orders as a simulated Apple
// device does. It is a module of its own, because step-ca and step are its tools, and
// the product must not depend on them. It imports no package of the product, and the
// versions of step-ca's dependencies stay as step-ca pins them.
package e2e
