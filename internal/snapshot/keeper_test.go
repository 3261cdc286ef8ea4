package snapshot

import (
	"testing"
	"testing/synctest"

	"step-posture-connector/internal/posture"
)

// TestRecall: a copy answers with what was fetched, and nothing more.
func TestRecall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1", "A2", "A2", "A3")
		inventory.damaged["A3"] = true
		h := start(t, inventory)
		h.want("before the first fetch", "", map[string]string{"A1": live})
		h.fetched()
		h.want("after it", "", map[string]string{"A1": found, "a1": found, "A2": live, "A3": live, "A4": absent})
		recalled, _ := h.Recall(ask("A1", ""))
		if name, known := recalled.Device.Facts.Name.Get(); !known || name != "the name of A1" {
			t.Errorf("the name is %q, known %v", name, known)
		}
		if !recalled.Facts.Has(namesAndGroups()) || recalled.Facts.Has(posture.MustFacts("device.model")) {
			t.Errorf("the copy has the facts %v", recalled.Facts.Names())
		}
		q := ask("A1", "")
		q.Facts |= posture.MustFacts("device.model")
		if got := h.recall(q); got != live {
			t.Errorf("a question about a fact that was not fetched: %s", got)
		}
		q = ask("A1", "")
		q.Recorded = posture.MustFacts("device.model")
		if got := h.recall(q); got != found {
			t.Errorf("a question about a fact that is only recorded: %s", got)
		}
	})
}
