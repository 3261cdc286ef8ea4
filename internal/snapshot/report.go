package snapshot

// tell reports what is wrong with a list, at most once a minute. It is called with the lock of the state.
func (k *Keeper) tell(l *list, now moment, about, text string) {
	if last, told := l.told[about]; told && now.boot-last < reportEvery {
		return
	}
	l.told[about] = now.boot
	k.report(text, true)
}

func (k *Keeper) inform(text string) { k.report(text, false) }

func (k *Keeper) report(text string, warning bool) {
	if k.Report != nil {
		k.Report(Report{"snapshot of inventory " + k.Inventory + ": " + text, warning})
	}
}
