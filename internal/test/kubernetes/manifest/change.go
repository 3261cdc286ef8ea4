package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Set puts a value at a JSON pointer (RFC 6901), such as /spec/ports/0/name. The last key of a map may be new; "-" adds to a list.
func (o Object) Set(pointer string, value any) error {
	return o.change(pointer, func(parent any, key string) (any, error) {
		switch p := parent.(type) {
		case map[string]any:
			p[key] = value
			return p, nil
		case []any:
			if key == "-" {
				return append(p, value), nil
			}
			i, err := index(p, key)
			if err != nil {
				return nil, err
			}
			p[i] = value
			return p, nil
		}
		return nil, fmt.Errorf("there is no map and no list around %s", key)
	})
}

// Remove removes what is at a JSON pointer. It is an error that nothing is there.
func (o Object) Remove(pointer string) error {
	return o.change(pointer, func(parent any, key string) (any, error) {
		switch p := parent.(type) {
		case map[string]any:
			if _, has := p[key]; !has {
				return nil, fmt.Errorf("there is no %s", key)
			}
			delete(p, key)
			return p, nil
		case []any:
			i, err := index(p, key)
			if err != nil {
				return nil, err
			}
			return slices.Delete(p, i, i+1), nil
		}
		return nil, fmt.Errorf("there is no map and no list around %s", key)
	})
}

func index(list []any, key string) (int, error) {
	i, err := strconv.Atoi(key)
	if err != nil || i < 0 || i >= len(list) {
		return 0, fmt.Errorf("there is no item %s in a list of %d", key, len(list))
	}
	return i, nil
}

// change replaces the parent of what a pointer names by what act makes of it.
func (o Object) change(pointer string, act func(parent any, key string) (any, error)) error {
	rest, rooted := strings.CutPrefix(pointer, "/")
	if !rooted {
		return fmt.Errorf("the pointer %q does not begin with /", pointer)
	}
	keys := strings.Split(rest, "/")
	for i, key := range keys {
		keys[i] = strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
	}
	if _, err := changeIn(map[string]any(o), keys, act); err != nil {
		return fmt.Errorf("%s of %s: %w", pointer, o.ID(), err)
	}
	return nil
}

func changeIn(value any, keys []string, act func(any, string) (any, error)) (any, error) {
	if len(keys) == 1 {
		return act(value, keys[0])
	}
	switch v := value.(type) {
	case map[string]any:
		below, has := v[keys[0]]
		if !has {
			return nil, fmt.Errorf("there is no %s", keys[0])
		}
		changed, err := changeIn(below, keys[1:], act)
		if err != nil {
			return nil, err
		}
		v[keys[0]] = changed
		return v, nil
	case []any:
		i, err := index(v, keys[0])
		if err != nil {
			return nil, err
		}
		if v[i], err = changeIn(v[i], keys[1:], act); err != nil {
			return nil, err
		}
		return v, nil
	}
	return nil, fmt.Errorf("there is no map and no list around %s", keys[0])
}

// Pointers are the JSON pointers of everything in an object, with what is there.
func (o Object) Pointers() map[string]any {
	all := map[string]any{}
	var walk func(pointer string, value any)
	walk = func(pointer string, value any) {
		all[pointer] = value
		switch v := value.(type) {
		case map[string]any:
			for key, below := range v {
				walk(pointer+"/"+strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1"), below)
			}
		case []any:
			for i, below := range v {
				walk(pointer+"/"+strconv.Itoa(i), below)
			}
		}
	}
	walk("", map[string]any(o))
	return all
}
