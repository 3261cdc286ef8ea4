//go:build compose

package podspec_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// arguments is the command of docker that starts the container as its specification wants it.
func (c *container) arguments(ctx context.Context, name string) ([]string, error) {
	repository, _, _ := strings.Cut(c.spec.Image, "@")
	if colon := strings.LastIndex(repository, ":"); colon > strings.LastIndex(repository, "/") {
		repository = repository[:colon]
	}
	image, ok := c.pod.node.images[repository]
	if !ok {
		return nil, fmt.Errorf("ErrImagePull: no image %q", c.spec.Image)
	}
	user, err := c.user(ctx, image)
	if err != nil {
		return nil, err
	}
	args := []string{
		"docker", "run", "--detach", "--name", name, "--label", c.pod.node.id,
		"--network", "container:" + c.pod.name, "--ipc", "container:" + c.pod.name,
		// Kubernetes knows no health check of an image.
		"--no-healthcheck",
	}
	if user != "" {
		args = append(args, "--user", user)
	}
	if group := c.pod.group(); group != 0 {
		args = append(args, "--group-add", strconv.FormatInt(group, 10))
	}
	args = append(args, c.privileges()...)
	args = append(args, c.limits()...)
	environment, err := c.environment()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		args = append(args, "--env", name+"="+environment[name])
	}
	for _, m := range c.spec.VolumeMounts {
		source, ok := c.pod.mounts[m.Name]
		if !ok {
			return nil, fmt.Errorf("the pod has no volume %q", m.Name)
		}
		if m.SubPath != "" {
			source += "/" + m.SubPath
		}
		options := "rw"
		if m.ReadOnly {
			options = "ro"
		}
		// Of Docker's own volumes: it would put into them what the image has in this place.
		if !strings.HasPrefix(source, "/") {
			options += ",nocopy"
		}
		mount := source + ":" + m.MountPath + ":" + options
		args = append(args, "--volume", mount)
	}
	if c.spec.WorkingDir != "" {
		args = append(args, "--workdir", c.spec.WorkingDir)
	}
	command := append(slices.Clone(c.spec.Command), c.spec.Args...)
	for _, word := range command {
		if strings.Contains(word, "$(") {
			return nil, fmt.Errorf("the kubelet of these tests replaces nothing in %q", word)
		}
	}
	if len(c.spec.Command) > 0 {
		args, command = append(args, "--entrypoint", command[0]), command[1:]
	}
	return append(append(args, image), command...), nil
}

// privileges are what a process may do. What the specification does not say is what a container runtime of Kubernetes
// does then: without a profile for seccomp it uses none.
func (c *container) privileges() []string {
	own, inPod := c.spec.SecurityContext, c.pod.spec.SecurityContext
	if own == nil {
		own = &corev1.SecurityContext{}
	}
	if inPod == nil {
		inPod = &corev1.PodSecurityContext{}
	}
	var args []string
	if own.ReadOnlyRootFilesystem != nil && *own.ReadOnlyRootFilesystem {
		args = append(args, "--read-only")
	}
	if own.AllowPrivilegeEscalation != nil && !*own.AllowPrivilegeEscalation {
		args = append(args, "--security-opt", "no-new-privileges")
	}
	if own.Capabilities != nil {
		for _, capability := range own.Capabilities.Drop {
			args = append(args, "--cap-drop", string(capability))
		}
	}
	// Docker's own profile is what RuntimeDefault is.
	if profile := cmp.Or(own.SeccompProfile, inPod.SeccompProfile); profile == nil || profile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		args = append(args, "--security-opt", "seccomp=unconfined")
	}
	return args
}

func (c *container) limits() []string {
	var args []string
	if memory := c.spec.Resources.Limits.Memory(); !memory.IsZero() {
		// Without swap, as on a node of Kubernetes.
		args = append(args, "--memory", memory.AsDec().String(), "--memory-swap", memory.AsDec().String())
	}
	if cpu := c.spec.Resources.Limits.Cpu(); !cpu.IsZero() {
		args = append(args, "--cpus", cpu.AsDec().String())
	}
	if cpu := c.spec.Resources.Requests.Cpu(); !cpu.IsZero() {
		args = append(args, "--cpu-shares", strconv.FormatInt(max(2, cpu.MilliValue()*1024/1000), 10))
	}
	// A request of memory is for the scheduler.
	return args
}

// environment are the variables: those of ConfigMaps first, then the container's own.
func (c *container) environment() (map[string]string, error) {
	variables := map[string]string{}
	for _, from := range c.spec.EnvFrom {
		if from.ConfigMapRef == nil {
			return nil, errors.New("variables come from something that the kubelet of these tests does not know")
		}
		object, err := c.pod.node.configMap(from.ConfigMapRef.Name)
		if err != nil {
			return nil, err
		}
		maps.Copy(variables, object.Data)
	}
	for _, variable := range c.spec.Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			var err error
			value, err = c.value(*variable.ValueFrom)
			if ref := variable.ValueFrom.SecretKeyRef; err != nil && ref != nil && ref.Optional != nil && *ref.Optional {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("the variable %s: %w", variable.Name, err)
			}
		}
		if strings.Contains(value, "$(") {
			return nil, fmt.Errorf("the kubelet of these tests replaces nothing in %s", variable.Name)
		}
		variables[variable.Name] = value
	}
	return variables, nil
}

func (c *container) value(from corev1.EnvVarSource) (string, error) {
	switch {
	case from.ConfigMapKeyRef != nil:
		object, err := c.pod.node.configMap(from.ConfigMapKeyRef.Name)
		if err != nil {
			return "", err
		}
		if value, ok := object.Data[from.ConfigMapKeyRef.Key]; ok {
			return value, nil
		}
		return "", fmt.Errorf("couldn't find key %s", from.ConfigMapKeyRef.Key)
	case from.SecretKeyRef != nil:
		object, err := c.pod.node.secret(from.SecretKeyRef.Name)
		if err != nil {
			return "", err
		}
		if value, ok := object.Data[from.SecretKeyRef.Key]; ok {
			return string(value), nil
		}
		return "", fmt.Errorf("couldn't find key %s", from.SecretKeyRef.Key)
	case from.FieldRef != nil:
		switch from.FieldRef.FieldPath {
		case "metadata.name":
			return c.pod.name, nil
		case "status.podIP":
			return c.pod.ip, nil
		}
		return "", fmt.Errorf("the kubelet of these tests does not know %s", from.FieldRef.FieldPath)
	}
	return "", errors.New("it comes from nothing that the kubelet of these tests knows")
}
