package webhook

import "runtime/debug"

// origin returns what the code panicked with, and the stack that shows where. Code that waited for another
// goroutine hands its panic on as a value that knows both.
func origin(cause any) (value any, stack string) {
	stack = string(debug.Stack())
	if other, ok := cause.(interface{ Panicked() (any, []byte) }); ok {
		value, first := other.Panicked()
		return value, string(first) + "\nwaited for by\n" + stack
	}
	return cause, stack
}
