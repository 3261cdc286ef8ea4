// Package soak runs two daemons under load for a long time, while their files change, their MDM fails and hostile
// clients call. It is the target soak of the Makefile; without SOAKTIME it takes some seconds. It needs Linux.
package soak
