// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValue(t *testing.T) {
	v := Parse([]byte(`{"a":[{"b":"x"},{"b":"y"}],"n":9007199254740993,"t":true,"s":["p","q"]}`))
	require.Equal(t, "x", v.At("a", 0, "b").String())
	require.Equal(t, "y", v.At("a", -1, "b").String())
	require.Equal(t, []string{"x", "y"}, v.At("a").Pluck("b"))
	require.Equal(t, "9007199254740993", v.At("n").Raw(), "numbers keep their digits")
	require.Equal(t, []string{"a", "n", "s", "t"}, v.Keys())
	require.Equal(t, []string{"p", "q"}, v.At("s").Strings())
	require.True(t, v.At("t").Bool())
	for _, missing := range []Value{v.At("z"), v.At("a", 2), v.At("a", -3), v.At("n", "x"), Parse([]byte(`{`)), Parse([]byte(`{"a":1,"a":2}`))} {
		require.False(t, missing.Exists())
	}
}
