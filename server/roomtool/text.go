// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// printable escapes text from an event, so that it cannot control the terminal.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) < 0 {
		return s
	}
	quoted := strconv.QuoteToGraphic(s)
	return quoted[1 : len(quoted)-1]
}

// shorten truncates text to at most n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// shortLength is the length of abbreviated event IDs.
const shortLength = 11

func shortID(eventID id.EventID) string {
	s := printable(string(eventID))
	if utf8.RuneCountInString(s) <= shortLength+1 {
		return s
	}
	return string([]rune(s)[:shortLength])
}

func shortIDs(ids []id.EventID) string {
	short := make([]string, len(ids))
	for i, eventID := range ids {
		short[i] = shortID(eventID)
	}
	return strings.Join(short, " ")
}

// label describes an event by its type and, for a state event, its state key
// and its main value if that is a single word.
func label(e *event.Event) string {
	s := printable(e.Type)
	if !e.IsState() {
		return s
	}
	if key := e.Key().Key; key != "" {
		s += " " + printable(key)
	}
	if word := mainValue(e); word != "" {
		s += " → " + word
	}
	return s
}

// mainValue returns the most important value in the content of a state event,
// if it has one.
func mainValue(e *event.Event) string {
	name := map[string]string{
		event.TypeMember: "membership", event.TypeJoinRules: "join_rule", "m.room.history_visibility": "history_visibility",
		"m.room.name": "name", "m.room.topic": "topic",
	}[e.Type]
	if name == "" {
		return ""
	}
	s, _ := e.ContentText(name)
	return shorten(printable(s), 24)
}

func keyLabel(k event.StateKey) string {
	if k.Key == "" {
		return printable(k.Type)
	}
	return printable(k.Type) + " " + printable(k.Key)
}

// pad pads text to n characters.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

// count formats a number with its noun, such as "2 events".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
