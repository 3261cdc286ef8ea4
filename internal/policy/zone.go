package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"
	// A policy must mean the same on a machine without a time zone database.
	_ "time/tzdata"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// zones are the time zones that expressions name. Go reads a zone from files each time that it is asked for it, which
// takes longer than ten rules; and it takes "Local" for the zone of the machine.
type zones struct{ named sync.Map } // by name; only those that expressions hold, as inventories could send any number

var offsetPattern = regexp.MustCompile(`^([+-]?)([01]?[0-9]|2[0-3]):([0-5][0-9])$`)

func (z *zones) find(name string) (*time.Location, error) {
	if found, ok := z.named.Load(name); ok {
		return found.(*time.Location), nil
	}
	if m := offsetPattern.FindStringSubmatch(name); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi(m[3])
		offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
		if m[1] == "-" {
			offset = -offset
		}
		return time.FixedZone("", int(offset/time.Second)), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("%s is no time zone", quote(name))
	}
	return zone, nil
}

// zone holds a time zone that is written out to one that exists: the rule would never be met.
func (w *walk) zone(function string, args []ast.Expr) {
	if _, ok := zoned()[function]; !ok || len(args) != 1 {
		return
	}
	for _, l := range w.leaves(args[0]) {
		text, ok := literal(l)
		if !ok {
			continue
		}
		zone, err := w.scope.zones.find(text)
		if err != nil {
			w.fault(w.node(l), `a name such as "Europe/Berlin", or an offset such as "+02:00"`, "%v", err)
			continue
		}
		w.scope.zones.named.Store(text, zone)
	}
}

// getter is a function of CEL that takes a time zone.
type getter struct {
	overload string
	get      func(t time.Time) int
}

// zoned are those functions, by name.
func zoned() map[string]getter {
	return map[string]getter{
		overloads.TimeGetFullYear:     {overloads.TimestampToYearWithTz, time.Time.Year},
		overloads.TimeGetMonth:        {overloads.TimestampToMonthWithTz, func(t time.Time) int { return int(t.Month()) - 1 }},
		overloads.TimeGetDayOfYear:    {overloads.TimestampToDayOfYearWithTz, func(t time.Time) int { return t.YearDay() - 1 }},
		overloads.TimeGetDayOfMonth:   {overloads.TimestampToDayOfMonthZeroBasedWithTz, func(t time.Time) int { return t.Day() - 1 }},
		overloads.TimeGetDate:         {overloads.TimestampToDayOfMonthOneBasedWithTz, time.Time.Day},
		overloads.TimeGetDayOfWeek:    {overloads.TimestampToDayOfWeekWithTz, func(t time.Time) int { return int(t.Weekday()) }},
		overloads.TimeGetHours:        {overloads.TimestampToHoursWithTz, time.Time.Hour},
		overloads.TimeGetMinutes:      {overloads.TimestampToMinutesWithTz, time.Time.Minute},
		overloads.TimeGetSeconds:      {overloads.TimestampToSecondsWithTz, time.Time.Second},
		overloads.TimeGetMilliseconds: {overloads.TimestampToMillisecondsWithTz, func(t time.Time) int { return t.Nanosecond() / int(time.Millisecond) }},
	}
}

// replaced are CEL's own functions with a time zone, in whose place ours are.
func replaced() (all []*env.Function) {
	for name, g := range zoned() {
		all = append(all, env.NewFunction(name, &env.Overload{ID: g.overload}))
	}
	return all
}

// functions are those that read a time in a zone.
func (z *zones) functions() (all []cel.EnvOption) {
	for name, g := range zoned() {
		all = append(all, cel.Function(name, cel.MemberOverload(g.overload, []*types.Type{types.TimestampType, types.StringType}, types.IntType,
			cel.BinaryBinding(func(at, name ref.Val) ref.Val {
				zone, err := z.find(string(name.(types.String)))
				if err != nil {
					return types.NewErrFromString(err.Error())
				}
				return types.Int(g.get(at.(types.Timestamp).In(zone)))
			}))))
	}
	return all
}
