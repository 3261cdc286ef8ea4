package config

// ParseEnvFile reads the text of an env file.
func ParseEnvFile(text string) (map[string]string, error) {
	file, err := parseEnvFile("env", []byte(text))
	if err != nil {
		return nil, err
	}
	return file.variables(), nil
}
