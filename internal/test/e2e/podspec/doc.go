// Package podspec runs the pods of docs/kubernetes with Docker: see the target test-pod of the Makefile.
package podspec
