package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// source is what a pod takes from a ConfigMap or a Secret.
type source struct {
	kind, name string
	keys       []string // the keys that are asked for; none for all
	optional   bool
	volume     string // the name of the volume; empty for variables
	projected  bool   // it is a part of the volume
}

// sources are all ConfigMaps and Secrets that a pod names.
func sources(pod manifest.Object) (all []source) {
	add := func(volume, kind, nameKey string, from map[string]any, projected bool) {
		if from == nil {
			return
		}
		s := source{kind: kind, name: fmt.Sprint(from[nameKey]), optional: from["optional"] == true, volume: volume, projected: projected}
		for _, item := range manifest.Maps(from["items"]) {
			s.keys = append(s.keys, item.Text("key"))
		}
		if key, one := from["key"].(string); one {
			s.keys = append(s.keys, key)
		}
		all = append(all, s)
	}
	for _, volume := range pod.Maps("spec", "volumes") {
		add(volume.Text("name"), "ConfigMap", "name", volume.Map("configMap"), false)
		add(volume.Text("name"), "Secret", "secretName", volume.Map("secret"), false)
		for _, part := range volume.Maps("projected", "sources") {
			add(volume.Text("name"), "ConfigMap", "name", part.Map("configMap"), true)
			add(volume.Text("name"), "Secret", "name", part.Map("secret"), true)
		}
	}
	for _, c := range containers(pod) {
		for _, from := range c.Maps("envFrom") {
			add("", "ConfigMap", "name", from.Map("configMapRef"), false)
			add("", "Secret", "name", from.Map("secretRef"), false)
		}
		for _, variable := range c.Maps("env") {
			add("", "ConfigMap", "name", variable.Map("valueFrom", "configMapKeyRef"), false)
			add("", "Secret", "name", variable.Map("valueFrom", "secretKeyRef"), false)
		}
	}
	for _, pull := range pod.Maps("spec", "imagePullSecrets") {
		add("", "Secret", "name", pull, false)
	}
	return all
}

// References are the ConfigMaps and Secrets that pods name, with any keys.
func References(objects []manifest.Object) (all []Given) {
	seen := map[string]bool{}
	for _, object := range objects {
		pod, makes := manifest.PodOf(object)
		if !makes {
			continue
		}
		for _, from := range sources(pod) {
			if !seen[from.kind+"/"+from.name] {
				seen[from.kind+"/"+from.name] = true
				all = append(all, Given{Kind: from.kind, Name: from.name, AnyKeys: true})
			}
		}
	}
	return all
}

// keysOf returns the keys of a ConfigMap or Secret that the manifests or the user make. Of a Secret that a Certificate makes,
// cert-manager says which they are.
func (s *state) keysOf(kind, namespace, name string) (keys []string, exists bool) {
	if object := s.made(kind, namespace, name); object != nil {
		for _, member := range []string{"data", "binaryData", "stringData"} {
			for key := range object.Map(member) {
				keys = append(keys, key)
			}
		}
		return keys, true
	}
	for _, certificate := range manifest.Find(s.Objects, "Certificate") {
		if kind == "Secret" && certificate.Namespace() == namespace && certificate.Text("spec", "secretName") == name {
			return []string{"tls.crt", "tls.key", "ca.crt"}, true
		}
	}
	for _, given := range s.Given {
		if given.Kind == kind && given.Name == name {
			if given.AnyKeys {
				return []string{anyKey}, true
			}
			return given.Keys, true
		}
	}
	return nil, false
}

// anyKey stands for all keys.
const anyKey = "*"

func hasKey(keys []string, key string) bool {
	return slices.Contains(keys, key) || slices.Contains(keys, anyKey)
}

// references wants everything that a pod names to be made by someone, and nothing to be made that nobody uses.
func references(s *state) {
	used := map[string]bool{}
	for _, w := range s.pods {
		namespace := w.owner.Namespace()
		for _, from := range sources(w.pod) {
			used[namespace+"/"+from.kind+"/"+from.name] = true
			keys, exists := s.keysOf(from.kind, namespace, from.name)
			if !exists && !from.optional {
				s.find(w.owner, "nobody makes the %s %s", from.kind, from.name)
			}
			for _, key := range from.keys {
				if exists && !hasKey(keys, key) && !from.optional {
					s.find(w.owner, "the %s %s has no key %s", from.kind, from.name, key)
				}
			}
		}
		for _, volume := range w.pod.Maps("spec", "volumes") {
			claim := volume.Text("persistentVolumeClaim", "claimName")
			if claim != "" && s.made("PersistentVolumeClaim", namespace, claim) == nil {
				s.find(w.owner, "nobody makes the PersistentVolumeClaim %s", claim)
			}
			used[namespace+"/PersistentVolumeClaim/"+claim] = true
		}
		if account := w.pod.Text("spec", "serviceAccountName"); account != "" && s.made("ServiceAccount", namespace, account) == nil {
			s.find(w.owner, "nobody makes the ServiceAccount %s", account)
		}
		used[namespace+"/ServiceAccount/"+w.pod.Text("spec", "serviceAccountName")] = true
	}
	for _, object := range s.Objects {
		switch object.Kind() {
		case "ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount":
			if !used[object.ID()] {
				s.find(object, "nothing uses it")
			}
		}
	}
	for _, given := range s.Given {
		if given.Kind != "Namespace" && !slices.ContainsFunc(s.pods, func(w workload) bool { return used[w.owner.Namespace()+"/"+given.Kind+"/"+given.Name] }) {
			s.find(manifest.Object{"kind": given.Kind, "metadata": map[string]any{"name": given.Name}}, "the user makes it, and nothing uses it")
		}
	}
}

