package iru

// Unlimited makes the provider without the limits of requests, which tests of many lookups would wait for.
func Unlimited(c Config) (*Provider, error) { return withLimits(c, limits{}) }
