// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const goodRegistration = `id: irc
url: http://127.0.0.1:9000
as_token: one
hs_token: two
sender_localpart: ircbot
namespaces:
  users: [{exclusive: true, regex: "@irc_.*"}]
  aliases: []
`

var otherRegistration = strings.NewReplacer("irc", "xmpp", "one", "three", "two", "four").Replace(goodRegistration)

// TestRegistrationFiles: a file that is no registration is refused with the key
// that is wrong, so that check-config is worth running.
func TestRegistrationFiles(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"good":                          {"", "", ""},
		"no traffic wanted":             {"url: http://127.0.0.1:9000", "url: null", ""},
		"a key of its own":              {"id: irc", "id: irc\nde.sorunome.msc2409.push_ephemeral: true", ""},
		"any YAML":                      {goodRegistration, "hello: world", "bridge.yaml: missing required key id"},
		"no YAML":                       {"id: irc", "id: [", "bridge.yaml: line"},
		"a list":                        {goodRegistration, "- a", "bridge.yaml: "},
		"no token":                      {"as_token: one", "as_token: ''", "bridge.yaml: missing required key as_token"},
		"no URL":                        {"url: http://127.0.0.1:9000\n", "", "bridge.yaml: missing required key url"},
		"a URL without its scheme":      {"http://127.0.0.1:9000", "127.0.0.1:9000", "url is not an http or https URL"},
		"no namespaces":                 {"namespaces:", "name_spaces:", "missing required key namespaces"},
		"a namespace that is no regexp": {"@irc_.*", "@irc_(", "namespaces.users[0].regex: error parsing regexp"},
		"an unclear claim":              {"exclusive: true, ", "", "namespaces.users[0]: missing required key regex or exclusive"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, "appservices: [bridge.yaml]", nil, nil, map[string]string{"bridge.yaml": strings.Replace(goodRegistration, c.old, c.new, 1)})
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
			}
		})
	}
	_, err := load(t, "appservices: [a.yaml, b.yaml]", nil, nil, map[string]string{"a.yaml": goodRegistration, "b.yaml": strings.Replace(otherRegistration, "three", "one", 1)})
	require.ErrorContains(t, err, "b.yaml: as_token is that of a.yaml too")
	_, err = load(t, "appservices: [a.yaml, a.yaml]", nil, nil, map[string]string{"a.yaml": goodRegistration})
	require.ErrorContains(t, err, "a.yaml is listed twice")
}
