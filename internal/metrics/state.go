package metrics

import "github.com/prometheus/client_golang/prometheus"

// State exports whether the state database answers.
func (m *Metrics) State(up func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: Prefix + "state_up", Help: "1 if the state database answers, else 0.",
	}, func() float64 {
		if up() {
			return 1
		}
		return 0
	}))
	m.tokens = m.counters("token_requests_total", "Requests for enrolment tokens, by operation; the code is none where they succeeded.", "operation", "code")
	for _, operation := range []string{"issue", "list", "revoke"} {
		m.tokens.WithLabelValues(operation, noCode)
	}
}

// TokenRequest counts a request to the API of enrolment tokens. Without a State it does nothing. The operation is empty of a
// request that is none.
func (m *Metrics) TokenRequest(operation, code string) {
	if m.tokens == nil {
		return
	}
	if operation == "" {
		operation = other
	}
	if code == "" {
		code = noCode
	}
	m.tokens.WithLabelValues(operation, code).Inc()
}
