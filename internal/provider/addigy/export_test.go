package addigy

// Identifiers are the facts of Addigy that are asked for.
func Identifiers() []string { return identifiers() }
