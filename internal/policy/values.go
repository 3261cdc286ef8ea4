package policy

import (
	"fmt"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"step-posture-connector/internal/posture"
)

// The names of our types begin with a character that no expression can spell, so that none can be used as a name.
const (
	deviceTypeName  = "@device"
	userTypeName    = "@user"
	requestTypeName = "@request"
	recordsTypeName = "@records"
	recordTypeName  = "@record"
	versionTypeName = "@version"
	dataTypeName    = "@data"
)

func versionType() *types.Type { return cel.OpaqueType(versionTypeName) }

// version is a posture.Version as a value of CEL.
type version struct{ posture.Version }

// ConvertToNative implements ref.Val.
func (v version) ConvertToNative(t reflect.Type) (any, error) {
	if t.Kind() == reflect.String {
		return v.String(), nil
	}
	return nil, fmt.Errorf("a version is no %v", t)
}

// ConvertToType implements ref.Val.
func (v version) ConvertToType(t ref.Type) ref.Val {
	if t == types.StringType {
		return types.String(v.String())
	}
	return types.NewErr("a version is no %s", t.TypeName())
}

// Equal implements ref.Val.
func (v version) Equal(other ref.Val) ref.Val {
	w, ok := other.(version)
	return types.Bool(ok && v.Compare(w.Version) == 0)
}

// Type implements ref.Val.
func (v version) Type() ref.Type { return versionType() }

// Value implements ref.Val.
func (v version) Value() any { return v.Version }

// celType is the type of a fact in expressions.
func celType(t posture.FactType) *types.Type {
	switch t {
	case posture.TextFact:
		return types.StringType
	case posture.BoolFact:
		return types.BoolType
	case posture.VersionFact:
		return versionType()
	case posture.TimeFact:
		return types.TimestampType
	case posture.ListFact:
		return types.NewListType(types.StringType)
	case posture.AttributesFact:
		return types.NewMapType(types.StringType, types.StringType)
	default:
		panic(fmt.Sprintf("no type of CEL for the fact type %d", t))
	}
}

// celValue is a fact's value in expressions.
func celValue(value any) any {
	switch v := value.(type) {
	case posture.Version:
		return version{v}
	case time.Time:
		return types.Timestamp{Time: v}
	default:
		return v // CEL converts text, bool, lists and maps itself
	}
}
