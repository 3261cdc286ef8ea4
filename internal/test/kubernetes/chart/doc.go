// Package chart has the tests of the Helm chart that need no API server: what it refuses, and that it makes the same objects as the
// overlays of kustomize.
package chart
