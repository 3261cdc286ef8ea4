package file

import "step-posture-connector/internal/compact"

// A row of compact.Table is a device in memory: the identifier, then the data.
//
//	C02XK1JKLVCG,Engineering,ana@example.com     of CSV without quotation marks: the line as it is, no work at all
//	␟C02XK1JKLVCG␟Lovelace, Ada␟ana@example.com  of CSV with quotation marks: values may have commas
//	␟C02XK1JKLVCG␟{"department":"Engineering"}   of JSON: the data as it is; behind it, with another ␟, the facts
//
// ␟ is fieldSeparator.
const fieldSeparator = compact.Separator
