// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"strings"
)

// suggestKey suggests a key for an unknown one: the most similar key of the same
// section, or the same key in another section.
func suggestKey(prefix, key string, section reflect.Type) string {
	var siblings []string
	for f := range section.Fields() {
		if name := f.Tag.Get("yaml"); name != "-" {
			siblings = append(siblings, name)
		}
	}
	if best, ok := nearest(strings.ToLower(key), siblings); ok {
		return didYouMean(prefix + best)
	}
	for _, s := range settings {
		last := s.path[strings.LastIndexByte(s.path, '.')+1:]
		if last == strings.ToLower(key) || strings.ReplaceAll(s.path, ".", "_") == strings.ToLower(key) {
			return didYouMean(s.path)
		}
	}
	return ""
}

func suggestEnv(name string) string {
	var all []string
	for _, s := range settings {
		all = append(all, strings.TrimPrefix(s.env(), envPrefix))
	}
	if best, ok := nearest(strings.TrimPrefix(name, envPrefix), all); ok {
		return didYouMean(envPrefix + best)
	}
	return ""
}

func didYouMean(what string) string { return fmt.Sprintf(" (did you mean %s?)", what) }

// nearest finds the candidate with the fewest edits, at most a third of the
// word's length.
func nearest(word string, candidates []string) (string, bool) {
	best, fewest := "", len(word)/3+1
	for _, c := range candidates {
		if d := distance(word, c); d < fewest {
			best, fewest = c, d
		}
	}
	return best, best != ""
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
