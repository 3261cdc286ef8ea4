//go:build compose

package podspec_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// swap puts new files in place as the kubelet does: into a folder of their own, to which a link points that is replaced
// by rename. The files of a pod are therefore all old, or all new. Arguments: the folder, its new part, the group.
const swap = `set -eu
mkdir -p "$1"
cd "$1"
mkdir "$2"
tar -x -p -C "$2" -f -
chown -R "0:$3" . "$2"
chmod 2755 . "$2"
old=$(readlink ..data || :)
ln -s "$2" ..data_tmp
mv -T ..data_tmp ..data
for file in $(ls "$2"); do [ -L "$file" ] || ln -s "..data/$file" "$file"; done
for file in $(ls); do [ -e "$file" ] || rm "$file"; done
[ -z "$old" ] || rm -r "$old"`

// file is one in a volume.
type file struct {
	content []byte
	mode    int64
}

// volume makes a volume before the containers start, and returns the first part of docker's --volume for it.
func (p *pod) volume(ctx context.Context, v corev1.Volume) (string, error) {
	if v.EmptyDir != nil {
		return p.emptyDir(ctx, v)
	}
	if v.PersistentVolumeClaim != nil {
		return p.claim(ctx, v.PersistentVolumeClaim.ClaimName)
	}
	files, err := p.files(v)
	if err != nil {
		return "", fmt.Errorf("MountVolume.SetUp failed for volume %q: %w", v.Name, err)
	}
	if err := p.write(ctx, v.Name, files); err != nil {
		return "", err
	}
	p.mounted[v.Name] = files
	return filepath.Join(p.node.folder, p.name, v.Name), nil
}

// emptyDir is in memory whatever its medium. Docker forgets it with the last container that has it, so the pod's sandbox
// has it too.
func (p *pod) emptyDir(ctx context.Context, v corev1.Volume) (string, error) {
	options := "mode=0777"
	if group := p.group(); group != 0 {
		options = fmt.Sprintf("mode=2777,gid=%d", group)
	}
	if limit := v.EmptyDir.SizeLimit; limit != nil {
		options += fmt.Sprintf(",size=%d", limit.Value())
	}
	name := p.name + "-" + v.Name
	_, err := run(ctx, nil, "docker", "volume", "create", "--label", p.node.id, "--driver", "local",
		"--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o="+options, name)
	return name, err
}

// claim is a folder that outlives the pods. fsGroup gives it to the group of the pod.
func (p *pod) claim(ctx context.Context, name string) (string, error) {
	if !p.node.claims[name] {
		return "", fmt.Errorf("there is no PersistentVolumeClaim %q", name)
	}
	const prepare = `set -eu; mkdir -p "$1"; [ "$2" = 0 ] || { chown ":$2" "$1"; chmod 2775 "$1"; }`
	_, err := run(ctx, nil, "docker", "exec", p.node.id+"-root", "sh", "-c", prepare, "prepare", "/node/claim-"+name, fmt.Sprint(p.group()))
	return filepath.Join(p.node.folder, "claim-"+name), err
}

// files are those of a ConfigMap or a Secret, with the modes that they have in a pod.
func (p *pod) files(v corev1.Volume) (map[string]file, error) {
	var data map[string][]byte
	var items []corev1.KeyToPath
	mode := int64(0o644) // the default of the API
	switch {
	case v.ConfigMap != nil:
		object, err := p.node.configMap(v.ConfigMap.Name)
		if err != nil {
			return nil, err
		}
		data, items = map[string][]byte{}, v.ConfigMap.Items
		for key, value := range object.Data {
			data[key] = []byte(value)
		}
		if v.ConfigMap.DefaultMode != nil {
			mode = int64(*v.ConfigMap.DefaultMode)
		}
	case v.Secret != nil:
		object, err := p.node.secret(v.Secret.SecretName)
		if err != nil {
			return nil, err
		}
		data, items = object.Data, v.Secret.Items
		if v.Secret.DefaultMode != nil {
			mode = int64(*v.Secret.DefaultMode)
		}
	default:
		return nil, errors.New("the kubelet of these tests does not know this kind of volume")
	}
	// With fsGroup the group may read, whatever the mode.
	if p.group() != 0 {
		mode |= 0o440
	}
	if items == nil {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	files := map[string]file{}
	for _, item := range items {
		content, ok := data[item.Key]
		if !ok {
			return nil, fmt.Errorf("references non-existent key %q", item.Key)
		}
		if strings.ContainsAny(item.Path, "/ ") {
			return nil, fmt.Errorf("the kubelet of these tests makes no path %q", item.Path)
		}
		files[item.Path] = file{content, mode}
	}
	return files, nil
}

// write replaces all files of a volume.
func (p *pod) write(ctx context.Context, volume string, files map[string]file) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: name, Mode: files[name].mode, Size: int64(len(files[name].content)), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write(files[name].content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	stamp := make([]byte, 6)
	if _, err := rand.Read(stamp); err != nil {
		return err
	}
	_, err := run(ctx, archive.Bytes(), "docker", "exec", "--interactive", p.node.id+"-root", "sh", "-c", swap, "swap",
		"/node/"+p.name+"/"+volume, "..2026_"+hex.EncodeToString(stamp), fmt.Sprint(p.group()))
	return err
}

// refresh writes the volumes whose objects have changed.
func (p *pod) refresh(ctx context.Context) error {
	p.filesMu.Lock()
	defer p.filesMu.Unlock()
	for _, v := range p.spec.Volumes {
		before, mounted := p.mounted[v.Name]
		if !mounted || v.EmptyDir != nil {
			continue
		}
		files, err := p.files(v)
		if err != nil {
			return err
		}
		if maps.EqualFunc(before, files, func(a, b file) bool { return a.mode == b.mode && bytes.Equal(a.content, b.content) }) {
			continue
		}
		if err := p.write(ctx, v.Name, files); err != nil {
			return err
		}
		p.mounted[v.Name] = files
	}
	return nil
}

// group is the one that owns the files of volumes; 0 is that of root.
func (p *pod) group() int64 {
	if c := p.spec.SecurityContext; c != nil && c.FSGroup != nil {
		return *c.FSGroup
	}
	return 0
}
