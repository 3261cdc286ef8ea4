package variables

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"step-posture-connector/internal/schema"
)

const (
	chartSchema = "docs/kubernetes/chart/values.schema.json"
	chartMark   = `    "generated": {"$comment": "From here to the end it is written by make generate, from the declarations of the variables."}`
)

// chartSets are the variables that the chart sets itself or has no place for, as regular expressions, with what a user does instead.
func chartSets() []struct{ names, instead string } {
	return []struct{ names, instead string }{
		{"TLS_(CERT|KEY)_PATH", "the chart sets it: see tls"},
		{"ENABLE_MTLS", "the chart sets it: only step-ca may call, see stepCA.clientNames"},
		{"TLS_CA_PATH", "the chart sets it: see stepCA.caConfigMap"},
		{"MTLS_ALLOWED_NAMES", "the chart sets it: see stepCA.clientNames"},
		{"WEBHOOK_(IDS|SECRETS)(_FILE)?", "the chart sets it: see stepCA.webhookSecret"},
		{"POLICY_PATH", "the chart sets it: see policy"},
		{"PORT|BIND_ADDRESS", "the chart sets it: see service.port"},
		{"HEALTH_ADDRESS", "the chart sets it: the probes ask there"},
		{"DOOR_(ADDRESS|CLIENT_CA_PATH)", "the chart sets it: see doors"},
		{"CONSOLE_(ADDRESS|USERS_FILE)", "the chart sets it: see console"},
		{"API_ADDRESS", "the chart sets it: see tokenAPI"},
		{"STATE_URL(_FILE)?", "the chart sets it: see state.existingSecret"},
		{"AUDIT_CHAIN.*", "a chain needs a file that outlives its pod, and the chart has none: see docs/audit.md"},
		{"COMPAT_MDMSECURITYDEMO|WEBHOOK_KEY(_FILE)?|API_KEY(_FILE)?|DEVICE_INVENTORY_API_KEY(_FILE)?|INVENTORY_PATH(_FILE)?", "the chart has no Services for it: see docs/kubernetes/overlays/mdmsecuritydemo"},
	}
}

// object is one of a JSON Schema. Go writes its keys in alphabetical order.
type object map[string]any

// schemaOfChart returns the JSON Schema of the chart's values: what is written by hand, then the definitions about variables.
func schemaOfChart(all []variable) (string, error) {
	old, err := os.ReadFile(chartSchema)
	if err != nil {
		return "", err
	}
	byHand, _, found := strings.Cut(string(old), chartMark)
	if !found {
		return "", fmt.Errorf("%s has no line %s", chartSchema, chartMark)
	}
	secrets, err := secretMembers()
	if err != nil {
		return "", err
	}
	definitions, err := json.MarshalIndent(object{
		"noPolicySecret": object{
			// What begins with { is not refused: {file: …}, and "{{secret.NAME}}" of the provider http.
			"if":   object{"pattern": `(?m)(^|[{,])[ \t]*(- +)*["']?(` + strings.Join(secrets, "|") + `)["']?[ \t]*:[ \t]*(\[[ \t]*)?["']?[^\s\[{#"']`},
			"then": object{"const": "no secret: a policy file names the file that has it"},
		},
		"config":           object{"type": "object", "additionalProperties": false, "properties": configOfChart(all)},
		"secretFiles":      object{"type": "object", "additionalProperties": false, "properties": secretsOfChart(all)},
		"requiredVariable": object{"allOf": requiredInChart(all)},
	}, "  ", "  ")
	if err != nil {
		return "", err
	}
	return byHand + chartMark + ",\n" + strings.TrimPrefix(string(definitions), "{\n") + "\n}\n", nil
}

