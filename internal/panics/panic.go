// Package panics hands a panic of one goroutine on to the one that waits for it.
package panics

import (
	"fmt"
	"runtime/debug"
)

// Panic is a panic of another goroutine, to be raised in one that waits for it. The stack of the one that
// waits would not say where the fault is.
type Panic struct {
	value any
	stack []byte
}

// Recovered makes a Panic of what recover has returned; it is nil where that is nil. The deferred function that recovers
// must call it: there the stack still has the function that panicked.
func Recovered(value any) *Panic {
	switch p := value.(type) {
	case nil:
		return nil
	case *Panic:
		return p // handed on by work that waited for other work
	}
	return &Panic{value, debug.Stack()}
}

// Panicked returns what the other goroutine panicked with, and its stack.
func (p *Panic) Panicked() (value any, stack []byte) { return p.value, p.stack }

// Error implements error. It does not show the value, which could hold a secret.
func (p *Panic) Error() string {
	return fmt.Sprintf("panic with a value of type %T\n\n%s", p.value, p.stack)
}
