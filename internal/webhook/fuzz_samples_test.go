package webhook_test

import (
	"slices"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// FuzzSamples: whatever a webhook of each provisioner signs is decided or refused by name, and allowed only with an identifier
// that another reader finds where the webhook takes it from.
func FuzzSamples(f *testing.F) {
	type recording struct {
		caller
		hook webhook.Hook
		name string
		body []byte
	}
	var all []recording
	for i, name := range samples(f) {
		body := readSample(f, name).body
		c := callerOf(name)
		all = append(all, recording{c, c.hookFor(f), name, body})
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		of := all[int(which)%len(all)]
		d := newDoor(of.hook, true).at(timeOf(t, of.body))
		got, allowed := checkAnswer(t, of.name, d, d.ask(pathFor(of.accepts)+of.query, body))
		switch {
		case !allowed || of.accepts == posture.SCEPNotification:
		case of.accepts == posture.SCEPChallenge:
			t.Fatalf("a challenge is allowed: %s", body)
		default:
			if found := of.identifierIn(body); !slices.Contains(found, got) {
				t.Fatalf("allowed with %q at the webhook of %s, want one of %q: %s", got, of.name, found, body)
			}
		}
	})
}
