package document

import (
	"regexp"
	"strconv"
	"time"
)

const (
	// AcceptedDuration says what a duration may be.
	AcceptedDuration = "a duration with a unit, such as 90s, 15m, 2h or 7d"
	durationPattern  = `^(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?$`
)

// DurationShape declares a duration, which Value.Duration reads.
func DurationShape(about string) *Shape {
	return &Shape{Type: Text, Pattern: durationPattern, Least: 1, Accepted: AcceptedDuration, About: about}
}

// Duration is a duration as DurationShape declares it.
func (v Value) Duration() (time.Duration, bool) {
	text, ok := v.Text()
	if !ok {
		return 0, false
	}
	return ParseDuration(text)
}

// ParseDuration reads a duration: whole numbers with the units d, h, m and s, each once at most and in this order. It returns
// false for any other text. What is longer than LongestDuration is LongestDuration.
func ParseDuration(text string) (total time.Duration, ok bool) {
	return ParseDurationUpTo(text, LongestDuration)
}

// ParseDurationUpTo is ParseDuration with another bound than LongestDuration.
func ParseDurationUpTo(text string, longest time.Duration) (total time.Duration, ok bool) {
	if text == "" || !regexp.MustCompile(durationPattern).MatchString(text) {
		return 0, false
	}
	units := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
	for _, part := range regexp.MustCompile(`([0-9]+)([dhms])`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseInt(part[1], 10, 64)
		unit := units[part[2]]
		if err != nil || n > int64(longest/unit) {
			return longest, true
		}
		total = min(total+time.Duration(n)*unit, longest)
	}
	return total, true
}
