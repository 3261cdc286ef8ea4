package command

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/profile"
)

// profileCommand needs no configuration: the profile is about the CA and the MDM, not about the daemon.
func profileCommand() *cobra.Command {
	var (
		request profile.Request
		root    string
	)
	c := &cobra.Command{
		Use:   "profile --ca-url URL --provisioner NAME --mdm NAME",
		Short: "Print the configuration profile with which devices order their certificate",
		Long: "profile prints a .mobileconfig with an ACME payload for step-ca, in which the MDM replaces its variable by the\n" +
			"serial number, and with --root and --wifi-ssid the CA's root and a Wi-Fi network that uses the certificate.\n" +
			"The profile is on standard output; where to upload it, and what else to know, on standard error.\n" +
			"It asks no server and needs no configuration. The same flags print the same profile.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("wifi-ssid") && request.SSID == "" {
				return errors.New("--wifi-ssid: the name is empty; leave the flag out for a profile without Wi-Fi")
			}
			if c.Flags().Changed("root") {
				certificate, err := readRoot("root", root)
				if err != nil {
					return failed(err)
				}
				request.Root = certificate
			}
			made, err := profile.Make(request)
			if err != nil {
				return err // a wrong command line
			}
			if _, err := c.OutOrStdout().Write(made.Text); err != nil {
				return failed(err)
			}
			for _, note := range made.Notes {
				_, _ = fmt.Fprintln(c.ErrOrStderr(), visible(note))
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&request.CAURL, "ca-url", "", "the URL of step-ca: https://HOST or https://HOST:PORT")
	flags.StringVar(&request.Provisioner, "provisioner", "", "the name of the ACME provisioner")
	flags.StringVar(&request.MDM, "mdm", "", "who installs the profile: "+strings.Join(profile.Names(), ", "))
	flags.StringVar(&root, "root", "", "file with the CA's root in PEM, for the devices to trust")
	flags.StringVar(&request.SSID, "wifi-ssid", "", "a Wi-Fi network that the devices join with the certificate")
	flags.StringArrayVar(&request.Servers, "wifi-server", nil, "the name in the certificate of the network's RADIUS server; may be repeated")
	flags.StringVar(&request.Organization, "organization", "", "the organization that the device shows")
	flags.StringVar(&request.Identifier, "identifier", "", "the profile's identifier, a reverse domain name; by default made of CA and provisioner")
	flags.StringVar(&request.Variable, "variable", "", "what the MDM replaces by the serial number, if it is not what the documentation says of it")
	_ = c.RegisterFlagCompletionFunc("mdm", cobra.FixedCompletions(profile.Names(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// readRoot reads the root of the CA from the file that a flag names.
func readRoot(flag, path string) (*x509.Certificate, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRoot+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--%s: %w", flag, err)
	case len(text) > maxRoot:
		return nil, fmt.Errorf("--%s: %s has more than %d bytes; accepted: a PEM file with one certificate, the root of the CA", flag, path, maxRoot)
	}
	root, err := profile.ReadRoot(text, time.Now())
	if err != nil {
		return nil, fmt.Errorf("--%s: %s %w", flag, path, err)
	}
	return root, nil
}
