// Package monitoring checks the dashboard and the alert rules of docker/monitoring with Prometheus' own
// libraries. It is a module of its own, so that the product does not depend on them.
package monitoring