// secretMembers are the names that secrets have in a policy file.
func secretMembers() ([]string, error) {
	text, err := schema.JSON()
	if err != nil {
		return nil, err
	}
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	// member is the member of a policy file that a part of the schema describes. Parts of its description, such as anyOf and items, are no members.
	var search func(part any, member string)
	search = func(part any, member string) {
		switch v := part.(type) {
		case map[string]any:
			if v["$ref"] == "#/$defs/secret" {
				names[member] = true
			}
			for keyword, inner := range v {
				members, isMap := inner.(map[string]any)
				if !isMap || keyword != "properties" {
					search(inner, member)
					continue
				}
				for name, description := range members {
					search(description, name)
				}
			}
		case []any:
			for _, inner := range v {
				search(inner, member)
			}
		}
	}
	search(all, "")
	if len(names) == 0 {
		return nil, errors.New("the schema of the policy file has no secret")
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// configOfChart are the variables that are plain values. Those that are not say what to set instead.
func configOfChart(all []variable) object {
	properties := object{
		"HTTPS_PROXY": object{
			"description": "The proxy for requests to the inventory, without credentials.", "type": "string", "minLength": 1,
			// Go takes it without http:// too.
			"if": object{"pattern": "@"}, "then": object{"const": "a URL without user and password: those are a secret"},
		},
		"NO_PROXY":      plain(variable{text: "What is asked without that proxy."}),
		"SSL_CERT_FILE": plain(variable{text: "A PEM file with the CA certificates that servers are verified with, in place of those of the image."}),
	}
	var providers []string
	for _, v := range all {
		if v.provider != "" && !slices.Contains(providers, v.provider) {
			providers = append(providers, v.provider)
		}
	}
	for _, v := range all {
		instead, set := setByChart(v.name)
		switch {
		case v.shared:
		case v.name == "PROVIDER":
			properties[v.name] = object{"description": "Which provider decides.", "enum": providers}
		case v.name == "AUDIT_LOG_PATH": // a file would end with its pod
			properties[v.name] = object{"description": "The log of the pod has the audit log too. The console sets it.", "enum": []string{"/dev/stdout"}}
		case set:
			properties[v.name] = refused(instead)
		case v.secret:
			properties[v.name] = refused("a secret is no value: see secretFiles." + v.name)
		case v.isFile:
			properties[v.name] = refused("the chart sets it: see secretFiles." + strings.TrimSuffix(v.name, "_FILE"))
		default:
			properties[v.name] = plain(v)
		}
	}
	return properties
}

// refused accepts nothing. A validator prints the constant as what is wanted.
func refused(instead string) object { return object{"const": instead, "not": object{}} }

// plain is a variable that may be set. No URL in it has a user or a password.
func plain(v variable) object {
	schema := object{"description": v.text}
	switch {
	case v.kind == "Switch":
		schema["enum"] = []any{"0", "1", 0, 1}
	case len(v.choices) > 0:
		schema["enum"] = v.choices
	case v.between[0] != "":
		schema["type"], schema["pattern"] = []string{"string", "integer"}, "^[0-9]+$"
		schema["minimum"], schema["maximum"] = json.Number(v.between[0]), json.Number(v.between[1])
	default:
		schema["type"], schema["minLength"] = "string", 1
		schema["if"], schema["then"] = object{"pattern": "://[^/]*@"}, object{"const": "a URL without user and password: those are a secret"}
	}
	return schema
}

// secretsOfChart are the variables that the connector reads from a mounted Secret.
func secretsOfChart(all []variable) object {
	properties := object{}
	for _, v := range all {
		if instead, set := setByChart(v.name); set && v.secret {
			properties[v.name] = refused(instead)
		} else if v.secret {
			// The message of a pattern would show the value, which somebody may have taken for the place of the secret.
			properties[v.name] = object{
				"description": v.text, "type": "string", "if": object{"pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?/[A-Za-z0-9._-]+$"},
				"then": object{}, "else": object{"const": "FOLDER/KEY, a folder of secretMounts and a key of its Secret"},
			}
		}
	}
	return properties
}

func setByChart(name string) (instead string, set bool) {
	for _, row := range chartSets() {
		if regexp.MustCompile("^(" + row.names + ")$").MatchString(name) {
			return row.instead, true
		}
	}
	return "", false
}

// requiredInChart says which variables each value of PROVIDER needs.
func requiredInChart(all []variable) (rules []object) {
	needs := map[string]*[2][]string{} // plain ones, secret ones
	var order []string
	for _, v := range all {
		if v.provider == "" || v.shared || !v.required || v.unset != "" || v.isFile || v.standard != "" {
			continue
		}
		if needs[v.provider] == nil {
			needs[v.provider] = &[2][]string{}
			order = append(order, v.provider)
		}
		into := &needs[v.provider][0]
		if v.secret {
			into = &needs[v.provider][1]
		}
		*into = append(*into, v.name)
	}
	for _, provider := range order {
		then := object{}
		for i, key := range []string{"config", "secretFiles"} {
			if len(needs[provider][i]) > 0 {
				then[key] = object{"required": needs[provider][i]}
			}
		}
		rules = append(rules, object{
			"if": object{"properties": object{"config": object{
				"required": []string{"PROVIDER"}, "properties": object{"PROVIDER": object{"const": provider}},
			}}},
			"then": object{"properties": then},
		})
	}
	return rules
}
