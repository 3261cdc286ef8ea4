package gate

import (
	"context"
	"net"
	"strconv"

	"step-posture-connector/internal/test/e2e/relay"
)

// relayTo puts a new relay in front of a port, in place of the one before. step-ca keeps its connection to a webhook, and
// so looks at the connector's certificate once; when the relay has cut that connection, it looks again.
func (g *Gate) relayTo(ctx context.Context, port int) error {
	if g.relay != nil {
		if err := g.relay.Close(); err != nil {
			return err
		}
	}
	var err error
	g.relay, err = relay.Start(ctx, "127.0.0.1:0", func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	})
	return err
}

// CutConnections closes every connection that the CA has to the connector, and returns their number: for its next
// request the CA must open a new one. The gate must be Relayed.
func (g *Gate) CutConnections() int { return g.relay.Cut() }
