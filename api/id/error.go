// SPDX-License-Identifier: Apache-2.0

package id

// A Rule is what a string has to keep to be an identifier.
type Rule string

// The rules. Their values are the texts of errors.
const (
	RuleEmpty     Rule = "is empty"
	RuleLength    Rule = "is longer than 255 bytes"
	RuleSigil     Rule = "does not begin with its sigil"
	RuleUTF8      Rule = "is not UTF-8"
	RuleNUL       Rule = "contains U+0000"
	RuleServer    Rule = "has no server name"
	RuleHost      Rule = "has an invalid host in its server name"
	RuleIPv4      Rule = "has an invalid IPv4 address as its server name"
	RuleIPv6      Rule = "has an invalid IPv6 address as its server name"
	RulePort      Rule = "has an invalid port in its server name"
	RuleChars     Rule = "has characters that it must not have"
	RuleAlgorithm Rule = "has no algorithm before a colon"
	RuleScheme    Rule = "does not begin with mxc://"
	RuleMediaID   Rule = "has an invalid media id"
	RuleString    Rule = "is not a string"
)

// An Error says which rule a string breaks that should be an identifier. It
// does not repeat the string.
type Error struct {
	Type string // what it should be, such as "user ID"
	Rule Rule
}

func (e *Error) Error() string { return "the " + e.Type + " " + string(e.Rule) }

// Is makes errors with the same fields equal to errors.Is.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && *t == *e
}
