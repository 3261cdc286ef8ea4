package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// datagram is the size of the largest question that the name service reads.
	datagram = 1500
	// answerTTL is how long an answer may be kept, in seconds.
	answerTTL = 1
)

// Names is a name service of loopback, which step-ca asks in place of the system's: every host name has the address
// 127.0.0.1, and each text that was set.
type Names struct {
	conn net.PacketConn
	done chan struct{}

	mu    sync.Mutex
	texts map[string]string // by name, with the dot at the end
}

// StartNames starts a name service, which runs until Close.
func StartNames(ctx context.Context) (*Names, error) {
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start name service: %w", err)
	}
	n := &Names{conn: conn, done: make(chan struct{}), texts: map[string]string{}}
	go n.serve()
	return n, nil
}

// Address is for step-ca's flag --resolver.
func (n *Names) Address() string { return n.conn.LocalAddr().String() }

// Close stops the name service.
func (n *Names) Close() error {
	err := n.conn.Close()
	<-n.done
	return err
}

// SetText sets the TXT record of a name.
func (n *Names) SetText(name, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts[strings.ToLower(name)+"."] = text
}

func (n *Names) serve() {
	defer close(n.done)
	buffer := make([]byte, datagram)
	for {
		size, from, err := n.conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		// A question that cannot be read gets no answer: step-ca then reports a timeout, and its test fails.
		if answer, err := n.answer(buffer[:size]); err == nil {
			_, _ = n.conn.WriteTo(answer, from)
		}
	}
}

func (n *Names) answer(packet []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(packet); err != nil {
		return nil, fmt.Errorf("read question: %w", err)
	}
	message.Response, message.Authoritative = true, true
	message.Additionals = nil
	for _, question := range message.Questions {
		if body := n.record(question); body != nil {
			message.Answers = append(message.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: answerTTL},
				Body:   body,
			})
		}
	}
	return message.Pack()
}

// record is nil for types that no name has, such as AAAA.
func (n *Names) record(question dnsmessage.Question) dnsmessage.ResourceBody {
	n.mu.Lock()
	defer n.mu.Unlock()
	text, found := n.texts[strings.ToLower(question.Name.String())]
	switch {
	case question.Type == dnsmessage.TypeA:
		return &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}
	case question.Type == dnsmessage.TypeTXT && found:
		return &dnsmessage.TXTResource{TXT: []string{text}}
	default:
		return nil
	}
}
