// Package e2e proves the connector against a real step-ca.
//
// Its tests run the connector's binary and step-ca as separate processes on the
// loopback interface, and place ACME device-attest-01 orders as a simulated Apple
// device does. It is a module of its own, because step-ca and step come as its
// tools and the product must not depend on them. It imports nothing of the
// product: what it proves, it proves from outside.
package e2e
