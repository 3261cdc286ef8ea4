// Package doors has what tests of RADIUS and web servers need on both sides of such a server: the certificates of devices
// and servers, and a stub in place of the connector, which answers what a test wants it to answer.
package doors
