package command

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/metrics"
)

func serveCommand(p *Process, load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon (the default without a command)",
		Long: "serve answers step-ca's webhooks on PORT until SIGTERM or SIGINT. Then it closes the listener,\n" +
			"finishes the requests in flight within 15 seconds, and exits 0; or 1 when it had to cut some off.\n" +
			"A second signal kills it at once.\n\n" +
			"It reloads the files of its certificate, the client CA and the inventory when they change;\n" +
			"SIGHUP reloads them now, and reopens the audit log. Health checks and metrics are on HEALTH_ADDRESS.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			process := daemon.Process{
				Build:   metrics.Build{Version: p.Version, Commit: p.Commit},
				Reloads: ignoreFatalSignals(),
			}
			d, err := load()
			if err != nil {
				return err
			}
			if err := d.Serve(c.Context(), c.ErrOrStderr(), process); err != nil {
				return &exit{code: ExitError} // Serve has logged why
			}
			return nil
		},
	}
}

func checkCommand(load loader) *cobra.Command {
	var (
		asJSON bool
		ca     caFlags
	)
	c := &cobra.Command{
		Use:   "check",
		Short: "Check configuration and provider, and print what was found",
		Long: "check loads and validates the whole configuration, opens the provider and contacts it once, and asks the state\n" +
			"database of STATE_URL, which it neither creates nor changes. It prints which group each kind of device must be a\n" +
			"member of, which data is returned, where the daemon listens and where the audit log goes. It opens no port, so it can run beside the daemon. Run it before each start with\n" +
			"a changed configuration.\n" +
			"With POLICY_PATH it also checks the policy file, runs its tests, and prints each policy with its inventories,\n" +
			"its rules, when they begin to refuse, whether unmanaged devices are allowed, and its webhooks.\n" +
			"With --ca-url it also asks step-ca for its provisioners, without credentials, and compares those that have one of\n" +
			"our webhooks with the configuration. It warns of what the connector is not asked about, such as renewals, and of\n" +
			"what each request would be refused for. A URL with an action that does not end in | urlquery is a problem.\n" +
			"Exit status: 0 no problem, maybe warnings; 1 a problem.",
		Example: "  step-posture-connector check\n" +
			"  step-posture-connector check --ca-url https://ca.example.com --ca-root root_ca.crt\n" +
			"  step-posture-connector check --json | jq .warnings",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			asked, err := ca.parse(c)
			if err != nil {
				return err
			}
			r, err := check(c, load, asked)
			var errWrite error
			if asJSON {
				errWrite = encode(c.OutOrStdout(), r)
				if err != nil {
					err = &exit{code: ExitError} // what is wrong is in the JSON
				}
			} else {
				errWrite = r.print(c.OutOrStdout())
			}
			if errWrite != nil {
				err = errors.Join(err, failed(errWrite))
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	ca.add(c)
	return c
}

// report is what check prints.
type report struct {
	OK       bool     `json:"ok"`
	Found    []string `json:"found"`
	Warnings []string `json:"warnings"`
	Problems []string `json:"problems"`
}

// check returns the report, and with a problem also the error for standard error. ca may be nil.
func check(c *cobra.Command, load loader, ca *daemon.CA) (report, error) {
	r := report{Found: []string{}, Warnings: []string{}, Problems: []string{}}
	d, err := load()
	if err != nil {
		r.add(err)
		return r, err
	}
	found, err := d.Check(c.Context())
	errState := d.CheckState(c.Context())
	r.Found = d.Describe() // also when the inventory does not answer: the configuration is known
	r.Warnings = append(r.Warnings, d.Warnings...)
	if err != nil && !d.StopsStart(err) {
		r.Warnings = append(r.Warnings, "the daemon starts anyway, and recovers by itself; until this is fixed, failed lookups are answered with 503, and no certificate is issued")
	}
	problems := []error{err, errState}
	if ca != nil {
		more, warnings, err := d.CheckCA(c.Context(), *ca)
		found, r.Warnings, problems = append(found, more...), append(r.Warnings, warnings...), append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		r.add(err)
		printed := []error{err}
		for _, warning := range r.Warnings { // one may name the cause
			printed = append(printed, errors.New("warning: "+warning))
		}
		return r, failed(errors.Join(printed...))
	}
	r.OK, r.Found = true, append(r.Found, found...)
	return r, nil
}

// add adds the problems and warnings of an error.
func (r *report) add(err error) {
	if refused := (*daemon.ConfigError)(nil); errors.As(err, &refused) {
		for _, problem := range refused.Problems {
			r.Problems = append(r.Problems, problem.Error())
		}
		r.Warnings = append(r.Warnings, refused.Warnings...)
		return
	}
	if unread := (*configError)(nil); errors.As(err, &unread) {
		err = unread.err // without the headline; each line is about one thing
	}
	for line := range strings.Lines(err.Error()) {
		r.Problems = append(r.Problems, strings.TrimSpace(line))
	}
}

// print writes the report for people. When something is wrong, the problems and the warnings go to standard error.
func (r report) print(out io.Writer) error {
	if r.OK {
		for _, warning := range r.Warnings {
			_, _ = fmt.Fprintln(out, "warning:", visible(warning))
		}
	}
	for _, line := range r.Found {
		_, _ = fmt.Fprintln(out, visible(line))
	}
	if !r.OK {
		return nil
	}
	outcome := "ok"
	switch n := len(r.Warnings); {
	case n == 1:
		outcome += ", with 1 warning"
	case n > 1:
		outcome += fmt.Sprintf(", with %d warnings", n)
	}
	_, err := fmt.Fprintln(out, outcome)
	return err
}
