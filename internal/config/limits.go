package config

import "time"

// The range of JOURNAL_RETENTION.
const (
	leastRetention   = time.Hour
	longestRetention = 3650 * 24 * time.Hour
)
