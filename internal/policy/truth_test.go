package policy_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// value is one that a fact can have, and two texts of it that an expression may hold: itself, and another one.
func value(t *testing.T, d *posture.Definition, now time.Time) (value any, itself, other string) {
	t.Helper()
	switch d.Type {
	case posture.TextFact:
		if len(d.Words) > 1 {
			return d.Words[0], d.Words[0], d.Words[1]
		}
		return "vX1", "vX1", "other"
	case posture.BoolFact:
		return true, "", ""
	case posture.VersionFact:
		v, err := posture.ParseVersion("15.4.1")
		if err != nil {
			t.Fatal(err)
		}
		return v, "15.4.1", "15.4"
	case posture.TimeFact:
		return now.Add(-48 * time.Hour), "", ""
	case posture.ListFact:
		return []string{"vX1", "z"}, "vX1", "other"
	case posture.AttributesFact:
		return map[string]string{"a": "vX1", "empty": ""}, "vX1", "other"
	}
	t.Fatalf("%s has a type that this test does not know: add its operators here", d.Name)
	return nil, "", ""
}

// atoms are expressions about one fact that are met and unmet where it has the value of value, and unknown where it is
// unknown. P is the path, V and W are the two texts.
func atoms(t posture.FactType) (met, unmet []string) {
	switch t {
	case posture.TextFact, posture.AttributesFact:
		met = []string{
			`P == "V"`, `P != "W"`, `"V" == P`, `P in ["V", "W"]`, `"V" in [P]`, `P == P`, `P <= P`, `P >= P`, `P.startsWith("V")`, `P.endsWith("V")`,
			`P.matches("^V$")`, `matches(P, "^V$")`, `P.contains("V")`, `P.size() > 1`, `size(P) > 1`, `P + "x" == "Vx"`, `P.lowerAscii() == P.lowerAscii()`,
			`sameIdentifier(P, P)`, `[P, "V"].exists_one(x, x == "V") == false`, `{"k": P}["k"] == "V"`, `{P: 1}["V"] == 1`, `["V"].exists(x, x == P)`, `["V"].all(x, x == P)`,
			`["V", "W"].filter(x, x == P) == ["V"]`, `["W"].map(x, P) == ["V"]`, `string(P) == "V"`, `P.split("x")[0] == P`, `P.substring(0) == P`,
		}
		unmet = []string{
			`P != "V"`, `P == "W"`, `P in ["W"]`, `!(P in ["V"])`, `P < P`, `P > P`, `P.startsWith("zzz")`, `P.matches("^zzz$")`, `P.contains("zzz")`, `P.size() == 0`, `P == P + "x"`,
		}
	case posture.BoolFact:
		met = []string{
			`P`, `P == true`, `P != false`, `P in [true]`, `P ? true : false`, `!P ? false : true`, `P == P`, `P <= true`, `P >= true`, `P > false`, `[P] == [true]`, `[P].all(x, x)`,
			`string(P) == "true"`, `!!P`, `P || P`, `P && P`,
		}
		unmet = []string{`!P`, `P == false`, `P != true`, `P in [false]`, `P ? false : true`, `P < true`, `[P].exists(x, !x)`, `P != P`}
	case posture.VersionFact:
		met = []string{
			`P.atLeast("15.4")`, `P.atLeast("15.4.1.0")`, `P.below("15.4.2")`, `P.below("16")`, `P == P`, `string(P) == "V"`, `P.atLeast(string(P))`, `P in [P]`, `[P] == [P]`,
			`string(P).startsWith("15")`,
		}
		unmet = []string{`P.atLeast("15.4.2")`, `P.atLeast("16")`, `P.below("15.4.1")`, `P.below("15")`, `P != P`, `string(P) == "W"`, `!(P in [P])`}
	case posture.TimeFact:
		met = []string{
			`P > now - days(7)`, `P >= now - days(7)`, `P < now`, `P <= now`, `P != now`, `P == P`, `now - P < days(7)`, `now - P > days(1)`, `P + days(3) > now`, `P - days(1) < now`,
			`P > timestamp("2026-01-01T00:00:00Z")`, `P.getFullYear() == 2026`, `P.getHours("Europe/Berlin") < 24`, `P in [P]`, `string(P).size() > 0`, `[P].exists(x, x < now)`,
		}
		unmet = []string{`P > now - days(1)`, `P >= now - days(0)`, `P > now`, `P == now`, `P != P`, `now - P > days(7)`, `P + days(1) > now`, `P < timestamp("2020-01-01T00:00:00Z")`, `P.getFullYear() != 2026`}
	case posture.ListFact:
		met = []string{
			`"V" in P`, `P.exists(x, x == "V")`, `P.all(x, x != "W")`, `P.exists_one(x, x == "V")`, `P.filter(x, x == "V").size() == 1`, `P.map(x, x + "y")[0] == "Vy"`, `P == P`,
			`P == ["V", "z"]`, `P != []`, `P.size() == 2`, `size(P) > 0`, `P[0] == "V"`, `P + ["y"] != P`, `P.join(",").startsWith("V")`, `P.exists(x, x.startsWith("V"))`, `P.exists(x, x.matches("^V$"))`,
		}
		unmet = []string{
			`"W" in P`, `!("V" in P)`, `P.exists(x, x == "W")`, `P.all(x, x == "V")`, `P.exists_one(x, x != "W")`, `P == []`, `P.size() == 0`, `P != P`, `P[1] == "V"`, `P.filter(x, x == "V") == []`,
		}
	}
	return met, unmet
}

