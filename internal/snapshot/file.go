package snapshot

func (k *Keeper) load() {}

func (k *Keeper) write() {}
