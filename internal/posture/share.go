package posture

import "context"

type atDoorKey struct{}

// AtDoor returns the context of a question that is asked when a device connects. There are many more of them than requests for a
// certificate, so an inventory keeps a share of what it asks its server at once for the latter. The answer is the same.
func AtDoor(ctx context.Context) context.Context { return context.WithValue(ctx, atDoorKey{}, true) }

// IsAtDoor reports whether a context is one of AtDoor.
func IsAtDoor(ctx context.Context) bool {
	is, _ := ctx.Value(atDoorKey{}).(bool)
	return is
}

// ForAll returns the context of work that others wait for too, whoever has begun it.
func ForAll(ctx context.Context) context.Context { return context.WithValue(ctx, atDoorKey{}, false) }
