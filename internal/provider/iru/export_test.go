package iru

// Unlimited makes the provider without the limits of requests, which tests of many lookups would wait for.
func Unlimited(c Config) (*Provider, error) { return withLimits(c, limits{}) }

// OtherHost is the host of the same tenant under the vendor's other name.
func OtherHost(host string) string { return otherHost(host) }

// At has messages of a provider say what they say of a host.
func At(p *Provider, host string) { p.host = host }

// MostInAnHour is how many requests the limits allow in an hour.
func MostInAnHour() int { return requestsAtStart + 3600*requestsPerSecond }
