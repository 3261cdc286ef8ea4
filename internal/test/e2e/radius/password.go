package radius

import (
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // RADIUS hides passwords and signs packets with it (RFC 2865, RFC 2869)
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Codes of RADIUS packets (RFC 2865).
const (
	accessRequest = 1
	// Accept and Reject are answers.
	Accept = 2
	Reject = 3
)

const (
	// answerTimeout bounds how long an answer may take.
	answerTimeout = 10 * time.Second
	// silence is how long an answer is awaited that shall not come.
	silence = time.Second
)

// Password asks for access with a user name and a password (PAP), which has to have fewer than 16 bytes, and returns the
// code of the answer; 0 is no answer at all. Signed requests have a Message-Authenticator.
func (s *Server) Password(ctx context.Context, password string, signed bool) (code byte, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	if err != nil {
		return 0, fmt.Errorf("ask FreeRADIUS: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	packet := make([]byte, 20)
	if _, err := rand.Read(packet[4:]); err != nil {
		return 0, fmt.Errorf("make the authenticator: %w", err)
	}
	hidden := md5.Sum(append([]byte(s.secret), packet[4:20]...)) //nolint:gosec // RFC 2865, section 5.2
	for i := range []byte(password) {
		hidden[i] ^= password[i]
	}
	packet = append(packet, 1, 2+8)
	packet = append(packet, "anything"...)
	packet = append(packet, 2, 2+16)
	packet = append(packet, hidden[:]...)
	packet[0], packet[1] = accessRequest, 1
	wait := silence
	if signed {
		wait = answerTimeout
		packet = append(packet, 80, 2+16)
		packet = append(packet, make([]byte, 16)...)
	}
	packet[3] = byte(len(packet)) //nolint:gosec // 20 bytes, and three attributes of 10, 18 and 18
	if signed {
		mac := hmac.New(md5.New, []byte(s.secret))
		_, _ = mac.Write(packet)
		copy(packet[len(packet)-16:], mac.Sum(nil))
	}
	if _, err := conn.Write(packet); err != nil {
		return 0, fmt.Errorf("ask FreeRADIUS: %w", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, fmt.Errorf("await FreeRADIUS: %w", err)
	}
	answer := make([]byte, 4096)
	if _, err := conn.Read(answer); errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("read the answer of FreeRADIUS: %w", err)
	}
	return answer[0], nil
}
