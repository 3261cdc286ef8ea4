package config

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Vocabulary lists the known variables, and what people write in their place by mistake.
type Vocabulary struct {
	// Known are the variables of the connector.
	Known []string
	// Meant has the variable that was probably meant, for some other names.
	Meant map[string]string
	// Prefixes are those of the providers' variables, such as JAMF_. A name that has one is meant for the connector.
	Prefixes []string
}

// Warnings returns what is accepted but probably not meant: lines of the env file, unknown variables, and secrets that
// other users can read.
func (e Environment) Warnings(v Vocabulary) []string {
	return slices.Concat(e.fileWarnings(v), e.renamed, e.unknown(v), e.readable(v))
}

func (e Environment) fileWarnings(v Vocabulary) []string {
	if e.file == nil {
		return nil
	}
	warnings := slices.Clone(e.file.warnings)
	for _, name := range v.Known {
		if value := e.file.variables()[name]; value != "" && e.process[name] != "" && e.process[name] != value {
			warnings = append(warnings, fmt.Sprintf("env file %s: line %d: %s is set in the environment too, to something else; the environment wins", e.file.path, e.line(name), name))
		}
	}
	return warnings
}

// unknown warns of every unknown variable in the env file, and of those in the environment whose names are close to one
// of ours. Only what is certainly a name is quoted.
func (e Environment) unknown(v Vocabulary) []string {
	names := slices.SortedFunc(maps.Keys(e.Variables), func(a, b string) int {
		return cmp.Or(cmp.Compare(e.line(a), e.line(b)), cmp.Compare(a, b))
	})
	var warnings []string
	for _, name := range names {
		if slices.Contains(v.Known, name) {
			continue
		}
		line := e.line(name)
		if line > 0 && e.file.refersTo(name) {
			continue
		}
		if warning := v.judge(name, e.Variables[name], line > 0); warning != "" {
			if line > 0 {
				warning = fmt.Sprintf("env file %s: line %d: %s", e.file.path, line, warning)
			}
			warnings = append(warnings, warning)
		}
	}
	return warnings
}

// refersTo reports whether a value of the file refers to a variable.
func (f *envFile) refersTo(name string) bool {
	return slices.ContainsFunc(f.statements, func(s statement) bool { return slices.Contains(s.uses, name) })
}

// judge says what is wrong with an unknown name; nothing if it is probably not meant for the connector.
func (v Vocabulary) judge(name, value string, inFile bool) string {
	const isNone = " is not a variable of the connector and is ignored"
	prefix := v.prefix(name)
	shown := "the name of a variable"
	switch {
	case inFile && !isName(name):
		shown = "the name"
	case isName(name):
		shown = name
	case prefix != "":
		shown = "a variable that begins with " + prefix
	}
	switch suggestion := v.suggest(name, inFile || prefix != ""); {
	case inFile && readByOthers(name):
		return strings.ToUpper(name) + " has no effect in an env file, because the program reads it from its environment; set it there"
	case !inFile && serviceLink(name, value):
		return ""
	case suggestion == strings.ToUpper(name):
		return shown + " is not in capital letters and is ignored; write " + suggestion
	case suggestion != "":
		return shown + isNone + "; did you mean " + suggestion + "?"
	case inFile, prefix != "":
		return shown + isNone
	default:
		return ""
	}
}

// prefix returns the prefix of a name that is meant for the connector, or nothing. Other programs have variables that
// begin with TLS_ or LOG_, so those are not among the prefixes.
func (v Vocabulary) prefix(name string) string {
	for _, prefix := range append([]string{"WEBHOOK_", "MTLS_", "AUDIT_", "POLICY_", "CONSOLE_"}, v.Prefixes...) {
		if strings.HasPrefix(name, prefix) {
			return prefix
		}
	}
	return ""
}

// readByOthers reports whether Go, a library or the program itself reads a variable, but from the environment only.
func readByOthers(name string) bool {
	return slices.Contains([]string{
		"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "GODEBUG", "GOGC", "GOMEMLIMIT",
		"GOMAXPROCS", "GOTRACEBACK", "TZ", "ZONEINFO", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", envFileVariable,
	}, strings.ToUpper(name))
}

// serviceLink reports whether Kubernetes, or Docker with --link, has set a variable, for a service whose name happens to
// begin like our variables.
func serviceLink(name, value string) bool {
	return regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`).MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && regexp.MustCompile(`^(tcp|udp|sctp)://`).MatchString(value)
}

// suggest returns the variable that was probably meant. Names in an env file, and those with one of our prefixes, are
// meant for the connector. Most others in the environment are not, so they must be very close to a known name.
func (v Vocabulary) suggest(name string, forUs bool) string {
	upper := strings.ToUpper(name)
	switch meant, has := v.Meant[upper]; {
	case slices.Contains(v.Known, upper) && (forUs || strings.Contains(name, "_")):
		return upper // in another case
	case has && (forUs || strings.Contains(name, "_")):
		return meant
	case forUs:
		return cmp.Or(v.nearest(upper, func(string) int { return 1 + len(upper)/5 }), v.part(upper))
	default:
		return v.nearest(name, leeway)
	}
}

// leeway is how many edits a name in the environment may need to become a known one: none for a short name, so that PORT
// is not suggested for SORT.
func leeway(known string) int {
	const short, long = 7, 12
	switch {
	case len(known) < short:
		return 0
	case len(known) < long:
		return 1
	default:
		return 2
	}
}

// nearest returns the known name with the fewest edits, if they are not too many.
func (v Vocabulary) nearest(name string, most func(known string) int) string {
	best, fewest := "", len(name)
	for _, known := range v.Known {
		if v.ofAnother(name, known) {
			continue
		}
		if edits := distance(name, known); edits <= most(known) && edits < fewest && !otherWord(name, known) {
			best, fewest = known, edits
		}
	}
	return best
}

// ofAnother reports whether both names have the prefix of a provider, and not the same: INTUNE_GROUP is not meant by IRU_GROUP.
func (v Vocabulary) ofAnother(name, known string) bool {
	of := func(name string) string {
		i := slices.IndexFunc(v.Prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if i < 0 {
			return ""
		}
		return v.Prefixes[i]
	}
	a, b := of(name), of(known)
	return a != "" && b != "" && a != b
}

// otherWord reports whether two names have the same beginning and then words with nothing in common, such as WEBHOOK_URL
// and WEBHOOK_IDS.
func otherWord(a, b string) bool {
	const least = 3 // letters; fewer are a typing error
	begin := 0
	for begin < min(len(a), len(b)) && a[begin] == b[begin] {
		begin++
	}
	a, b = a[begin:], b[begin:]
	return begin > 0 && min(len(a), len(b)) >= least && levenshtein.ComputeDistance(a, b) == max(len(a), len(b))
}

// distance counts the edits between two names; swapped letters count as one.
func distance(a, b string) int {
	edits := levenshtein.ComputeDistance(a, b)
	if edits == 2 && slices.Equal(slices.Sorted(slices.Values([]byte(a))), slices.Sorted(slices.Values([]byte(b)))) {
		return 1
	}
	return edits
}

// part returns the shortest known name that contains the given one, or the longest that it contains.
func (v Vocabulary) part(name string) string {
	const least = 4 // letters; fewer are part of too many names
	best := ""
	for _, known := range v.Known {
		if len(name) >= least && strings.Contains(known, name) && (best == "" || len(known) < len(best)) {
			best = known
		}
	}
	for _, known := range v.Known {
		if len(known) > least && strings.Contains(name, known) && (best == "" || len(known) > len(best)) {
			best = known
		}
	}
	return best
}
