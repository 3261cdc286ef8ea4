package policyfile_test

import (
	"reflect"
	"slices"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/policyfile"
)

// Who asks by a policy is known before the policy is read, also where the sections have faults.
func TestUses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, content string
		surroundings  policyfile.Surroundings
		want          map[string]policy.Use
		callers       []string
	}{
		{name: "nobody", content: "webhooks: []\n", want: map[string]policy.Use{"default": {}}},
		{name: "the environment", content: "webhooks: 7\ndoors: 7\n", surroundings: policyfile.Surroundings{WebhookIDs: []string{"x"}}, want: map[string]policy.Use{"default": {Webhook: true}, "wifi": {}}},
		{
			name: "all",
			content: "webhooks:\n  - {name: devices, policy: staff}\n  - {name: ssh, policy: staff, accepts: [ssh_user, ssh_host]}\n  - {name: cloud, accepts: radius, policy: wifi}\n  - 7\n" +
				"doors:\n  radius: [{callers: [radius.example.com, 'cn:radius'], policy: wifi}]\n  forward_auth:\n    - {callers: [proxy.example.com, radius.example.com], policy: web}\n    - {policy: [a, b]}\n    - {callers: one, policy: staff}\n",
			want:    map[string]policy.Use{"default": {}, "staff": {Webhook: true, ForwardAuth: true}, "wifi": {RADIUS: true, Smallstep: []string{"cloud"}}, "web": {ForwardAuth: true}, "a": {}},
			callers: []string{"radius.example.com", "cn:radius", "proxy.example.com", "one"},
		},
		{name: "malformed", content: "webhooks: {policy: staff}\ndoors: {radius: {policy: wifi}, forward_auth: web}\n", want: map[string]policy.Use{"staff": {}, "wifi": {}}},
	} {
		_, root, err := document.Parse("p.yaml", []byte(c.content), document.MapOf(document.Optional("webhooks", &document.Shape{}), document.Optional("doors", &document.Shape{})))
		if err != nil {
			t.Fatal(err)
		}
		webhooks, doors := root.Mapping().Get("webhooks"), root.Mapping().Get("doors")
		use := policyfile.Uses(webhooks, doors, c.surroundings)
		for name, want := range c.want {
			if got := use(name); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s is used as %+v, want %+v", c.name, name, got, want)
			}
		}
		if got := policyfile.DoorCallers(doors); !slices.Equal(got, c.callers) {
			t.Errorf("%s: callers %q, want %q", c.name, got, c.callers)
		}
	}
}
