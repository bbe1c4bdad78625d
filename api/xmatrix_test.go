// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseXMatrix(t *testing.T) {
	full := XMatrix{Origin: "origin.hs.example.com", Destination: "d.example:8448", Key: "ed25519:key1", Sig: "AB+/c"}
	for name, header := range map[string]string{
		"as the specification writes it": `X-Matrix origin="origin.hs.example.com",destination="d.example:8448",key="ed25519:key1",sig="AB+/c"`,
		"tokens, and colons in them":     `X-Matrix origin=origin.hs.example.com,destination=d.example:8448,key=ed25519:key1,sig="AB+/c"`,
		"names and scheme in any case":   `x-matrix ORIGIN="origin.hs.example.com",Destination="d.example:8448",kEy="ed25519:key1",SIG="AB+/c"`,
		"another order":                  `X-Matrix sig="AB+/c",key="ed25519:key1",destination="d.example:8448",origin="origin.hs.example.com"`,
		"white space":                    "X-Matrix   origin = origin.hs.example.com \t,\t destination\t=\t\"d.example:8448\" , key=ed25519:key1,sig=\"AB+/c\"  ",
		"empty list elements":            `X-Matrix ,origin=origin.hs.example.com,, ,destination=d.example:8448,key=ed25519:key1,sig="AB+/c",`,
		"escapes":                        `X-Matrix origin="origin\.hs.\e\x\a\mple.com",destination="d.example:8448",key="ed25519:key1",sig="AB\+/c"`,
		"unknown parameters":             `X-Matrix origin=origin.hs.example.com,destination=d.example:8448,new="a,b=\"c\"",key=ed25519:key1,sig="AB+/c",x=1`,
	} {
		got, err := ParseXMatrix(header)
		require.NoError(t, err, name)
		require.Equal(t, full, got, name)
	}
	old, err := ParseXMatrix(`X-Matrix origin="[::1]:80",key="ed25519:1",sig="s"`)
	require.NoError(t, err)
	require.Equal(t, XMatrix{Origin: "[::1]:80", Key: "ed25519:1", Sig: "s"}, old, "older servers send no destination")

	require.Equal(t, `X-Matrix origin="origin.hs.example.com",destination="d.example:8448",key="ed25519:key1",sig="AB+/c"`, full.String())
	odd := XMatrix{Origin: "o", Destination: "d", Key: `ed25519:a"\b`, Sig: "s"}
	back, err := ParseXMatrix(odd.String())
	require.NoError(t, err)
	require.Equal(t, odd, back)
}

func TestParseXMatrixRefusals(t *testing.T) {
	const good = `origin=o,key="ed25519:1",sig=s`
	for name, header := range map[string]string{
		"empty":                           ``,
		"another scheme":                  `Bearer ` + good,
		"a scheme that begins like it":    `X-Matrixx ` + good,
		"no parameters":                   `X-Matrix`,
		"a tab behind the scheme":         "X-Matrix\t" + good,
		"no origin":                       `X-Matrix key="ed25519:1",sig=s`,
		"no key":                          `X-Matrix origin=o,sig=s`,
		"no signature":                    `X-Matrix origin=o,key="ed25519:1"`,
		"an empty signature":              `X-Matrix origin=o,key="ed25519:1",sig=""`,
		"an empty value":                  `X-Matrix origin=,key="ed25519:1",sig=s`,
		"a repeated parameter":            `X-Matrix ` + good + `,Origin=o`,
		"a repeated unknown parameter":    `X-Matrix ` + good + `,x=1,x=1`,
		"a bad origin":                    `X-Matrix origin="o/..",key="ed25519:1",sig=s`,
		"a bad destination":               `X-Matrix ` + good + `,destination="a b"`,
		"an empty destination":            `X-Matrix ` + good + `,destination=""`,
		"a key without an algorithm":      `X-Matrix origin=o,key=1,sig=s`,
		"a slash without quotes":          `X-Matrix origin=o,key="ed25519:1",sig=a/b`,
		"brackets without quotes":         `X-Matrix origin=[::1],key="ed25519:1",sig=s`,
		"no comma":                        `X-Matrix origin=o key="ed25519:1",sig=s`,
		"a semicolon":                     `X-Matrix origin=o;key="ed25519:1";sig=s`,
		"text behind a quoted value":      `X-Matrix origin="o"x,key="ed25519:1",sig=s`,
		"a quoted value without an end":   `X-Matrix ` + good + `,x="abc`,
		"one that ends in a backslash":    `X-Matrix ` + good + `,x="abc\`,
		"one that ends in an escape":      `X-Matrix ` + good + `,x="abc\"`,
		"a control character":             `X-Matrix ` + good + ",x=\"\x01\"",
		"an escaped control character":    `X-Matrix ` + good + ",x=\"\\\n\"",
		"a delete character":              `X-Matrix ` + good + ",x=\"\x7f\"",
		"a name alone":                    `X-Matrix ` + good + `,x`,
		"a value alone":                   `X-Matrix ` + good + `,="x"`,
		"a quoted name":                   `X-Matrix ` + good + `,"x"=y`,
		"a byte that is no token":         `X-Matrix ` + good + ",x\x00=y",
		"more empty elements than is fit": `X-Matrix ` + strings.Repeat(",", 1000) + good,
	} {
		_, err := ParseXMatrix(header)
		require.Error(t, err, name)
	}
}
