package upgrade_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/test/program"
)

// fleet is a Jamf Pro server with a device of every kind that matters.
func fleet() jamftest.Options {
	ada := jamftest.User{Username: "ada", RealName: "Ada Lovelace", Email: "ada@example.com", Position: "Engineer", Department: "Research & Development"}
	grace := jamftest.User{Username: "grace", RealName: "Grace Höpper", Email: "grace@example.com", Position: "Rear Admiral", Department: "Navy"}
	device := func(computer bool, serial string, user jamftest.User, groups ...string) jamftest.Device {
		d := jamftest.Device{Computer: computer, Serial: serial, UDID: "00008110-" + serial, Name: user.Username + "’s " + serial, Managed: new(true), User: user}
		for _, group := range groups {
			d.Groups = append(d.Groups, jamftest.Group{Name: group, Smart: true})
		}
		return d
	}
	unmanaged := device(true, "C02UNMANAGED", ada, "Compliant Macs")
	unmanaged.Managed = new(false)
	released := device(false, "DMPUNMANAGED", grace, "Compliant iPads")
	released.Managed = new(false)
	return jamftest.Options{Devices: []jamftest.Device{
		device(true, "C02XK1JKLVCG", ada, "All Managed Clients", "Compliant Macs", "Zürich"),
		device(true, "C02NOUSER001", jamftest.User{}, "Compliant Macs"),
		device(true, "C02NOGROUPS1", ada),
		device(true, "C02OTHERCASE", ada, "compliant macs"),
		unmanaged,
		device(true, "C02TWICE0001", ada, "Compliant Macs"), device(true, "C02TWICE0001", grace, "Compliant Macs"),
		device(false, "DMPVLX9QHG5D", grace, "All Managed iPads", "Compliant iPads"),
		device(false, "DMPNOUSER001", jamftest.User{}, "Compliant iPads"),
		device(false, "DMPNOGROUPS1", grace, "Compliant Macs"),
		released,
	}}
}

// jamfOrders are about those of these devices that one of the programs refuses.
func jamfOrders() []order {
	return []order{
		{identifier: "C02NOGROUPS1", query: "?mode=computer", now: "deviceNotInGroup"},
		{identifier: "C02OTHERCASE", query: "?mode=computer", now: "deviceNotInGroup"},
		{identifier: "DMPNOGROUPS1", query: "?mode=mobiledevice", now: "deviceNotInGroup"},
		{identifier: "C02UNMANAGED", query: "?mode=computer", now: "deviceNotManaged", differs: unmanaged},
		{identifier: "DMPUNMANAGED", query: "?mode=mobiledevice", now: "deviceNotManaged", differs: unmanaged},
		{identifier: "C02TWICE0001", query: "?mode=computer", now: "deviceAmbiguous", differs: twice},
		{identifier: "C02XK1JKLVCG", query: "?mode=mobiledevice", now: "deviceNotFound"},
		{identifier: "C02XK1JKLVCG", now: "deviceNotFound"},
		{identifier: "DMPVLX9QHG5D", query: "?mode=computer", now: "deviceNotFound"},
		{identifier: "C02XK1JKLVCG", query: "?type=computer", now: "allow", differs: typeQuery},
		{identifier: "C02XK1JKLVCG", query: "?mode=any", now: "allow", differs: bothKinds},
		{identifier: "DMPVLX9QHG5D", query: "?mode=any", now: "allow", differs: bothKinds},
		{identifier: "C02XK1JKLVCG", query: "?mode=Computer", now: "modeUnsupported"},
		{identifier: "C02UNKNOWN01", query: "?mode=computer", now: "deviceNotFound"},
		{identifier: "SHORT01", query: "?mode=computer", now: "identifierInvalid"},
		{identifier: "C02-XK1JKLVCG", query: "?mode=computer", now: "identifierInvalid"},
	}
}

