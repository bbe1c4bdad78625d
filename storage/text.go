// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text is text from others in a TEXT column. JSON strings may hold U+0000 and
// TEXT may not, so it is stored escaped and comes back as it was. Escaping
// keeps the order of strings and leaves ordinary text alone.
//
// A plain string argument is escaped in the same way, so that a lookup by a
// string that cannot exist finds nothing instead of failing; but only Text
// scans back what went in.
type Text string

const escapeByte = '\x01'

var (
	escaper   = strings.NewReplacer("\x00", "\x010", "\x01", "\x011")
	unescaper = strings.NewReplacer("\x010", "\x00", "\x011", "\x01")
)

// escapeText is s as a TEXT column can hold it.
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
