package metrics

import "net/http"

// The results of requests to the console.
const (
	consoleOK      = "ok"
	consoleRefused = "refused"
	consoleFailed  = "failed"
)

// Console exports the metrics of the console. Results are those of a log-in.
func (m *Metrics) Console(results []string) {
	m.consoleRequests = m.counters("console_requests_total", "Requests to the console, by page; the result is ok, refused (4xx) or failed (5xx).", "page", "result")
	for _, result := range []string{consoleOK, consoleRefused, consoleFailed} {
		m.consoleRequests.WithLabelValues("login", result)
	}
	m.logIns = m.counters("console_logins_total", "Tries to log in to the console, by what came of them.", "result")
	for _, result := range results {
		m.logIns.WithLabelValues(result)
	}
}

// ConsoleRequest counts a request to the console. Without Console it does nothing.
func (m *Metrics) ConsoleRequest(page string, status int) {
	if m.consoleRequests == nil {
		return
	}
	result := consoleOK
	switch {
	case status >= http.StatusInternalServerError:
		result = consoleFailed
	case status >= http.StatusBadRequest:
		result = consoleRefused
	}
	m.consoleRequests.WithLabelValues(page, result).Inc()
}

// LogIn counts a try to log in to the console. Without Console it does nothing.
func (m *Metrics) LogIn(result string) {
	if m.logIns != nil {
		m.logIns.WithLabelValues(result).Inc()
	}
}
