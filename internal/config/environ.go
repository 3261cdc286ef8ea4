package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"step-posture-connector/internal/filesys"
)

// DefaultEnvFile is read from the working directory when no other file is named.
const DefaultEnvFile = ".env"

// fileSuffix turns the name of a secret's variable into that of the variable with the path of its file.
const fileSuffix = "_FILE"

// maxFile is the largest size of an env file or a file with secrets, in bytes.
const maxFile = 64 << 10

// envFileVariable names the env file, as --env-file does.
const envFileVariable = "ENV_FILE"

// Environment is what the process environment and an env file set together.
type Environment struct {
	// Variables are all of them by their names. An empty one counts as unset.
	Variables map[string]string

	file     *envFile // nil if none was read
	process  map[string]string
	searched string // the default env file, if it does not exist
	empty    []string
	renamed  []string // warnings about former names
}

// Environ merges the process environment (as of os.Environ) with an env file; a variable that the environment sets to
// a value overrides the file. Three places name the file: path when required is set (the operator named it);
// otherwise ENV_FILE; without both, path again, and then the file may be missing.
func Environ(process []string, path string, required bool) (Environment, error) {
	e := Environment{process: env.ToMap(process)}
	for name, value := range e.process {
		if value == "" {
			e.empty = append(e.empty, name)
		}
	}
	maps.DeleteFunc(e.process, func(_, value string) bool { return value == "" })
	named := ""
	if given := e.process[envFileVariable]; given != "" && !required {
		path, required, named = given, true, envFileVariable+": "
	}
	file, err := readEnvFile(path)
	switch {
	case err == nil:
		e.file = file
		e.Variables = file.variables()
		for name, value := range e.Variables {
			if value == "" {
				e.empty = append(e.empty, name)
			}
		}
		maps.Copy(e.Variables, e.process)
	case !required && errors.Is(err, fs.ErrNotExist):
		e.Variables = maps.Clone(e.process)
		if e.searched, err = filepath.Abs(path); err != nil {
			e.searched = path
		}
	default:
		return Environment{}, fmt.Errorf("%s%w", named, err)
	}
	return e, nil
}

// Empty reports whether a variable is present, but empty, which counts as unset.
func (e Environment) Empty(name string) bool {
	return e.Variables[name] == "" && slices.Contains(e.empty, name)
}

// File is the path of the env file, or empty if none was read.
func (e Environment) File() string {
	if e.file == nil {
		return ""
	}
	return e.file.path
}

// Hint says where the default env file was expected. It is for an operator who has set too few variables.
func (e Environment) Hint() string {
	if e.searched == "" {
		return ""
	}
	folder, name := filepath.Split(e.searched)
	return fmt.Sprintf("there is no %s in %s; copy .env.example to it, or name another file with --env-file or ENV_FILE", name, filepath.Clean(folder))
}

// line returns the line of the env file that sets a variable, or 0.
func (e Environment) line(name string) int {
	line := 0
	if e.file != nil {
		for _, s := range e.file.statements {
			if s.name == name {
				line = s.line
			}
		}
	}
	return line
}

// resolveFile replaces NAME_FILE by NAME with the contents of the file, if f may be in one.
func resolveFile(environ map[string]string, f field) (p Problem, wrong bool) {
	name := f.variable + fileSuffix
	path, given := environ[name]
	if !f.inFile || !given {
		return Problem{}, false
	}
	if _, both := environ[f.variable]; both {
		return Problem{f.variable, "given together with " + name, "one of the two"}, true
	}
	accepted := "the path of a file with the secret"
	if !f.secret {
		accepted = "the path of a file with the value"
	}
	if text := shape(path, reflect.TypeFor[Path]()); text != "" {
		return Problem{name, text, accepted}, true
	}
	text, err := readSecret(path, os.Open) // a pipe too, such as <(pass show …) of a shell: it is read once, at start
	if err != nil {
		return Problem{name, err.Error(), accepted}, true
	}
	if !f.secret {
		text = strings.NewReplacer("\r\n", ",", "\n", ",").Replace(text) // a file may have one entry on each line
	}
	environ[f.variable] = text
	return Problem{}, false
}

// readSecret reads a file with a secret, without its BOM and without the line end after it.
func readSecret(path string, open func(path string) (*os.File, error)) (string, error) {
	text, err := readSmall(path, open)
	switch {
	case errors.Is(err, errLarge):
		return "", fmt.Errorf("the file %s %w", path, err)
	case err != nil:
		return "", secretFileError(path, err)
	}
	if err := notText(text); err != nil {
		return "", fmt.Errorf("the file %s: %w", path, err)
	}
	secret := strings.TrimPrefix(string(text), byteOrderMark)
	secret = strings.TrimSuffix(strings.TrimSuffix(secret, "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("the file %s is empty", path)
	}
	return secret, nil
}

// readSmall reads a file of limited size: a device may never end.
func readSmall(path string, open func(path string) (*os.File, error)) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, errLarge
	}
	return text, err
}

// secretFileError shows the path only if it is certainly one: the secret itself may have been given in its place.
func secretFileError(path string, err error) error {
	operation, cause := filesys.Split(err)
	if operation == "" {
		return errors.New("cannot read the file")
	}
	shown, hint := "the file", ""
	plain := regexp.MustCompile(`^\.{0,2}(/[a-z0-9._-]{1,30})+$`) // a secret has capital letters too
	switch {
	case exists(path), plain.MatchString(path), inFolder(path):
		shown = path
	case isSecret(splitList(path)[0]):
		return errors.New("not a path, but looks like the secret itself, which belongs in the variable without " + fileSuffix)
	case errors.Is(err, fs.ErrNotExist):
		hint = " (its path is not shown, because it may be the secret itself; that belongs in the variable without " + fileSuffix + ")"
	}
	return fmt.Errorf("cannot %s %s: %w%s", operation, shown, cause, hint)
}

var errLarge = fmt.Errorf("has more than %d bytes", maxFile)
