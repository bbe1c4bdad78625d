// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// notYetCalled lists functions that may have no caller outside tests, by folder
// and name, each with the reason.
var notYetCalled = map[string]string{
	"api.Exclusive":              "M_EXCLUSIVE completes the table of errors; application services return it",
	"api/id.IsOpaque":            "tests and fuzz targets compare the other grammars with it",
	"api/id.NewMXC":              "media repository",
	"server/event.ParseTemplate": "joins over federation",
	"server/event.Template":      "joins over federation",
	"server/event.SignJSON":      "signed requests and keys of federation",
	"server/event.VerifyJSON":    "signed requests and keys of federation",
	"server/feed.Kinds":          "tests write a change of each kind",
	"server/pushrules.Defaults":  "tests and fuzz targets start from the standard rules",
	"server/pushrules.Share":     "tests and fuzz targets evaluate the standard rules",
	"server/pushrules.Parse":     "push notifications",
	"storage.PutAccountData":     "account data",
	"storage.DeleteAlias":        "room directory",
	"storage.PublicRooms":        "room directory",
	"storage.PutRoomPublic":      "room directory",
	"storage.Cursor":             "readers with a cursor",
	"storage.PutCursor":          "readers with a cursor",
	"storage.InsertRefreshToken": "refresh tokens",
	"storage.PutSuccessor":       "refresh tokens",
	"storage.DeletePredecessors": "refresh tokens",
	"storage.DeleteAccessToken":  "refresh tokens",
	"storage.DeactivateUser":     "account management",
	"storage.PutPassword":        "account management",
	"storage.PutUserFlags":       "administration; tests lock accounts with it",
	"storage.SchemaFingerprint":  "test databases are copied from a template of this schema",
}

// A declaration is a function that others can call, and must.
type declaration struct {
	file   string
	line   int
	folder string
	name   string
	method bool
}

// calls are the functions that the tree declares, and the names that it uses
// outside tests. Types are not known here: a method counts as used if any method
// or field of its name is.
type calls struct {
	module    string // of go.mod, with a slash
	declared  []declaration
	selected  map[string]bool // x.Name, where x is no package
	functions map[string]bool // folder.Name
}

func newCalls(root fs.FS) *calls {
	c := &calls{selected: map[string]bool{}, functions: map[string]bool{}}
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return c // a tree without a module has no imports of its own
	}
	line, _, _ := bytes.Cut(mod, []byte("\n"))
	c.module = string(bytes.TrimSpace(bytes.TrimPrefix(line, []byte("module ")))) + "/"
	return c
}

// add collects the declarations and uses of one file.
func (c *calls) add(file string, fset *token.FileSet, tree *ast.File, generated bool) {
	if isTest(file) {
		return
	}
	folder := path.Dir(file)
	imports := map[string]string{} // name to folder, "" for another module's
	for _, spec := range tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		of, ours := strings.CutPrefix(target, c.module)
		if !ours || c.module == "" {
			of = ""
		}
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = of
	}
	skip := map[*ast.Ident]bool{} // names that are no uses
	for _, d := range tree.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		skip[f.Name] = true
		if f.Name.IsExported() && !generated && tree.Name.Name != "main" {
			c.declare(declaration{file, fset.Position(f.Pos()).Line, folder, f.Name.Name, f.Recv != nil}, f)
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				if of, ok := imports[x.Name]; ok {
					c.functions[of+"."+n.Sel.Name] = true
					return false
				}
			}
			c.selected[n.Sel.Name], skip[n.Sel] = true, true
		case *ast.Ident:
			if !skip[n] {
				c.functions[folder+"."+n.Name] = true
			}
		}
		return true
	})
}

// declare notes a function, or a method of a transaction of storage. Other
// methods may be there for an interface.
func (c *calls) declare(d declaration, f *ast.FuncDecl) {
	if d.method {
		star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
		if !ok || d.folder != "storage" {
			return
		}
		if of, ok := star.X.(*ast.Ident); !ok || of.Name != "Reader" && of.Name != "Writer" {
			return
		}
	}
	c.declared = append(c.declared, d)
}

// unused reports the declared functions that nothing calls.
func (c *calls) unused() (found []finding) {
	for _, d := range c.declared {
		key := d.folder + "." + d.name
		used := c.functions[key]
		if d.method {
			used = c.selected[d.name]
		}
		_, excepted := notYetCalled[key]
		switch {
		case !used && !excepted:
			found = append(found, finding{d.file, d.line, ruleUnused, d.name + " has no caller outside tests: remove it"})
		case used && excepted:
			found = append(found, finding{d.file, d.line, ruleNote, d.name + " has callers: take it off the list in cmd/lint/unused.go"})
		}
	}
	return found
}
