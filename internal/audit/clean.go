package audit

import (
	"strings"
	"unicode"

	"step-posture-connector/internal/posture"
)

// Clean makes text that a client or an inventory chose fit for a log line: each invisible character becomes a question
// mark, what looks like a token is shortened, and the text ends after limit bytes.
//
// Libraries do less: those that strip the escape sequences of terminals keep characters that change the direction of
// text, and those that remove both do it with unicode.IsPrint too, and leave no sign of it.
func Clean(text string, limit int) string {
	text = posture.HideTokens(text)
	if len(text) <= limit && isPlain(text) {
		return text // as nearly everything is
	}
	cut := len(text) > limit
	if cut {
		text = text[:limit]
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if cut {
		text += "..."
	}
	return text
}

// isPlain reports whether a text is printable ASCII.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// CleanRequestID removes from an X-Request-Id all characters but A-Z a-z 0-9 . _ : - and keeps at most 64 of them.
// step-ca passes on the header of its own clients, so an unauthenticated client may have chosen it: what looks like a token is
// shortened.
func CleanRequestID(text string) string {
	text = posture.HideTokens(text)
	if len(text) <= maxRequestID && strings.IndexFunc(text, isForeign) < 0 {
		return text // as step-ca makes them
	}
	var kept strings.Builder
	for i := 0; i < len(text) && kept.Len() < maxRequestID; i++ {
		if !isForeign(rune(text[i])) {
			kept.WriteByte(text[i])
		}
	}
	return posture.HideTokens(kept.String()) // without what stood in it
}

func isForeign(c rune) bool {
	known := 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == ':' || c == '-'
	return !known
}
