// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two APIs generated from the same document share all types. After an edit of
// the second document, the second API declares the affected types itself.
func TestShare(t *testing.T) {
	raw, err := os.ReadFile("testdata/small.json")
	require.NoError(t, err)
	make := func(pkgName string, edit ...string) *pkg {
		p := &pkg{api: api{"small", pkgName, "Small", "small-api", "small API"}, doc: new(document), release: "v1.19"}
		require.NoError(t, parse("small.json", []byte(strings.NewReplacer(edit...).Replace(string(raw))), p.doc))
		require.NoError(t, p.passes())
		return p
	}
	owners := func(p *pkg) map[string]string {
		out := map[string]string{}
		for _, o := range p.objects {
			out[o.name] = o.owner
		}
		return out
	}
	empty := func(name string) *pkg { return &pkg{api: api{pkg: name}} }

	fed, client := make("fedapi"), make("clientapi")
	share([]*pkg{client, fed, empty("asapi"), empty("identityapi"), empty("pushapi")})
	for name, owner := range owners(fed) {
		require.Empty(t, owner, "%s: the first API owns what it has", name)
	}
	shared := owners(client)
	require.Equal(t, "fedapi", shared["Signed"])
	require.Empty(t, shared["PutThingBody"], "an operation's own body")
	for _, e := range client.enums {
		require.Equal(t, "fedapi", e.of, e.name)
	}

	fed, client = make("fedapi"), make("clientapi", `"age": {"type": "integer", "format": "int64"}`, `"age": {"type": "string"}`)
	share([]*pkg{client, fed, empty("asapi"), empty("identityapi"), empty("pushapi")})
	require.Empty(t, owners(client)["Signed"], "the same name, and another type in it")
}
