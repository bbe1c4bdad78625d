// SPDX-License-Identifier: Apache-2.0

package canonjson

import (
	"fmt"
	"strings"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/stretchr/testify/require"

	"touchstone.example/tests/comparebench"
)

// Both make canonical JSON in a new slice.
func BenchmarkCompare(b *testing.B) {
	var users []string
	for i := range 500 {
		users = append(users, fmt.Sprintf(`"@user%d:two.example": %d`, 7919*i%500, i%100))
	}
	for _, c := range []struct{ what, in string }{
		{"an event of a kilobyte", pdu},
		{"the same, canonical already", pduCanonical},
		{"500 users in no order", `{"users": {` + strings.Join(users, ", ") + `}}`},
	} {
		in := []byte(c.in)
		ours, err := Canonical(in)
		require.NoError(b, err)
		theirs, err := gmsl.CanonicalJSON(in)
		require.NoError(b, err)
		require.Equal(b, string(theirs), string(ours))
		comparebench.Run(b, "canonical JSON, "+c.what,
			func() error { _, err := Canonical(in); return err },
			func() error { _, err := gmsl.CanonicalJSON(in); return err })
	}
}
