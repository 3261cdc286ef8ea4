package panics

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Origin returns what the code panicked with, and the stack that shows where. The deferred function that recovers must call it.
func Origin(cause any) (value any, stack string) {
	stack = string(debug.Stack())
	if other, ok := cause.(interface{ Panicked() (any, []byte) }); ok {
		value, first := other.Panicked()
		return value, string(first) + "\nwaited for by\n" + stack
	}
	return cause, stack
}

// Describe says what a panic was about without showing a value that could hold a secret.
func Describe(cause any) string {
	if err, ok := cause.(error); ok {
		if fault := runtime.Error(nil); errors.As(err, &fault) {
			return fault.Error()
		}
	}
	return fmt.Sprintf("value of type %T", cause)
}
