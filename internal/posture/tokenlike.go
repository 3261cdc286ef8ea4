package posture

import "strings"

const (
	// TokenLength is how many characters an enrolment token or a SCEP challenge has: 32 random bytes in base64url.
	TokenLength = 43
	// tokenShown is how many of them are shown, so that the token can be found again.
	tokenShown = 4
)

// HideTokens shortens whatever in a text that a client chose looks like a token: exactly 43 characters of base64url, between
// others or alone. A client may have it in the wrong field, and logs are read by more people than may have it. It is done
// before anything else shortens the text, which would leave a longer part of the token.
func HideTokens(text string) string {
	if len(text) < TokenLength {
		return text // as nearly everything is
	}
	var hidden strings.Builder
	done, begin := 0, 0 // of what is written, and of the run of such characters
	for i := 0; i <= len(text); i++ {
		if i < len(text) && isBase64URL(text[i]) {
			continue
		}
		if i-begin == TokenLength {
			hidden.WriteString(text[done : begin+tokenShown])
			hidden.WriteString("...")
			done = i
		}
		begin = i + 1
	}
	if done == 0 {
		return text
	}
	hidden.WriteString(text[done:])
	return hidden.String()
}

func isBase64URL(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
