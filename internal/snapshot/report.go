package snapshot

// notify reports what is wrong with a list, at most once a minute. It is called with the lock of the state, so the line is
// only kept; deliver reports it.
func (k *Keeper) notify(l *list, now moment, about, text string) {
	if last, told := l.told[about]; told && now.boot-last < reportEvery {
		return
	}
	l.told[about] = now.boot
	k.keep(text, true)
}

// inform reports what is well.
func (k *Keeper) inform(text string) { k.keep(text, false) }

func (k *Keeper) keep(text string, warning bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.reports) < maxReports {
		k.reports = append(k.reports, Report{"snapshot of inventory " + k.Inventory + ": " + text, warning})
	}
}

// deliver reports what was kept. It is called without a lock: Report may ask the Keeper.
func (k *Keeper) deliver() {
	k.mu.Lock()
	reports := k.reports
	k.reports = nil
	k.mu.Unlock()
	if k.Report == nil {
		return
	}
	for _, r := range reports {
		k.Report(r)
	}
}
