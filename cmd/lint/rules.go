// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"
	"strings"
)

// A rule is the name of a rule, as in findings and //house:allow comments.
type rule string

const (
	ruleClock     rule = "clock"
	ruleSleep     rule = "sleep"
	ruleChance    rule = "chance"
	ruleGoroutine rule = "goroutine"
	ruleStamp     rule = "stamp"
	ruleOutbound  rule = "outbound"
	ruleSPDX      rule = "spdx"
	ruleSize      rule = "size"
	ruleSkip      rule = "skip"
	ruleTodo      rule = "todo"
	ruleUnused    rule = "unused"
	ruleAllow     rule = "allow" // a //house:allow comment that is malformed or not needed
	ruleNote      rule = "note"
)

const (
	maxFileLines  = 800 // longer files are an error
	longFileLines = 400 // longer files get a note
	longFuncLines = 60  // longer functions get a note, except in tests
)

// ruleHelp describes each rule in one line, for -h.
var ruleHelp = []struct {
	rule rule
	text string
}{
	{ruleClock, "time.Now, time.Since and time.Until belong to server/env: pass an env.Env"},
	{ruleSleep, "time.Sleep hides a race: wait for a position, or advance the clock"},
	{ruleChance, "math/rand and crypto/rand belong to server/env: pass an env.Env"},
	{ruleGoroutine, "go statements belong to server/run: give the goroutine an owner with run.Group"},
	{ruleStamp, "feed.Stamp is for caches, which say why: a read for a client goes up to feed.Reach"},
	{ruleOutbound, "the server connects to others through server/outbound, which looks at where a name leads"},
	{ruleSPDX, "hand-written files begin with an SPDX licence identifier"},
	{ruleSize, fmt.Sprintf("files have at most %d lines", maxFileLines)},
	{ruleSkip, "a skipped test says why"},
	{ruleTodo, "TODO names its issue: TODO(#123): text"},
	{ruleUnused, "an exported function, or a method of a transaction of storage, has a caller outside tests"},
	{ruleAllow, "//house:allow RULE REASON has both, and allows something"},
}

// describe returns the text of -h after the usage line.
func describe() string {
	var b strings.Builder
	b.WriteString("Rules:\n")
	for _, r := range ruleHelp {
		fmt.Fprintf(&b, "  %-10s %s\n", r.rule, r.text)
	}
	fmt.Fprintf(&b, "  %-10s files over %d lines, functions over %d: advice only\n", ruleNote, longFileLines, longFuncLines)
	return b.String()
}

func known(r rule) bool {
	for _, h := range ruleHelp {
		if h.rule == r {
			return true
		}
	}
	return false
}

// An exemption exempts a folder from rules.
type exemption struct {
	folder string
	rules  []rule
	reason string
}

var exemptions = []exemption{
	{"server/env", []rule{ruleClock, ruleSleep, ruleChance}, "it is the source of time and chance"},
	{"server/run", []rule{ruleGoroutine}, "it is the owner of goroutines"},
	{"server/outbound", []rule{ruleOutbound}, "it is the way out"},
	{"complement", []rule{ruleClock, ruleChance, ruleGoroutine}, "a test tool beside the server: certificates, processes and their real clock"},
}

// testRules do not apply to tests, which start real servers, seed their
// generators and wait for what they start.
var testRules = []rule{ruleClock, ruleChance, ruleGoroutine, ruleStamp, ruleOutbound}

// exempt reports whether a rule does not apply to a file.
func exempt(r rule, file string) bool {
	if isTest(file) && contains(testRules, r) {
		return true
	}
	for _, e := range exemptions {
		if strings.HasPrefix(file, e.folder+"/") && contains(e.rules, r) {
			return true
		}
	}
	return false
}

// isTest reports whether a file is used only in tests: by its name, or because
// it is in a folder of test helpers.
func isTest(file string) bool {
	if strings.HasSuffix(file, "_test.go") {
		return true
	}
	top, _, _ := strings.Cut(file, "/")
	folder := path.Base(path.Dir(file))
	return top == "tests" || top == "fuzz" || strings.HasSuffix(folder, "test")
}

func contains(rules []rule, r rule) bool {
	for _, x := range rules {
		if x == r {
			return true
		}
	}
	return false
}
