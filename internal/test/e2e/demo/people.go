package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"step-posture-connector/internal/test/e2e/idp"
	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/person"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The people of the page: Ada is in the group that the rule asks for, and Bob is not.
const (
	ada           = "ada@example.com"
	bob           = "bob@example.com"
	adaLogin      = "ada"
	adaDepartment = "Research"
	groupRule     = "database"
	groupCode     = "notInGroup"
	peopleFile    = "people.csv"
	// adaGroups are Ada's in the page's inventory, and remainingGroups what is left without the rule's.
	adaGroups       = ada + ",ada,Research,staff;database\n"
	remainingGroups = ada + ",ada,Research,staff\n"
	// logLevel has a line for each request.
	logLevel = 2
)

// company is what the steps with people need beside the CA and the connector.
type company struct {
	page   page
	idp    *idp.Provider
	person *person.Person
}

// openPeople starts an identity provider and a connector, and sets up the CA with the commands of the page.
func openPeople(ctx context.Context, s *setup) error {
	var err error
	if s.people.page, err = readPage(s.programs.Repository()); err != nil {
		return err
	}
	if err := s.startIDP(ctx); err != nil {
		return err
	}
	terminal, err := s.mkdir("terminal")
	if err != nil {
		return err
	}
	s.people.person = person.New(s.ca, s.programs.Step(), terminal)
	dir, err := s.mkdir("connector")
	if err != nil {
		return err
	}
	s.guard, err = people.Open(ctx, s.ca, people.Config{
		Binary: s.programs.Connector(), Dir: dir, Files: s.people.page.files, Policies: s.people.page.policies, LoggingLevel: logLevel,
		Commands: func(address string) string { return s.people.page.commandsFor(s.people.idp.Issuer(), address) },
	})
	return err
}

// startIDP starts the identity provider, with a certificate of the CA.
func (s *setup) startIDP(ctx context.Context) error {
	dir, err := s.mkdir("idp")
	if err != nil {
		return err
	}
	certPath, keyPath, err := s.ca.IssueServer(ctx, dir, stepca.EC)
	if err != nil {
		return err
	}
	s.people.idp, err = idp.Start(ctx, certPath, keyPath)
	return err
}

// member shows that a person in the group gets both certificates, with data of the inventory.
func member(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "1. Ada wants certificates for 24 hours. The inventory of the connector, %s, has a row for each person:\n", peopleFile)
	indent(out, s.people.page.files[peopleFile])
	fmt.Fprintf(out, "   Of the rules in %s, this one asks for a group:\n", policyFile)
	indent(out, s.people.page.rule)
	fmt.Fprintf(out, "   Ada logs in at the identity provider, and step shows its token to step-ca. (The browser that step opens for the login is\n"+
		"   left out here: the demo fetches each token itself, and adds --token.) First X.509, for databases behind a TLS proxy:\n")
	if err := s.issueX509(ctx, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "   She logs in again, for SSH:\n")
	if err := s.issueSSH(ctx, out); err != nil {
		return err
	}
	if _, err := s.awaitLog(ctx, "[ALLOW]", ada); err != nil {
		return err
	}
	fmt.Fprintf(out, "     The department is neither in the token nor in the request: the connector took it from the inventory.\n")
	return nil
}

// outsider shows that a person outside of the group gets no certificate, and is told what to do.
func outsider(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "2. Bob asks for the same. His login is as good as Ada's, but he is not in the group %s:\n", groupRule)
	return s.refuse(ctx, out, bob)
}

// removed shows that the next request of a person who has left the group is refused, without a restart.
func removed(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "3. The administrator takes Ada out of the group, in %s. The connector reloads the file:\n", peopleFile)
	before := s.people.page.files[peopleFile]
	if strings.Count(before, adaGroups) != 1 {
		return fmt.Errorf("%s has not exactly one row %q", peopleFile, adaGroups)
	}
	if err := s.guard.Write(peopleFile, strings.Replace(before, adaGroups, remainingGroups, 1)); err != nil {
		return err
	}
	line, err := s.awaitLog(ctx, "reloaded: ", peopleFile)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "     %s     %s\n", remainingGroups, line)
	fmt.Fprintf(out, "   Ada asks again:\n")
	if err := s.refuse(ctx, out, ada); err != nil {
		return err
	}
	fmt.Fprintf(out, "   The certificates that she has end within 24 hours. She tries to renew one, which asks no webhook:\n")
	return s.refuseRenewal(ctx, out)
}

// login is the token that the identity provider gives to a person.
func (s *setup) login(who string) (string, error) {
	return s.people.idp.Token(idp.Claims{Subject: who, Email: who, EmailVerified: true})
}

// refuse wants that a person gets neither certificate, and the message of the rule.
func (s *setup) refuse(ctx context.Context, out io.Writer, who string) error {
	x509Answer, err := s.refusal(ctx, who, false)
	if err != nil {
		return err
	}
	sshAnswer, err := s.refusal(ctx, who, true)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(x509Answer, "(ref ")
	reference, _, found := strings.Cut(rest, ")")
	if !found {
		return fmt.Errorf("%s got no reference: %s", who, x509Answer)
	}
	line, err := s.awaitLog(ctx, "[DENY]", groupCode, who, "reference="+reference)
	if err != nil {
		return err
	}
	showCommand(out, x509Command, who)
	fmt.Fprintf(out, "   => DENIED, with the message of the rule:\n")
	fmt.Fprintf(out, "     %s\n", x509Answer)
	showCommand(out, sshCommand, who)
	fmt.Fprintf(out, "   => DENIED too:\n")
	fmt.Fprintf(out, "     %s\n", sshAnswer)
	fmt.Fprintf(out, "   The connector logs the reason of each; this is the first, with the same reference:\n     %s\n", line)
	return nil
}

// refusal asks for a certificate that must be refused, and returns what the client prints of it.
func (s *setup) refusal(ctx context.Context, who string, ssh bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	token, err := s.login(who)
	if err != nil {
		return "", err
	}
	issued, status, printed := false, 0, ""
	if ssh {
		certificate, result, failed := s.people.person.SSHCertificate(ctx, who, token)
		issued, status, printed, err = certificate != nil, result.Status, result.Stderr, failed
	} else {
		certificate, result, failed := s.people.person.Certificate(ctx, who, token)
		issued, status, printed, err = certificate != nil, result.Status, result.Stderr, failed
	}
	switch {
	case err != nil:
		return "", err
	case issued || status == 0:
		return "", errors.New(who + " must be refused, and got a certificate")
	}
	answer := lineWith(printed, forbidden)
	if !s.people.page.saysRule(answer) {
		return "", fmt.Errorf("%s did not get the message of the rule, but:\n%s\nThe connector printed:\n%s", who, printed, s.guard.Log())
	}
	return answer, nil
}
