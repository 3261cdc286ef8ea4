package docs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// CHANGELOG.md is in the form of Keep a Changelog, which programs read too.
func TestChangelog(t *testing.T) {
	t.Parallel()
	for _, fault := range changelogFaults(read(t, "CHANGELOG.md")) {
		t.Error("CHANGELOG.md: " + fault)
	}
}

// The check finds each fault that a releaser could make.
func TestChangelogFaults(t *testing.T) {
	t.Parallel()
	const good = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a\n\n## [1.10.0] - 2026-02-28\n\n### Fixed\n\n- b\n\n" +
		"## [1.9.0] - 2026-02-28 [YANKED]\n\n### Changed\n\n- c\n\n[Unreleased]: #unreleased\n[1.10.0]: https://git.example.com/compare\n[1.9.0]: #190---2026-02-28-yanked\n"
	if faults := changelogFaults(good); len(faults) > 0 {
		t.Errorf("a good file has %q", faults)
	}
	for _, row := range []struct{ old, replacement, want string }{
		{"# Changelog", "# Changes", "first line"},
		{"## [Unreleased]\n", "", "must begin with ## [Unreleased]"},
		{"## [1.10.0] - 2026-02-28", "## 1.10.0 - 2026-02-28", `"## 1.10.0 - 2026-02-28" is no heading`},
		{"## [1.10.0] - 2026-02-28", "## [1.10.0]", `"## [1.10.0]" is no heading`},
		{"## [1.10.0] - 2026-02-28", "## [v1.10.0] - 2026-02-28", `"## [v1.10.0] - 2026-02-28" is no heading`},
		{"## [1.10.0] - 2026-02-28", "## [1.10.0] - 2026-02-29", "2026-02-29"},
		{"## [1.10.0] - 2026-02-28", "## [1.10.0] - 2026-02-27", "is older than"},
		{"## [1.10.0]", "## [1.8.0]", "1.8.0 is above 1.9.0"},
		{"## [1.10.0]", "## [1.9.0]", "1.9.0 is above 1.9.0"},
		{"### Added\n\n- a\n", "- a\n", "Unreleased has no section"},
		{"### Fixed\n\n- b\n", "", "1.10.0 has no section"},
		{"### Added\n\n- a", "### Added", "Added of Unreleased is empty"},
		{"### Added", "### New", "New of Unreleased"},
		{"### Added", "### Fixed\n\n- a\n\n### Added", "Added of Unreleased"},
		{"### Added", "### Added\n\n- a\n\n### Added", "Added of Unreleased"},
		{"[1.10.0]: https://git.example.com/compare\n", "", "no link of 1.10.0"},
		{"[1.10.0]: https://git.example.com/compare\n", "[1.10.0]: #1100\n", "the link of 1.10.0"},
		{"[Unreleased]: #unreleased\n", "[Unreleased]: #unreleased\n[1.11.0]: https://git.example.com/\n", "1.11.0 has a link and no heading"},
	} {
		faults := changelogFaults(strings.Replace(good, row.old, row.replacement, 1))
		if !slices.ContainsFunc(faults, func(fault string) bool { return strings.Contains(fault, row.want) }) {
			t.Errorf("with %q in place of %q the faults are %q, want one with %q", row.replacement, row.old, faults, row.want)
		}
	}
}

// changelogFaults returns what is not in the form of Keep a Changelog 1.1.0.
func changelogFaults(text string) []string {
	var faults []string
	found := func(format string, values ...any) { faults = append(faults, fmt.Sprintf(format, values...)) }
	if !strings.HasPrefix(text, "# Changelog\n") {
		found("the first line is not # Changelog")
	}
	links := map[string]string{}
	for _, link := range regexp.MustCompile(`(?m)^\[([^\]]+)\]: (\S+)$`).FindAllStringSubmatch(text, -1) {
		links[link[1]] = link[2]
	}
	heading := regexp.MustCompile(`^## \[(?:Unreleased\]|(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)(?: \[YANKED\])?)$`)
	var newer []int
	newerName, newerDate := "", ""
	for i, part := range strings.Split("\n"+text, "\n## ")[1:] {
		line, body, _ := strings.Cut(part, "\n")
		match := heading.FindStringSubmatch("## " + line)
		if match == nil {
			found("%q is no heading of a version: want ## [1.2.3] - 2026-12-31", "## "+line)
			continue
		}
		version, date := match[1], match[2]
		if i == 0 && version != "" {
			found("the versions must begin with ## [Unreleased]")
		}
		if version == "" {
			version = "Unreleased"
		} else {
			if _, err := time.Parse(time.DateOnly, date); err != nil {
				found("%s is no date", date)
			}
			numbers := versionNumbers(version)
			if newer != nil && slices.Compare(newer, numbers) <= 0 {
				found("%s is above %s", newerName, version)
			}
			if newerDate != "" && newerDate < date {
				found("%s is older than %s, which is below", newerName, version)
			}
			newer, newerName, newerDate = numbers, version, date
		}
		if link, ok := links[version]; !ok {
			found("there is no link of %s at the end", version)
		} else if !strings.HasPrefix(link, "https://") && link != "#"+anchor(line) {
			found("the link of %s is %s, and must be https://… or #%s", version, link, anchor(line))
		}
		delete(links, version)
		sectionFaults(version, body, found)
	}
	for version := range links {
		found("%s has a link and no heading", version)
	}
	return faults
}

// sectionFaults reports sections of a version that are unknown, empty, or not in the usual order.
func sectionFaults(version, body string, found func(string, ...any)) {
	order := []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
	sections, last := strings.Split("\n"+body, "\n### ")[1:], -1
	// Between two releases there may be nothing yet.
	if len(sections) == 0 && (version != "Unreleased" || strings.Contains(body, "\n- ")) {
		found("%s has no section", version)
	}
	for _, section := range sections {
		name, text, _ := strings.Cut(section, "\n")
		at := slices.Index(order, name)
		if at <= last {
			found("%s of %s: the sections are %s, each once, in this order", name, version, strings.Join(order, ", "))
		}
		last = at
		if !strings.Contains("\n"+text, "\n- ") {
			found("%s of %s is empty", name, version)
		}
	}
}

// versionNumbers are those of 1.2.3, to compare.
func versionNumbers(version string) []int {
	var numbers []int
	for part := range strings.SplitSeq(version, ".") {
		number, err := strconv.Atoi(part)
		if err != nil {
			number = -1
		}
		numbers = append(numbers, number)
	}
	return numbers
}
