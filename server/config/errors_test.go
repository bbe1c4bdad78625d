// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProblemsNameTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ yaml, env, args, want string }{
		"a key with a typing error":             {yaml: "\nsever_name: a", want: "t.yaml:2: there is no setting sever_name (did you mean server_name?)"},
		"a key with swapped letters":            {yaml: "log: {levle: info}", want: "t.yaml:1: there is no setting log.levle (did you mean log.level?)"},
		"a key of another section":              {yaml: "shared_secret: a", want: "t.yaml:1: there is no setting shared_secret (did you mean registration.shared_secret?)"},
		"a flattened key":                       {yaml: "log_level: a", want: "t.yaml:1: there is no setting log_level (did you mean log.level?)"},
		"a key like no other":                   {yaml: "frobnicate: a", want: "t.yaml:1: there is no setting frobnicate"},
		"the notes, which are no setting":       {yaml: "'-': a", want: "t.yaml:1: there is no setting -"},
		"a key twice":                           {yaml: "lab: false\nlab: true", want: "t.yaml:2: lab is set twice"},
		"a section that is a value":             {yaml: "log: info", want: `t.yaml:1: log wants keys below it, not "info"`},
		"a file that is a list":                 {yaml: "- a", want: "t.yaml:1: the file wants keys below it, not a list"},
		"a value that is a section":             {yaml: "server_name: {a: b}", want: "t.yaml:1: server_name: want one value, not keys"},
		"a truth that is none":                  {yaml: "lab: maybe", want: `t.yaml:1: lab: want true or false, not "maybe"`},
		"a number that is none":                 {yaml: "passwords:\n  passes: 1.5", want: `t.yaml:2: passwords.passes: want a whole number, not "1.5"`},
		"a list that is none":                   {yaml: "appservices: a", want: `t.yaml:1: appservices: want a list, not "a"`},
		"a list of lists":                       {yaml: "appservices: [[a]]", want: "t.yaml:1: appservices: want a list of texts, not of a list"},
		"a map that is none":                    {yaml: "strictness: {rules: a}", want: `t.yaml:1: strictness.rules: want keys below it, not "a"`},
		"a map of lists":                        {yaml: "strictness: {rules: {a: []}}", want: "t.yaml:1: strictness.rules: a: want a text, not a list"},
		"a map with a key twice":                {yaml: "strictness: {rules: {a: off, a: off}}", want: "t.yaml:1: strictness.rules: a is set twice"},
		"a level that is none":                  {yaml: "log: {level: loud}", want: `t.yaml:1: log.level: "loud" is not one of its values`},
		"two documents":                         {yaml: "lab: false\n---\nlab: true", want: "t.yaml: one document only, please: nothing may follow ---"},
		"no YAML":                               {yaml: "a: [", want: "t.yaml: line 1: did not find expected node content"},
		"a truth in the environment":            {env: "TOUCHSTONE_LAB=perhaps", want: `environment TOUCHSTONE_LAB: want true or false, not "perhaps"`},
		"a map in the environment":              {env: "TOUCHSTONE_STRICTNESS_RULES=a", want: `environment TOUCHSTONE_STRICTNESS_RULES: want key=value pairs separated by commas, not "a"`},
		"a server name":                         {args: "--server-name a/b", want: `flag --server-name: server_name: "a/b" is not a server name`},
		"a database without a scheme":           {args: "--database /tmp/x", want: "flag --database: database: want a URL that begins with sqlite: or postgres:"},
		"a database with a relative path":       {yaml: "database: sqlite://x.db", want: "t.yaml:1: database: want sqlite:///absolute/path.db or sqlite::memory:"},
		"a SQLite URL with parameters":          {yaml: "database: sqlite:///x.db?mode=ro", want: "t.yaml:1: database: a SQLite URL has no parameters"},
		"a PostgreSQL URL without a host":       {yaml: "database: postgres:x", want: "t.yaml:1: database: want postgres://user:password@host/name"},
		"no client listener":                    {yaml: "listeners: {client: {address: ''}}", want: "listeners.client.address: a server without it serves nobody"},
		"an address without a port":             {args: "--listen localhost", want: `flag --listen: listeners.client.address: "localhost" is not host:port`},
		"a port that is none":                   {args: "--listen localhost:http", want: `listeners.client.address: "http" is not a port between 0 and 65535`},
		"a proxy that is no network":            {yaml: "listeners: {trusted_proxies: [10.0.0.0/8, proxy.example.org]}", want: `t.yaml:1: listeners.trusted_proxies: "proxy.example.org" is not an address or a network, such as 192.0.2.1 or 10.0.0.0/8`},
		"a key without its certificate":         {yaml: "listeners: {federation: {address: ':8448', tls_key_file: k}}", want: "listeners.federation.tls_key_file: a key needs its certificate in tls_cert_file"},
		"a certificate without its key":         {yaml: "listeners: {federation: {address: ':8448', tls_cert_file: k}}", want: "listeners.federation.tls_cert_file: a certificate needs its key in tls_key_file"},
		"a certificate without an address":      {yaml: "listeners: {federation: {tls_key_file: k, tls_cert_file: k}}", want: "listeners.federation.tls_cert_file: there is no address to use it on"},
		"a certificate that is not there":       {yaml: "listeners: {client: {tls_key_file: gone, tls_cert_file: k}}", want: "t.yaml:1: listeners.client.tls_key_file: open gone: file does not exist"},
		"a proposal that is none":               {yaml: "unstable: [msc1]", want: `unstable: "msc1"`},
		"a base URL that is none":               {yaml: "well_known: {client: m.example.org}", want: `well_known.client: "m.example.org" is not a base URL`},
		"a delegation that is none":             {yaml: "well_known: {server: 'https://a'}", want: `well_known.server: "https://a" is not a server name`},
		"no passes":                             {yaml: "passwords: {passes: 0}", want: "passwords.passes: at least 1, not 0"},
		"too many threads":                      {yaml: "passwords: {threads: 256}", want: "passwords.threads: between 1 and 255, not 256"},
		"too little memory":                     {yaml: "passwords: {threads: 4, memory_kib: 31}", want: "passwords.memory_kib: between 32 (8 a thread) and 4194304, not 31"},
		"negative concurrency":                  {yaml: "passwords: {concurrency: -1}", want: "passwords.concurrency: 0 or more, not -1"},
		"a profile that is none":                {yaml: "strictness: {profile: Strict}", want: `strictness.profile: "Strict" is not one of strict, lenient, synapse (did you mean strict?)`},
		"a rule that is none":                   {yaml: "strictness: {rules: {request-limit: report}}", want: "t.yaml:1: strictness.rules: there is no rule request-limit (did you mean request-limits?)"},
		"a rule's setting that is none":         {yaml: "strictness: {rules: {request-type: warn}}", want: `strictness.rules: "warn" is not one of enforce, report, off`},
		"a format that is none":                 {yaml: "log: {format: xml}", want: `t.yaml:1: log.format: "xml" is not one of auto, text, json`},
		"a CA that is not there":                {yaml: "federation: {trusted_ca_file: ca}", want: "t.yaml:1: federation.trusted_ca_file: open ca: file does not exist"},
		"an application service not there":      {env: "TOUCHSTONE_APPSERVICES=as", want: "environment TOUCHSTONE_APPSERVICES: appservices: open as: file does not exist"},
		"a secret that is not there":            {yaml: "registration: {token_file: f}", want: "t.yaml:1: registration.token_file: open f: file does not exist"},
		"a secret and its file":                 {yaml: "registration: {token_file: f, token: t}", want: "t.yaml:1: registration.token and registration.token_file are both set; keep one"},
		"a clock that is none":                  {args: "--clock noon", want: `flag --clock: clock: clock "noon" is not an RFC 3339 time`},
		"a seed on a public address":            {args: "--seed s --listen :8008", want: "flag --seed: seed: needs lab, or listeners on loopback addresses only: whoever knows it can guess every token"},
		"a clock beside a federation listener":  {args: "--clock 2026-01-02T03:04:05Z", yaml: "listeners: {federation: {address: ':8448'}}", want: "flag --clock: clock: needs lab, or listeners on loopback addresses only"},
		"lab mode beside public federation":     {args: "--lab", yaml: "listeners: {federation: {address: ':8448'}}", want: "flag --lab: lab: refuses to run beside a federation listener that the internet may reach (:8448)"},
		"lab mode at a public address":          {args: "--lab", yaml: "listeners: {federation: {address: '1.2.3.4:8448'}}", want: "lab: refuses to run"},
		"lab mode at a host name":               {args: "--lab", yaml: "listeners: {federation: {address: 'example.org:8448'}}", want: "lab: refuses to run"},
		"a control plane without lab mode":      {yaml: "listeners: {lab: {address: ':8009'}}", want: "listeners.lab.address: is of use only with lab"},
		"a control plane that others can reach": {args: "--lab", env: "TOUCHSTONE_LISTENERS_LAB_ADDRESS=:8009", want: "listeners.lab.address: others can reach :8009"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.yaml, []string{c.env}, strings.Fields(c.args), map[string]string{"k": ""})
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n", "one problem, one line")
		})
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	_, err := load(t, "lab: maybe\nnonsense: 1\nlog: {format: xml}", nil, nil, nil)
	require.Len(t, strings.Split(err.Error(), "\n"), 3)
}

func TestWhatIsAllowedForTests(t *testing.T) {
	clock := []string{"--seed", "s", "--clock", "2026-01-02T03:04:05Z"}
	for name, yaml := range map[string]string{
		"loopback only":                  "listeners: {client: {address: 'localhost:8008'}, federation: {address: '[::1]:8448'}}",
		"lab mode on every interface":    "lab: true\nlisteners: {client: {address: ':8008'}}",
		"lab mode in a private network":  "lab: true\nlisteners: {federation: {address: '10.1.2.3:8448'}}",
		"lab mode with local federation": "lab: true\nlisteners: {federation: {address: '127.0.0.1:0'}}",
	} {
		_, err := load(t, yaml, nil, clock, nil)
		require.NoError(t, err, name)
	}
}