// The records of the table: deciding and full know everything, bare knows nothing, absent is not known, and down has failed.
func tableEvidence(t *testing.T) *posture.Evidence {
	t.Helper()
	e := question()
	full, bare := &posture.Device{}, &posture.Device{}
	for _, d := range posture.Vocabulary() {
		v, _, _ := value(t, d, e.Now)
		d.Put(full, v)
	}
	e.Deciding, e.Inventory = full, "jamf"
	e.Answers = []posture.Answer{
		{Inventory: "jamf", Record: full},
		{Inventory: "full", Record: full},
		{Inventory: "bare", Record: bare},
		{Inventory: "absent", Err: posture.ErrNotFound},
		{Inventory: "nothing"},
		{Inventory: "foreign", Err: posture.ErrIdentifier},
		{Inventory: "down", Err: errors.New("down")},
		{Inventory: "several", Err: posture.ErrAmbiguous},
	}
	return e
}

func tableScope(t *testing.T) *policy.Scope {
	t.Helper()
	return scope(t, "jamf", "full", "bare", "absent", "nothing", "foreign", "down", "several", "late")
}

// check compiles and evaluates an expression.
func check(t *testing.T, s *policy.Scope, e *posture.Evidence, text string, want posture.Result) {
	t.Helper()
	c, faults := s.CompileCondition(text)
	if faults != nil {
		t.Errorf("%s: %v", text, faults)
		return
	}
	if got, err := c.Evaluate(e); got != want {
		t.Errorf("%s: %v (%v), want %v", text, got, err, want)
	} else if (err != nil) != (want == posture.Unknown) {
		t.Errorf("%s: %v, and its error is %v", text, got, err)
	}
}

var placeholder = regexp.MustCompile(`\b([PVW])([xy]?)\b`)

// fill makes an expression of a template of atoms.
func fill(template, path, itself, other string) string {
	of := map[byte]string{'P': path, 'V': itself, 'W': other}
	return placeholder.ReplaceAllStringFunc(template, func(name string) string { return of[name[0]] + name[1:] })
}

func pathOf(d *posture.Definition, record string) string {
	path := d.Name
	if record != "" {
		path = "records." + record + "." + path
	}
	if d.Type == posture.AttributesFact {
		path += `["a"]`
	}
	return path
}

// Every operator over every fact of the vocabulary, of every record: met and unmet where the fact is known, unknown
// otherwise, whether negated or not.
func TestEveryFactAndOperator(t *testing.T) {
	t.Parallel()
	s, e := tableScope(t), tableEvidence(t)
	for _, d := range posture.Vocabulary() {
		_, itself, other := value(t, d, e.Now)
		met, unmet := atoms(d.Type)
		if len(met) == 0 || len(unmet) == 0 {
			t.Fatalf("%s: no expressions", d.Name)
		}
		fill := func(template, record string) string { return fill(template, pathOf(d, record), itself, other) }
		for _, record := range []string{"", "full"} {
			for _, m := range met {
				check(t, s, e, fill(m, record), posture.Met)
				check(t, s, e, "!("+fill(m, record)+")", posture.Unmet)
			}
			for _, u := range unmet {
				check(t, s, e, fill(u, record), posture.Unmet)
				check(t, s, e, "!("+fill(u, record)+")", posture.Met)
			}
			check(t, s, e, "has("+pathOf(d, record)+")", posture.Met)
		}
		for _, record := range []string{"bare", "absent", "nothing", "foreign", "down", "several", "late"} {
			for _, a := range slices.Concat(met, unmet) {
				check(t, s, e, fill(a, record), posture.Unknown)
				check(t, s, e, "!("+fill(a, record)+")", posture.Unknown)
			}
			has := posture.Unmet
			if slices.Contains([]string{"down", "several", "late"}, record) {
				has = posture.Unknown
			}
			check(t, s, e, "has("+pathOf(d, record)+")", has)
		}
	}
	check(t, s, e, `has(device.attributes["empty"])`, posture.Unmet)
	check(t, s, e, `device.attributes["empty"] == ""`, posture.Unknown)
}

