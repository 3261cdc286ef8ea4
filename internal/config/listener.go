package config

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// Listener is the address of a listener with its port, or off.
type Listener string

const (
	listenerOff = "off"
	portBits    = 16
)

// Off reports whether the listener is switched off.
func (l Listener) Off() bool { return l == listenerOff }

// clashes reports whether the listener would take a port of an address. An empty or unspecified host is
// every address of the machine.
func (l Listener) clashes(address Address, port Whole) bool {
	host, own, err := net.SplitHostPort(string(l))
	if err != nil || own != strconv.Itoa(int(port)) {
		return false
	}
	every := func(host string) bool {
		ip := net.ParseIP(host)
		return host == "" || ip != nil && ip.IsUnspecified()
	}
	return every(host) || every(string(address)) || strings.EqualFold(host, string(address))
}

// overlaps reports whether two listeners would take the same port of the same address.
func (l Listener) overlaps(other Listener) bool {
	host, port, err := net.SplitHostPort(string(other))
	if err != nil {
		return false // it is off
	}
	number, err := strconv.ParseUint(port, 10, portBits)
	return err == nil && l.clashes(Address(host), Whole(number))
}

// UnmarshalText accepts "off", and a host with a port from 1 to 65535. Without a host it stands for
// all addresses.
func (l *Listener) UnmarshalText(text []byte) error {
	if string(text) == listenerOff {
		*l = listenerOff
		return nil
	}
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return errors.New(quote(string(text)))
	}
	if number, err := strconv.ParseUint(port, 10, portBits); err != nil || number == 0 {
		return errors.New(quote(string(text)))
	}
	if address := Address(""); host != "" && address.UnmarshalText([]byte(host)) != nil {
		return errors.New(quote(string(text)))
	}
	*l = Listener(text)
	return nil
}
