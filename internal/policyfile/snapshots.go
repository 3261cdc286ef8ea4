package policyfile

import (
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/filesys"
)

// snapshotFiles holds the file of each copy to one that nothing else in the policy file names: it would be overwritten.
func (f *File) snapshotFiles(inventories document.Value, path string, secrets []string) {
	type file struct{ path, is string }
	used := []file{{path, "the policy file"}}
	for _, secret := range secrets {
		used = append(used, file{secret, "a file with a secret"})
	}
	for _, i := range f.Inventories {
		for _, of := range i.Files() {
			used = append(used, file{of, "a file of the inventory " + i.Name})
		}
	}
	for _, i := range f.Inventories {
		if i.Snapshot() == nil || i.Snapshot().Path == "" {
			continue
		}
		for _, other := range used {
			if filesys.Same(other.path, i.Snapshot().Path) {
				inventories.Member(i.Name).Member("snapshot").Member("path").Fault("a file of its own", "it is also %s, which would be overwritten", other.is)
				break
			}
		}
		used = append(used, file{i.Snapshot().Path, "the path of the snapshot of " + i.Name})
	}
}

// maxAge is how old a copy of an inventory may be that decides in its place; 0 where there is none.
func (f *File) maxAge(inventory string) time.Duration {
	for _, i := range f.Inventories {
		if i.Name == inventory && i.Snapshot() != nil {
			return i.Snapshot().MaxAge
		}
	}
	return 0
}
