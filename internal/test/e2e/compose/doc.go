// Package compose tests docker/docker-compose.yml with real containers: see
// the target test-compose of the Makefile.
package compose
