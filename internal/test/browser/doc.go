// Package browser drives a real headless Chromium for tests of pages: it opens them, types and clicks as a person does who knows
// what things are called, and looks at what a person could not use.
//
// It is a module of its own, because the product must not depend on the library that drives the browser.
//
// Everything is found by its accessible name, as a screen reader says it, so that a test that passes is a page that can be used.
// What a page may not do is recorded all the time, and fails the test at its end: a request to another host, a message in the
// console, an exception, a violation of the content security policy. Checks return what they have found, in words; none is
// without a test in which it finds something.
package browser
