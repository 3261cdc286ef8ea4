package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"step-posture-connector/internal/authority"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/filesys"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/server"
)

func unique(problems config.Problems) config.Problems {
	var kept config.Problems
	for _, p := range problems {
		if !slices.Contains(kept, p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// accepted says what is accepted in place of a file that was refused.
func accepted(wrong *authority.FileError) string {
	switch {
	case errors.Is(wrong, fs.ErrNotExist) && (wrong.Role == issuersRole || wrong.Role == deviceCRL):
		return "a file that exists; a relative path begins in " + config.PolicyFolder
	case errors.Is(wrong, fs.ErrNotExist):
		return "a file that exists; a relative path begins in " + config.StartFolder
	case errors.Is(wrong, fs.ErrPermission):
		return "a file that the user who runs the program may read"
	}
	return map[authority.Role]string{
		server.Certificate: "a certificate in PEM that is valid now, leaf first",
		server.PrivateKey:  "the private key in PEM of the certificate in TLS_CERT_PATH, without a password",
		server.ClientCA:    "the certificates in PEM of the CAs that client certificates chain to",
		issuersRole:        "the certificates in PEM of the CAs that have signed the certificates of devices: step-ca's intermediate",
		deviceCRL:          "revocation lists in PEM or DER of CAs in doors.issuers, with the certificates of their issuers where doors.issuers does not have them",
		server.Revocations: "revocation lists in PEM or DER of CAs in TLS_CA_PATH, with the certificates of their issuers where TLS_CA_PATH does not have them",
	}[wrong.Role]
}

func auditProblem(path config.Path, err error) config.Problem {
	return config.Problem{
		Variable: "AUDIT_LOG_PATH", Text: fmt.Sprintf("%s: %v", path, err),
		Accepted: "the path of a file that can be appended to, in a folder that exists",
	}
}

// auditElsewhere refuses an audit log in a file that another variable names, or in the env file: the first
// decision would damage an inventory or a key.
func auditElsewhere(path string, environ config.Environment) config.Problems {
	for _, name := range variables() {
		if name != "AUDIT_LOG_PATH" && sameFile(path, environ.Variables[name]) {
			return auditIs("the file of " + name)
		}
	}
	if sameFile(path, environ.File()) {
		return auditIs("the file of the configuration")
	}
	return nil
}

// auditInFiles refuses an audit log in a file that the policy file names, for the same reason.
func auditInFiles(path string, references policyfile.References) config.Problems {
	if path != "" && slices.ContainsFunc(slices.Concat(references.Secrets, references.Inventories, references.Doors), func(other string) bool { return sameFile(path, other) }) {
		return auditIs("a file that the policy file names")
	}
	return nil
}

// snapshotsInFiles refuses the file of a snapshot that a variable names too, or that is the env file: the snapshot would
// overwrite it.
func (s sources) snapshotsInFiles(references policyfile.References) (problems config.Problems) {
	for _, path := range references.Snapshots {
		is := ""
		for _, name := range variables() {
			if (strings.HasSuffix(name, "_PATH") || strings.HasSuffix(name, "_FILE")) && filesys.Same(path, s.environ.Variables[name]) {
				is = "the file of " + name
				break
			}
		}
		if is == "" && filesys.Same(path, s.environ.File()) {
			is = "the file of the configuration"
		}
		if is != "" {
			problems = append(problems, config.Problem{Text: fmt.Sprintf("snapshot: the path %s is also %s, which would be overwritten; accepted: a file of its own", path, is)})
		}
	}
	return problems
}

func auditIs(what string) config.Problems {
	return config.Problems{{Variable: "AUDIT_LOG_PATH", Text: "it is also " + what + "; decisions would be appended to it", Accepted: "a file of its own"}}
}

// sameFile reports whether both paths are of one regular file.
func sameFile(a, b string) bool {
	first, errFirst := os.Stat(a)
	second, errSecond := os.Stat(b)
	return errFirst == nil && errSecond == nil && first.Mode().IsRegular() && os.SameFile(first, second)
}

// ConfigError is a configuration that cannot be used. A variable that is not set may only have been misspelled, so the
// warnings about unknown names belong to it.
type ConfigError struct {
	Problems config.Problems
	Warnings []string
	cause    error
}

// Unwrap returns what the problems were made of, such as the faults of a policy file.
func (e *ConfigError) Unwrap() error { return e.cause }

// refuse adds to problems what may be their cause.
func refuse(problems config.Problems, warnings []string, environ config.Environment) *ConfigError {
	if hint := environ.Hint(); hint != "" && problems.Missing() {
		warnings = append(warnings, hint)
	}
	return &ConfigError{Problems: problems, Warnings: warnings}
}

// Error has a line for each problem, then one for each warning.
func (e *ConfigError) Error() string {
	lines := []string{e.Problems.Error()}
	for _, warning := range e.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	return strings.Join(lines, "\n")
}

// problemsOf turns an error into problems, each with the variable that it is about.
func problemsOf(err error) config.Problems {
	var problems config.Problems
	var inFile *authority.FileError
	var several interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &problems):
		return problems
	case errors.As(err, &several):
		for _, one := range several.Unwrap() {
			problems = append(problems, problemsOf(one)...)
		}
		return problems
	case errors.As(err, &inFile):
		return config.Problems{{Variable: inFile.Setting, Text: err.Error(), Accepted: accepted(inFile)}}
	default:
		return config.Problems{{Variable: "PROVIDER", Text: err.Error()}}
	}
}

// policyProblems are the faults of a policy file, each with its place.
func policyProblems(err error) config.Problems {
	var faults document.Faults
	switch {
	case err == nil:
		return nil
	case errors.As(err, &faults):
		return faultProblems(faults)
	default:
		return config.Problems{{Variable: "POLICY_PATH", Text: err.Error(), Accepted: "the path of a policy file that the connector's user may read"}}
	}
}

// faultProblems makes a problem of each fault, in one line: people see the underlined expression by way of Underlined.
func faultProblems(faults document.Faults) (problems config.Problems) {
	const most = 100
	for i, fault := range faults {
		if i == most {
			return append(problems, config.Problem{Text: fmt.Sprintf("and %d more", len(faults)-most)})
		}
		problems = append(problems, config.Problem{Text: fault.Error()})
	}
	return problems
}

// problemLines makes a problem of each line of an error, which says itself what it is about.
func problemLines(err error) (problems config.Problems) {
	for line := range strings.Lines(err.Error()) {
		problems = append(problems, config.Problem{Text: strings.TrimSuffix(line, "\n")})
	}
	return problems
}

// unusable is a generation that cannot be used: its problems, and the error of the policy file that some of them are of.
type unusable struct {
	config.Problems

	file error
}

// Unwrap returns both.
func (u *unusable) Unwrap() []error { return []error{u.Problems, u.file} }
