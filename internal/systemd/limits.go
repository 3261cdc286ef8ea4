package systemd

import "time"

// notifyTimeout is how long a notification may take. A service manager that does not read its socket must not keep the
// daemon from reloading and shutting down. docs/operation.md lists it; a test compares.
const notifyTimeout = time.Second
