package config

// journalProblems refuses a journal that has no database.
func (c Config) journalProblems(environ map[string]string, before Problems) Problems {
	const variable = "STATE_URL"
	if !bool(c.Journal) || c.StateURL.IsSet() || environ[variable+fileSuffix] != "" || before.about(variable) {
		return nil // a file that cannot be read is reported as such
	}
	return Problems{{variable, textNotSet + ", but JOURNAL is 1: the journal is in the state database", AcceptedState}}
}
