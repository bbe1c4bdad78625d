// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// goFile is one Go file during its check.
type goFile struct {
	name      string
	generated bool
	fset      *token.FileSet
	timeName  string // the name under which the file imports package time; empty if it does not
	testing   bool   // imports package testing
	allowed   map[int]*allowance
	found     []finding
}

// An allowance is a //house:allow comment. It applies to its own line, or to
// the next line if it has a line to itself.
type allowance struct {
	line   int
	rule   rule
	used   bool
	reason string
}

// checkGo runs the checks that need the syntax tree.
func checkGo(name string, src []byte, generated bool, uses *calls) ([]finding, error) {
	f := &goFile{name: name, generated: generated, fset: token.NewFileSet(), allowed: map[int]*allowance{}}
	tree, err := parser.ParseFile(f.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	uses.add(name, f.fset, tree, generated)
	f.comments(tree, src)
	f.imports(tree)
	ast.Inspect(tree, f.node)
	for _, a := range f.allowed {
		if !a.used && a.reason != "" {
			f.found = append(f.found, finding{name, a.line, ruleAllow, fmt.Sprintf("allows %s, which nothing here breaks", a.rule)})
		}
	}
	return f.found, nil
}

// report adds a finding, unless its folder or its line is exempt.
func (f *goFile) report(pos token.Pos, r rule, text string) {
	line := f.fset.Position(pos).Line
	if exempt(r, f.name) {
		return
	}
	if a := f.allowed[line]; a != nil && a.rule == r {
		a.used = true
		return
	}
	f.found = append(f.found, finding{f.name, line, r, text})
}

var (
	allowComment = regexp.MustCompile(`^//house:allow(?:\s+(\S+))?(?:\s+(.+))?$`)
	todoComment  = regexp.MustCompile(`^//\s*(?:TODO|FIXME|XXX)\b`)
	todoIssue    = regexp.MustCompile(`^// TODO\(#\d+\): \S`)
)

func (f *goFile) comments(tree *ast.File, src []byte) {
	lines := strings.Split(string(src), "\n")
	for _, group := range tree.Comments {
		for _, c := range group.List {
			at := f.fset.Position(c.Pos())
			if m := allowComment.FindStringSubmatch(c.Text); m != nil {
				a := &allowance{line: at.Line, rule: rule(m[1]), reason: m[2]}
				if a.reason == "" || !known(a.rule) {
					f.found = append(f.found, finding{f.name, at.Line, ruleAllow, "write //house:allow RULE REASON, with a rule that -h lists"})
					a.reason = ""
				}
				covers := at.Line
				if strings.TrimSpace(lines[at.Line-1][:at.Column-1]) == "" {
					covers++
				}
				f.allowed[covers] = a
			}
			if todoComment.MatchString(c.Text) && !todoIssue.MatchString(c.Text) {
				f.report(c.Pos(), ruleTodo, "names no issue")
			}
		}
	}
}

func (f *goFile) imports(tree *ast.File) {
	for _, spec := range tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		switch target {
		case "math/rand", "math/rand/v2", "crypto/rand":
			f.report(spec.Pos(), ruleChance, target+": draw from an env.Env")
		case "testing":
			f.testing = true
		case "time":
			f.timeName = path.Base(target)
			if spec.Name != nil {
				f.timeName = spec.Name.Name
			}
			if f.timeName == "." {
				f.report(spec.Pos(), ruleClock, "a dot import hides time.Now")
			}
		}
	}
}

func (f *goFile) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		f.selector(n)
	case *ast.GoStmt:
		f.report(n.Pos(), ruleGoroutine, "a bare go statement: nobody waits for it")
	case *ast.CallExpr:
		f.call(n)
	case *ast.FuncDecl:
		f.function(n)
	}
	return true
}

// selector checks each use of a name, not only calls, because a function value
// can be called later.
func (f *goFile) selector(n *ast.SelectorExpr) {
	if n.Sel.Name == "Stamp" && isFeed(n.X) {
		f.report(n.Pos(), ruleStamp, "feed.Stamp may be behind what others have acknowledged: reach a position with feed.Reach")
	}
	x, ok := n.X.(*ast.Ident)
	if !ok {
		return
	}
	if strings.HasPrefix(f.name, "server/") && connects(x.Name, n.Sel.Name) {
		f.report(n.Pos(), ruleOutbound, x.Name+"."+n.Sel.Name+" goes to any address: use outbound.Transport")
	}
	if f.timeName == "" || x.Name != f.timeName {
		return
	}
	switch n.Sel.Name {
	case "Now", "Since", "Until":
		f.report(n.Pos(), ruleClock, "time."+n.Sel.Name+" reads the clock: ask an env.Env")
	case "Sleep":
		f.report(n.Pos(), ruleSleep, "time.Sleep: wait for what you are waiting for")
	}
}

// connects reports whether what a package has opens connections by itself. An
// http.Client does with the Transport that it is given.
func connects(pkg, name string) bool {
	switch pkg {
	case "net", "tls":
		return strings.HasPrefix(name, "Dial")
	case "http":
		switch name {
		case "Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "Transport":
			return true
		}
	}
	return false
}

// isFeed reports whether an expression is a feed, judging by its name: types
// are not known here.
func isFeed(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "f" || strings.EqualFold(x.Name, "feed")
	case *ast.SelectorExpr:
		return strings.EqualFold(x.Sel.Name, "feed")
	}
	return false
}

func (f *goFile) call(n *ast.CallExpr) {
	sel, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || !f.testing {
		return
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return
	}
	switch x.Name {
	case "t", "b", "f", "tb", "tt":
	default:
		return
	}
	switch {
	case sel.Sel.Name == "SkipNow", sel.Sel.Name == "Skip" && len(n.Args) == 0:
		f.report(n.Pos(), ruleSkip, "say why the test is skipped")
	case (sel.Sel.Name == "Skip" || sel.Sel.Name == "Skipf") && len(n.Args) == 1:
		if lit, ok := n.Args[0].(*ast.BasicLit); ok && len(lit.Value) < 3 {
			f.report(n.Pos(), ruleSkip, "say why the test is skipped")
		}
	}
}

func (f *goFile) function(n *ast.FuncDecl) {
	if f.generated || n.Body == nil || isTest(f.name) {
		return
	}
	lines := f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
	if lines > longFuncLines {
		f.report(n.Pos(), ruleNote, fmt.Sprintf("%s has %d lines; aim under %d", n.Name.Name, lines, longFuncLines))
	}
}
