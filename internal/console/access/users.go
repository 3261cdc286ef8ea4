package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"step-posture-connector/internal/filesys"
)

// Users are the people of a file of htpasswd.
type Users struct {
	hashes   map[string][]byte
	all      [][]byte // those hashes, in the order of the file
	warnings []string
}

// ErrNobody says that a file of users can be read, and has none.
var ErrNobody = errors.New("nobody is in it, so that nobody could log in")

// Nobody are the users of such a file, while the daemon runs: who was removed last must be out too.
func Nobody() *Users { return &Users{warnings: []string{ErrNobody.Error()}} }

// LoadUsers reads a file of htpasswd with bcrypt hashes. Its errors name a line, and never show what is in it.
func LoadUsers(path string) (*Users, error) {
	file, err := filesys.Open(path)
	if err != nil {
		return nil, filesys.WithoutPath(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxUsersFile+1))
	if err != nil {
		return nil, filesys.WithoutPath(err)
	}
	users, err := ParseUsers(text)
	if err != nil {
		return nil, err
	}
	users.warnPermissions(file)
	return users, nil
}

// warnPermissions warns of a file that every user of the machine can read: hashes of weak passwords are found by trying.
func (u *Users) warnPermissions(file *os.File) {
	const readableByAll fs.FileMode = 0o004
	if info, err := file.Stat(); err == nil && info.Mode()&readableByAll != 0 {
		u.warnings = append(u.warnings, "every user of this machine can read the hashes of passwords in it; chmod 640 or 600")
	}
}

// ParseUsers reads the text of a file of htpasswd: NAME:HASH a line. Empty lines, and those that begin with #, do not count.
func ParseUsers(text []byte) (*Users, error) {
	if len(text) > maxUsersFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxUsersFile)
	}
	u := &Users{hashes: map[string][]byte{}}
	lines := map[string]int{}
	weak := 0
	for i, line := range strings.Split(string(bytes.TrimPrefix(text, []byte("\ufeff"))), "\n") {
		line, number := strings.TrimSuffix(line, "\r"), i+1
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, cost, err := parseUser(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if before := lines[name]; before > 0 {
			return nil, fmt.Errorf("line %d: the same name as in line %d", number, before)
		}
		if cost < advisedCost && weak == 0 {
			weak = number
			u.warnings = append(u.warnings, fmt.Sprintf("line %d: the hash has the cost %d, so that passwords can be tried fast by whoever reads the file; make it with htpasswd -B -C 12", number, cost))
		}
		lines[name], u.hashes[name] = number, hash
		u.all = append(u.all, hash)
		if len(u.all) > maxUsers {
			return nil, fmt.Errorf("line %d: there are more than %d people", number, maxUsers)
		}
	}
	if len(u.all) == 0 {
		return nil, ErrNobody
	}
	return u, nil
}

func parseUser(line string) (name string, hash []byte, cost int, err error) {
	name, rest, found := strings.Cut(line, ":")
	if !found {
		return "", nil, 0, errors.New("there is no colon; wanted is NAME:HASH, as htpasswd -B writes it")
	}
	if err := checkName(name); err != nil {
		return "", nil, 0, err
	}
	rest = strings.TrimRight(rest, " \t")
	cost, err = bcrypt.Cost([]byte(rest))
	const length = 60 // of a hash; bcrypt itself ignores what is behind it
	switch {
	case err != nil || len(rest) != length || !strings.HasPrefix(rest, "$2a$") && !strings.HasPrefix(rest, "$2b$") && !strings.HasPrefix(rest, "$2y$"):
		return "", nil, 0, errors.New("the password is not hashed with bcrypt; make the line with htpasswd -B -C 12")
	case cost < leastCost || cost > mostCost:
		return "", nil, 0, fmt.Errorf("the hash has the cost %d; accepted: %d to %d", cost, leastCost, mostCost)
	}
	return name, []byte(rest), cost, nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name has more than %d bytes", maxName)
	case !utf8.ValidString(name):
		return errors.New("the name is not UTF-8")
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("the name has a space at an end, or a character that cannot be seen")
	}
	return nil
}

// Len is how many people there are.
func (u *Users) Len() int { return len(u.all) }

// Warnings says what is accepted of the file and probably not meant.
func (u *Users) Warnings() []string { return u.warnings }

// has reports whether a name is that of a person.
func (u *Users) has(name string) bool { return u.hashes[name] != nil }

// verify compares a password. It takes as long for a name that nobody has: one of the hashes is compared in any case.
func (u *Users) verify(name, password string) bool {
	if len(u.all) == 0 {
		return false
	}
	hash, known := u.hashes[name]
	if !known {
		sum := sha256.Sum256([]byte(name))
		hash = u.all[binary.BigEndian.Uint64(sum[:])%uint64(len(u.all))]
	}
	tooLong := len(password) > maxPassword
	if tooLong {
		password = password[:maxPassword]
	}
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	return known && !tooLong && err == nil && password != ""
}

// fingerprint changes with the password of a person; nil where there is no such person. It is in the cookie of the session, signed.
func (u *Users) fingerprint(k key, name string) []byte {
	hash, known := u.hashes[name]
	if !known {
		return nil
	}
	return k.mark("password", []byte(name), hash)
}