// mounts wants each volume of a pod to be mounted, as a folder, and read-only where nothing can be written anyway.
func mounts(s *state) {
	for _, w := range s.pods {
		mounted := map[string]bool{}
		for _, c := range containers(w.pod) {
			for _, mount := range c.Maps("volumeMounts") {
				name := mount.Text("name")
				mounted[name] = true
				if mount.Text("subPath") != "" {
					s.find(w.owner, "the container %s mounts %s with subPath: it will not see a change", c.Text("name"), name)
				}
				from := volume(w.pod, name)
				if (from.Map("configMap") != nil || from.Map("secret") != nil || from.Map("projected") != nil) && mount["readOnly"] != true {
					s.find(w.owner, "the container %s does not mount %s with readOnly", c.Text("name"), name)
				}
			}
		}
		for _, v := range w.pod.Maps("spec", "volumes") {
			if !mounted[v.Text("name")] {
				s.find(w.owner, "no container mounts the volume %s", v.Text("name"))
			}
			if v.Map("secret") != nil && whole(v.At("secret", "defaultMode")) != 0o440 {
				s.find(w.owner, "the files of the secret volume %s have not the mode 0440", v.Text("name"))
			}
			if empty := v.Map("emptyDir"); empty != nil && empty["sizeLimit"] == nil {
				s.find(w.owner, "the emptyDir %s has no sizeLimit", v.Text("name"))
			}
		}
	}
}

func volume(pod manifest.Object, name string) manifest.Object {
	for _, v := range pod.Maps("spec", "volumes") {
		if v.Text("name") == name {
			return v
		}
	}
	return nil
}

// paths wants the files that our variables name to be in a volume that is mounted there. What runs first may write others, into
// a folder that they share.
func paths(s *state) {
	for _, w := range s.pods {
		for _, c := range containers(w.pod) {
			if !c.ours {
				continue
			}
			for name, value := range s.variables(w.owner.Namespace(), c.Object) {
				file := strings.TrimPrefix(value, "sqlite:")
				if !path.IsAbs(file) || strings.HasPrefix(file, "/dev/") {
					continue
				}
				if problem := s.fileAt(w, c.Object, file); problem != "" {
					s.find(w.owner, "%s is %s, %s", name, file, problem)
				}
			}
			s.wantFilesOfFiles(w, c.Object)
		}
	}
}

// wantFilesOfFiles does the same for what files in ConfigMaps name, such as the policy file.
func (s *state) wantFilesOfFiles(w workload, c manifest.Object) {
	for _, from := range sources(w.pod) {
		if from.volume == "" || from.kind != "ConfigMap" {
			continue
		}
		for name, text := range s.made("ConfigMap", w.owner.Namespace(), from.name).Map("data") {
			for _, file := range ourFile().FindAllString(fmt.Sprint(text), -1) {
				if problem := s.fileAt(w, c, file); problem != "" {
					s.find(w.owner, "%s names %s, %s", name, file, problem)
				}
			}
		}
	}
}

// ourFile is a path in one of the folders that our manifests mount.
func ourFile() *regexp.Regexp {
	return regexp.MustCompile(`/(etc|run)/step-posture-connector/[A-Za-z0-9._/-]*[A-Za-z0-9]`)
}

// fileAt says why a container finds no file at a path.
func (s *state) fileAt(w workload, c manifest.Object, file string) string {
	for _, mount := range c.Maps("volumeMounts") {
		key, below := strings.CutPrefix(file, strings.TrimSuffix(mount.Text("mountPath"), "/")+"/")
		if !below {
			continue
		}
		name := mount.Text("name")
		known := false
		for _, from := range sources(w.pod) {
			if from.volume != name {
				continue
			}
			keys, _ := s.keysOf(from.kind, w.owner.Namespace(), from.name)
			if len(from.keys) > 0 {
				keys = from.keys
			}
			if hasKey(keys, key) || from.optional || from.projected {
				return ""
			}
			known = true
		}
		if known {
			return "which the volume " + name + " does not have"
		}
		return "" // a folder that something writes to
	}
	return "where no volume is mounted"
}
