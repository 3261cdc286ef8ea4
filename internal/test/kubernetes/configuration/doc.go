// Package configuration tests what the manifests tell the connector: the variables and files of each overlay of docs/kubernetes, with
// the components that may be added to it, are those that the program accepts and starts with.
package configuration