// The connectives over met, unmet and unknown of every fact: one side settles || and &&, otherwise unknown wins.
func TestConnectives(t *testing.T) {
	t.Parallel()
	s, e := tableScope(t), tableEvidence(t)
	and := func(a, b posture.Result) posture.Result { return not(or(not(a), not(b))) }
	strict := func(of func(a, b bool) bool) func(a, b posture.Result) posture.Result {
		return func(a, b posture.Result) posture.Result {
			if a == posture.Unknown || b == posture.Unknown {
				return posture.Unknown
			}
			return truth(of(a == posture.Met, b == posture.Met))
		}
	}
	for _, d := range posture.Vocabulary() {
		_, itself, other := value(t, d, e.Now)
		met, unmet := atoms(d.Type)
		if d.Type == posture.ListFact { // in does not compile in a loop
			met, unmet = []string{`P[0] == "V"`}, []string{`P[1] == "V"`}
		}
		fill := func(template, record string) string {
			return "(" + fill(template, pathOf(d, record), itself, other) + ")"
		}
		texts := map[posture.Result]string{posture.Met: fill(met[0], ""), posture.Unmet: fill(unmet[0], ""), posture.Unknown: fill(met[0], "bare")}
		for a, one := range texts {
			check(t, s, e, "!"+one, not(a))
			for b, two := range texts {
				for template, of := range map[string]func(a, b posture.Result) posture.Result{
					"A || B":                                 or,
					"A && B":                                 and,
					"!(A && !B)":                             func(a, b posture.Result) posture.Result { return or(not(a), b) },
					"A == B":                                 strict(func(a, b bool) bool { return a == b }),
					"A != B":                                 strict(func(a, b bool) bool { return a != b }),
					`["1", "2"].exists(v, v == "1" ? A : B)`: or,
					`["1", "2"].all(v, v == "1" ? A : B)`:    and,
					`["1", "2"].exists_one(v, v == "1" ? A : B)`:        strict(func(a, b bool) bool { return a != b }),
					`["1", "2"].filter(v, v == "1" ? A : B).size() > 0`: strict(func(a, b bool) bool { return a || b }),
					`["1", "2"].map(v, v == "1" ? A : B) == [true, true]`: strict(func(a, b bool) bool {
						return a && b
					}),
					"[A, B] == [true, true]": strict(func(a, b bool) bool { return a && b }),
					"A in [B]":               strict(func(a, b bool) bool { return a == b }),
					"A ? B : true":           func(a, b posture.Result) posture.Result { return choose(a, b, posture.Met) },
					"A ? false : B":          func(a, b posture.Result) posture.Result { return choose(a, posture.Unmet, b) },
					"A ? B : B":              func(a, b posture.Result) posture.Result { return choose(a, b, b) },
				} {
					check(t, s, e, strings.NewReplacer("A", one, "B", two).Replace(template), of(a, b))
				}
			}
		}
	}
}

func truth(b bool) posture.Result {
	if b {
		return posture.Met
	}
	return posture.Unmet
}

func not(r posture.Result) posture.Result {
	return map[posture.Result]posture.Result{posture.Met: posture.Unmet, posture.Unmet: posture.Met}[r]
}

// or is ||: one side that is met settles it, otherwise unknown wins.
func or(a, b posture.Result) posture.Result {
	switch {
	case a == posture.Met || b == posture.Met:
		return posture.Met
	case a == posture.Unknown || b == posture.Unknown:
		return posture.Unknown
	}
	return posture.Unmet
}

func choose(condition, yes, no posture.Result) posture.Result {
	switch condition {
	case posture.Met:
		return yes
	case posture.Unmet:
		return no
	case posture.Unknown:
	}
	return posture.Unknown
}
