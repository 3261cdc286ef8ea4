// Package console has the tests of the console in a real browser: the whole program with its pages, a person who uses them, and what
// is recorded of it. Its pictures are those of docs/console.md.
package console
