package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The Macs of the demonstration of a rule: one that meets it, one that does not, and one about which the inventory does not
// say enough.
const (
	newSerial   = "C02DEMONEW01"
	oldSerial   = "C02DEMOOLD01"
	vagueSerial = "C02DEMOVAG01"

	factsInventory = "Identifier,department,email,device.os_version\n" +
		newSerial + ",Design,ada@example.com,15.4.1\n" +
		oldSerial + ",Design,bo@example.com,14.7\n" +
		vagueSerial + ",Sales,cy@example.com,\n"

	policyName  = "staff"
	ruleName    = "os"
	ruleCode    = "updateRequired"
	ruleMessage = "Install the macOS update in System Settings, and try again"
	policyFile  = "posture.yaml"
	auditLog    = "audit.jsonl"
)

// policyWith is the policy with its one rule.
func policyWith(enforce bool) string {
	return fmt.Sprintf(`policies:
  %s:
    inventories: [file]
    rules:
      - name: %s
        require: device.os_version.atLeast("15.4")
        enforce: %t
        code: %s
        message: %s
`, policyName, ruleName, enforce, ruleCode, ruleMessage)
}

// openPolicy puts a gate in front of the CA; its connector has a policy file with a rule that only reports, and records
// what each decision is made of.
func openPolicy(ctx context.Context, s *setup) error {
	return s.openGate(ctx, gate.Config{
		Provisioner:   stepca.Provisioner{Template: gate.Template},
		Modes:         []string{policyName},
		Policies:      policyWith(false),
		Inventory:     factsInventory,
		InventoryType: "csv",
		More:          []string{"AUDIT_LOG_PATH=" + auditLog, "AUDIT_FACTS=1"},
	})
}

// reportOnly shows that a rule that only reports refuses no device, and says which it would refuse.
func reportOnly(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "1. A new rule only reports (enforce: false). %s has:\n", policyFile)
	indent(out, policyWith(false))
	fmt.Fprintf(out, "   Three Macs of the inventory order certificates:\n")
	indent(out, factsInventory)
	for _, serial := range []string{newSerial, oldSerial, vagueSerial} {
		if _, err := s.certificate(ctx, serial); err != nil {
			return fmt.Errorf("%s got no certificate, although the rule only reports: %w\n%s", serial, err, s.gate.Connector().Log())
		}
		line, err := s.awaitLog(ctx, "[ALLOW]", serial)
		if err != nil {
			return err
		}
		reported := strings.Contains(line, "would-deny="+ruleName)
		if reported == (serial == newSerial) {
			return fmt.Errorf("the log says of %s\n%s", serial, line)
		}
		says := "nothing of the rule, because it is met"
		if reported {
			says = "would-deny=" + ruleName
		}
		fmt.Fprintf(out, "   => ISSUED: %s. The log says %s.\n", serial, says)
	}
	return nil
}

// enforced shows that the rule refuses after one word of the file has changed, without a restart, and what the device gets.
func enforced(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "2. The administrator changes one word, enforce: true. The connector reloads the file, and the old Mac orders again:\n")
	if err := s.gate.SetPolicies(policyWith(true)); err != nil {
		return err
	}
	line, err := s.awaitLog(ctx, "reloaded: policies")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "     %s\n", line)
	cert, err := s.certificate(ctx, oldSerial)
	if err == nil || !strings.Contains(err.Error(), ruleMessage) {
		return fmt.Errorf("the old Mac did not get the message of the rule: %w", err)
	}
	return s.expectRefusal(ctx, out, ruleCode, oldSerial, cert, err)
}

// replayed shows who else the rule would refuse, of all that have ordered before.
func replayed(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "3. Who else will be refused? The audit log has what the inventory said (AUDIT_FACTS=1), so it can be decided again:\n")
	args := []string{"policy", "replay", auditLog, "--policy-file", policyFile}
	fmt.Fprintf(out, "     $ step-posture-connector %s\n", strings.Join(args, " "))
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	result, err := s.gate.Run(ctx, nil, args...)
	if err != nil {
		return err
	}
	indent(out, result.Stdout)
	fmt.Fprintf(out, "     (exit code %d)\n", result.Status)
	if result.Status != 2 || !strings.Contains(result.Stdout, vagueSerial) || !strings.Contains(result.Stdout, oldSerial) {
		return fmt.Errorf("the replay does not name the two Macs\n%s", result.Stderr)
	}
	if strings.Contains(result.Stdout, newSerial) {
		return errors.New("the replay names a Mac that meets the rule")
	}
	fmt.Fprintf(out, "   => FOUND: %s would be refused too: the inventory does not know its version.\n", vagueSerial)
	return nil
}

// indent prints a text with spaces before each line.
func indent(out io.Writer, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(out, "     %s", line)
	}
}
