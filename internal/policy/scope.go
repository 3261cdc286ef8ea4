package policy

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"step-posture-connector/internal/posture"
)

// Scope is what the expressions of one policy may read: the variables, with the names of the policy's inventories.
type Scope struct {
	env         *cel.Env
	fields      fieldTypes
	variables   map[string]*types.Type
	inventories []string
	zones       *zones
	moreCallers func(text string) bool
	policy      string // whose data can be read; empty where none can
}

// NewScope makes the scope of a policy with these inventories.
func NewScope(inventories ...string) (*Scope, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	fields := fieldTypes{Provider: registry, objects: map[string]object{
		deviceTypeName: factFields("", "device"),
		userTypeName:   factFields("", "user"),
	}}
	maps.Copy(fields.objects, requestFields())
	records := object{}
	for _, name := range inventories {
		records[name] = fields.addRecord(name)
	}
	fields.objects[recordsTypeName] = records
	s := &Scope{fields: fields, inventories: slices.Clone(inventories), zones: &zones{}, variables: map[string]*types.Type{
		"device":    types.NewObjectType(deviceTypeName),
		"user":      types.NewObjectType(userTypeName),
		"request":   types.NewObjectType(requestTypeName),
		"records":   types.NewObjectType(recordsTypeName),
		"inventory": types.StringType,
		"now":       types.TimestampType,
	}}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(
			// dyn hides types from the checker, so that a comparison with an unknown fact could be true.
			append(replaced(), env.NewFunction("dyn"), env.NewFunction("type"))...,
		).AddExcludedMacros(operators.Has))),
		cel.Macros(hasMacro()),
		ext.Strings(),
		cel.CustomTypeProvider(fields), cel.CustomTypeAdapter(registry),
		cel.DefaultUTCTimeZone(true),
		cel.EnableMacroCallTracking(),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(parserDepth),
	}
	for name, t := range s.variables {
		options = append(options, cel.Variable(name, t))
	}
	s.env, err = cel.NewCustomEnv(slices.Concat(options, functions(), s.zones.functions())...)
	return s, err
}

// setCallers says who may call, for literals that are compared with request.caller.
func (s *Scope) setCallers(names []string, more func(text string) bool) {
	s.moreCallers = more
	request := s.fields.objects[requestTypeName]
	caller := request["caller"]
	caller.words = names
	request["caller"] = caller
}

// addRecord adds the types of records.NAME, and returns the field.
func (f fieldTypes) addRecord(name string) field {
	path := "records." + name
	device, user, record := deviceTypeName+"."+name, userTypeName+"."+name, recordTypeName+"."+name
	f.objects[device] = factFields(path+".", "device")
	f.objects[user] = factFields(path+".", "user")
	of := func(a posture.Answer) (any, bool) { return a.Record, true }
	f.objects[record] = object{
		"found":  newField(path+".found", types.BoolType, func(a posture.Answer) (any, bool) { return a.Record != nil, true }),
		"device": newField(path, types.NewObjectType(device), of),
		"user":   newField(path, types.NewObjectType(user), of),
	}
	return newField(path, types.NewObjectType(record), func(q *posture.Evidence) (any, bool) {
		answer := q.Answer(name)
		return answer, !answer.Failed()
	})
}

const (
	maxExpression = 4096 // characters
	maxDepth      = 50   // levels of the tree
	parserDepth   = 1000 // levels of CEL's grammar; each of ours takes up to a dozen
	maxDays       = 3650
)

// hasMacro is CEL's has(), which also takes has(device.attributes["name"]): whether the attribute is known.
func hasMacro() cel.Macro {
	return cel.GlobalMacro(operators.Has, 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		arg := args[0]
		switch {
		case arg.Kind() == ast.SelectKind && !arg.AsSelect().IsTestOnly():
			return f.NewPresenceTest(arg.AsSelect().Operand(), arg.AsSelect().FieldName()), nil
		case arg.Kind() == ast.CallKind && arg.AsCall().FunctionName() == operators.Index:
			of := arg.AsCall().Args()
			return f.NewCall(operators.In, of[1], of[0]), nil
		}
		return nil, f.NewError(arg.ID(), hasTakesFact)
	})
}

// The overloads that fold knows.
const (
	atLeastOverload = "version_at_least"
	belowOverload   = "version_below"
	daysOverload    = "int_to_days"
)

func days(n types.Int) types.Duration {
	const hoursOfDay = 24
	return types.Duration{Duration: time.Duration(n) * hoursOfDay * time.Hour}
}

// functions are ours beside CEL's own.
func functions() []cel.EnvOption {
	compare := func(holds func(v, w posture.Version) bool) cel.OverloadOpt {
		return cel.BinaryBinding(func(of, text ref.Val) ref.Val {
			v, isVersion := of.(version)
			w, err := posture.ParseVersion(string(text.(types.String)))
			if !isVersion || err != nil {
				return types.NewErr("%q is not a version", text)
			}
			return types.Bool(holds(v.Version, w))
		})
	}
	of := []*types.Type{versionType(), types.StringType}
	return []cel.EnvOption{
		cel.Function("atLeast", cel.MemberOverload(atLeastOverload, of, types.BoolType, compare(posture.Version.AtLeast))),
		cel.Function("below", cel.MemberOverload(belowOverload, of, types.BoolType,
			compare(func(v, w posture.Version) bool { return !v.AtLeast(w) }))),
		cel.Function("string", cel.Overload("version_to_string", of[:1], types.StringType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return v.ConvertToType(types.StringType) }))),
		cel.Function("days", cel.Overload(daysOverload, []*types.Type{types.IntType}, types.DurationType,
			cel.UnaryBinding(func(n ref.Val) ref.Val { return days(n.(types.Int)) }))),
		cel.Function("sameIdentifier", cel.Overload("same_identifier", []*types.Type{types.StringType, types.StringType}, types.BoolType,
			cel.BinaryBinding(func(a, b ref.Val) ref.Val {
				return types.Bool(posture.SameKey([]byte(string(a.(types.String))), []byte(string(b.(types.String)))))
			}))),
	}
}

// quoted joins words as an error lists what is accepted.
func quoted(words []string) string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = strconv.Quote(word)
	}
	return strings.Join(all, ", ")
}
