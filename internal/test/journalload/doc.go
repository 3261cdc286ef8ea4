// Package journalload shows that the journal costs no answer: daemons with it and without it answer under the same load, in turns,
// beside SQLite and PostgreSQL; then PostgreSQL hangs and is killed, and no decision is missing in the numbers. It is the target
// load-journal of the Makefile; without its flags it takes some seconds. It needs Linux.
package journalload