func jamfTrials() []trial {
	computer, tablet := allowed("C02XK1JKLVCG").mode("computer"), allowed("DMPVLX9QHG5D").mode("mobiledevice")
	documented := []jamftest.Client{composeClient(jamftest.ReadComputers, jamftest.ReadMobileDevices)}
	return append([]trial{
		withJamf("no required group", []order{
			computer.differing(groupData), tablet.differing(groupData),
			allowed("C02NOGROUPS1").mode("computer").differing(groupData), allowed("DMPNOGROUPS1").differing(groupData),
		}, "JAMF_DEVICE_GROUP", "", "JAMF_COMPUTER_GROUP", ""),
		withJamf("no data", []order{
			computer.differing(noData), tablet.differing(noData), {identifier: "C02NOGROUPS1", query: "?mode=computer", now: "deviceNotInGroup"},
		}, "JAMF_DEVICE_ENRICH", "0", "JAMF_COMPUTER_ENRICH", ""),
		withJamf("data of mobile devices", []order{computer.differing(oneKind), tablet}, "JAMF_COMPUTER_ENRICH", "0"),
		withJamf("data of computers", []order{computer.differing(oneKind), tablet.differing(noData)}, "JAMF_DEVICE_ENRICH", "0"),
		withJamf("the documented privileges", []order{computer.differing(department), tablet}).clients(documented...).
			warning("lacks the privilege Read Departments"),
		withJamf("the documented privileges, JAMF_API=classic", []order{
			computer, tablet, {identifier: "C02TWICE0001", query: "?mode=computer", now: "allow"},
		}, "JAMF_API", "classic").clients(documented...),
		withJamf("JAMF_ALLOW_UNMANAGED=1", []order{
			computer, allowed("C02UNMANAGED").mode("computer"), allowed("DMPUNMANAGED").mode("mobiledevice"),
		}, "JAMF_ALLOW_UNMANAGED", "1"),
		withJamf("an old server", []order{computer, tablet}).version("10.49.0-t1"),
		withJamf("an outage", []order{
			computer, {
				name: "during an outage", identifier: "C02XK1JKLVCG", query: "?mode=computer", now: "unavailable", differs: failures,
				before: func(s *jamftest.Server) {
					s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusServiceUnavailable})
				},
			}, {name: "after it", identifier: "C02XK1JKLVCG", query: "?mode=computer", now: "allow", before: (*jamftest.Server).Heal},
		}),
		withJamf("a token that was revoked", []order{
			computer, {name: "afterwards", identifier: "C02XK1JKLVCG", query: "?mode=computer", now: "allow", differs: revoked, before: (*jamftest.Server).Revoke},
		}),
	}, jamfStarts(computer)...)
}

// jamfStarts are configurations of which one of the programs accepts not all.
func jamfStarts(computer order) []trial {
	at := func(url func(*testing.T, *jamftest.Server) string, tr trial) trial {
		tr.jamfURL = url
		return tr
	}
	short := composeClient(jamftest.ReadComputers, jamftest.ReadMobileDevices, jamftest.ReadDepartments)
	short.ID = "connector"
	return []trial{
		withJamf("a wrong secret", nil).clients(jamftest.Client{ID: short.ID, Secret: "another one"}).exiting("refused the credentials", ""),
		withJamf("an ID that is no UUID", []order{computer}, "JAMF_CLIENT_ID", short.ID).clients(short).exiting("", clientID),
		withJamf("TIMEOUT=0", []order{computer}, "TIMEOUT", "0").exiting("TIMEOUT", noTimeout),
		withJamf("TIMEOUT=100", []order{computer}, "TIMEOUT", "100").exiting("", longTimeout),
		withJamf("quotation marks", []order{{identifier: "DMPVLX9QHG5D", now: "allow"}}, "JAMF_DEVICE_GROUP", `"Compliant iPads"`).exiting("JAMF_DEVICE_GROUP", quotes),
		at(unencrypted, withJamf("plain HTTP", []order{computer}).exiting("JAMF_BASE_URL", plainHTTP)),
		at(func(t *testing.T, _ *jamftest.Server) string { t.Helper(); return "https://" + program.FreeAddress(t) },
			withJamf("no server", []order{{identifier: "C02XK1JKLVCG", query: "?mode=computer", now: "unavailable"}}).exiting("", jamfDown)),
	}
}

// unencrypted serves the Jamf Pro server over plain HTTP.
func unencrypted(t *testing.T, s *jamftest.Server) string {
	t.Helper()
	target, err := url.Parse(s.BaseURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12}}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL
}

// withJamf has the environment of the compose file, and pairs of name and value in place of some of it.
func withJamf(name string, orders []order, pairs ...string) trial {
	return trial{name: "Jamf: " + name, compose: true, jamf: fleet(), env: program.Environment{}.With(pairs...), orders: orders}
}

func (tr trial) clients(clients ...jamftest.Client) trial {
	tr.jamf.Clients = clients
	return tr
}

func (tr trial) version(version string) trial {
	tr.jamf.Version = version
	return tr
}

func (tr trial) warning(text string) trial {
	tr.warns = text
	return tr
}

func (tr trial) exiting(text, differs string) trial {
	tr.exits, tr.differs = text, differs
	return tr
}

func (o order) differing(row string) order {
	o.differs = row
	return o
}

// composeClient is the API client of the compose file.
func composeClient(privileges ...string) jamftest.Client {
	return jamftest.Client{ID: "4e9c2a51-6d0b-4b7a-9a7e-2f6a5f0c1d34", Secret: "a-throwaway-secret", ExpiresIn: 600, Privileges: privileges}
}
