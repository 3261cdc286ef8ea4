package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/radius"
)

// openWiFi starts the connector with a door for RADIUS servers, and FreeRADIUS.
func openWiFi(ctx context.Context, s *setup) error {
	err := openSite(ctx, s, wifiDoor)
	if err != nil {
		return err
	}
	if s.shown.radius, err = s.shown.site.RADIUS(ctx, nil); err != nil {
		return fmt.Errorf("%w; it needs Debian's packages %s", err, wifiPackages)
	}
	return nil
}

// join is a Mac that joins the Wi-Fi: eapol_test is the Mac and the access point in one program.
func (s *setup) join(ctx context.Context, mac doors.Credential) (radius.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return s.shown.radius.Login(ctx, radius.Login{Device: mac, SSID: "corp"})
}

// joined shows that Macs get in, each into the network of its group.
func joined(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "2. They join the Wi-Fi with their certificates (EAP-TLS). FreeRADIUS runs with %s, and asks the connector:\n", fileOf("freeradius", "radiusd.conf"))
	for _, mac := range []struct {
		name, group, vlan string
		credential        doors.Credential
	}{{"Ada's Mac", "Design", "42", s.shown.ada}, {"Bo's Mac", "Sales", "43", s.shown.bo}} {
		result, err := s.join(ctx, mac.credential)
		if err != nil {
			return err
		}
		vlan := strings.Join(result.Attributes[radius.VLAN], " ")
		if !result.Accepted || vlan != mac.vlan {
			return fmt.Errorf("%s did not get into VLAN %s: accepted %t, VLAN %q\n%s", mac.name, mac.vlan, result.Accepted, vlan, s.gate.Connector().Log())
		}
		fmt.Fprintf(out, "   => ACCEPTED: %s, of the group %s: VLAN %s. It has to show its certificate again after %s s (Session-Timeout).\n",
			mac.name, mac.group, vlan, strings.Join(result.Attributes[radius.SessionTimeout], " "))
	}
	return nil
}

// turnedAway shows that a Mac that has fallen behind is refused when it connects again, and is told why.
func turnedAway(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "3. The inventory now says that Ada's Mac has macOS %s. Its certificate is still good, and it connects again:\n", staleVersion)
	if err := s.fallBehind(ctx, out); err != nil {
		return err
	}
	result, err := s.join(ctx, s.shown.ada)
	if err != nil {
		return err
	}
	message := strings.Join(result.Attributes[radius.ReplyMessage], " ")
	if result.Accepted || !strings.Contains(message, "Install the macOS update") {
		return fmt.Errorf("the Mac that has fallen behind was not refused with the message of the rule: accepted %t, %q", result.Accepted, message)
	}
	line, err := s.awaitLog(ctx, "[DENY]", adaSerial, "updateRequired")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   => REJECTED. The access point is told (Reply-Message):\n     %s\n", message)
	fmt.Fprintf(out, "     The connector logs the reason, with the same reference:\n     %s\n", line)
	return nil
}
