// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text is a string from clients or other servers in a TEXT column. JSON strings may
// contain U+0000 and TEXT may not, so it is stored escaped. Escaping keeps the order of
// strings and does not change ordinary text.
//
// A plain string argument is escaped in the same way, so that a look-up by a string
// with U+0000 works; but only a Text is unescaped when it is scanned.
type Text string

const escapeByte = '\x01'

var (
	escaper   = strings.NewReplacer("\x00", "\x010", "\x01", "\x011")
	unescaper = strings.NewReplacer("\x010", "\x00", "\x011", "\x01")
)

// escapeText escapes s for a TEXT column.
func escapeText(s string) string {
	if strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, escapeByte) < 0 {
		if utf8.ValidString(s) {
			return s
		}
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return escaper.Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

func unescape(s string) string {
	if strings.IndexByte(s, escapeByte) < 0 {
		return s
	}
	return unescaper.Replace(s)
}

// Value implements driver.Valuer.
func (t Text) Value() (driver.Value, error) { return escapeText(string(t)), nil }

// Scan implements sql.Scanner.
func (t *Text) Scan(src any) error {
	switch s := src.(type) {
	case string:
		*t = Text(unescape(s))
	case []byte:
		*t = Text(unescape(string(s)))
	default:
		return fmt.Errorf("scan %T into Text", src)
	}
	return nil
}
