package command

import (
	"crypto/x509"
	"errors"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
)

// caFlags are the flags of check about step-ca.
type caFlags struct{ url, root string }

func (f *caFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.url, "ca-url", "", "also check the provisioners of step-ca: https://HOST or https://HOST:PORT")
	c.Flags().StringVar(&f.root, "ca-root", "", "file with step-ca's root in PEM; by default the roots of this machine and of TLS_CA_PATH are trusted")
}

// parse returns the CA to check; nil if none is named.
func (f *caFlags) parse(c *cobra.Command) (*daemon.CA, error) {
	if !c.Flags().Changed("ca-url") {
		if c.Flags().Changed("ca-root") {
			return nil, errors.New("--ca-root: is for the check of step-ca; name it with --ca-url")
		}
		return nil, nil
	}
	var root *x509.Certificate
	if c.Flags().Changed("ca-root") {
		var err error
		if root, err = readRoot("ca-root", f.root); err != nil {
			return nil, failed(err)
		}
	}
	ca, err := daemon.ParseCA(f.url, root)
	if err != nil {
		return nil, err // a wrong command line
	}
	return &ca, nil
}
