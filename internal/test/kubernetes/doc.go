// Package kubernetes has the tests of docs/kubernetes: its manifests and its chart, applied to a real API server.
//
// It is a module of its own, because the API server and kubectl, which it pins and builds, need hundreds of others.
package kubernetes
