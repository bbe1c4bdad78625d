// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"go.yaml.in/yaml/v3"

	"touchstone.example/api"
	"touchstone.example/spec"
)

// release is the folder of the pinned documents.
const release = spec.Version

// files says where an API's documents stand and which page of the
// specification they belong to.
var files = map[string]struct{ file, page string }{
	"clientapi":   {"client-server", "client-server-api"},
	"fedapi":      {"server-server", "server-server-api"},
	"asapi":       {"application-service", "application-service-api"},
	"identityapi": {"identity", "identity-service-api"},
	"pushapi":     {"push-gateway", "push-gateway-api"},
	"extraapi":    {"extra", ""},
}

// A document is one API's operations with their schemas. It is read when an
// operation of it is first judged, and each schema is compiled on first use:
// all at once would cost a second and much memory.
type document struct {
	page       string
	operations map[string]*operation
	common     common
}

// An operation is what the judge knows of one.
type operation struct {
	link      string
	request   *schema            // of the JSON body, or nil
	responses map[string]*schema // by status or range; nil for one without a JSON schema
	codes     map[string]bool    // error codes that it names
	query     map[string]bool    // parameters; nil where any name may be one
}

// common is what any operation of an API may answer with.
type common struct {
	statuses map[int]bool
	codes    map[string]bool
}

// rawOperation and what follows are the parts of OpenAPI that the judge reads.
type rawOperation struct {
	ID          string             `json:"operationId"`
	UpstreamID  string             `json:"x-upstream-id"`
	Parameters  []rawParameter     `json:"parameters"`
	RequestBody rawBody            `json:"requestBody"`
	Responses   map[string]rawBody `json:"responses"`
	Variants    []rawOperation     `json:"x-operations"`
}

type rawParameter struct {
	In     string `json:"in"`
	Name   string `json:"name"`
	Schema struct {
		Type any `json:"type"`
	} `json:"schema"`
}

type rawBody struct {
	Content map[string]struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"content"`
}

type rawErrors struct {
	Common map[string]struct {
		Statuses []int    `json:"statuses"`
		Codes    []string `json:"codes"`
	} `json:"common"`
	Operations map[string]map[string]map[string][]string `json:"operations"`
}

// load reads the documents of an API.
func load(from fs.FS, name string) (*document, error) {
	f, ok := files[name]
	if !ok {
		return nil, fmt.Errorf("no API %q", name)
	}
	raw, err := fs.ReadFile(from, release+"/errors.json")
	if err != nil {
		return nil, err
	}
	var errs rawErrors
	if err := json.Unmarshal(raw, &errs); err != nil {
		return nil, fmt.Errorf("errors.json: %w", err)
	}
	d := &document{page: f.page, operations: map[string]*operation{}}
	if f.page == "" {
		d.setCommon(errs, "client-server")
		return d, d.readExtra(from)
	}
	d.setCommon(errs, f.file)
	if raw, err = fs.ReadFile(from, release+"/"+f.file+".json"); err != nil {
		return nil, err
	}
	return d, d.read("spec:///"+f.file+".json", raw, errs.Operations[f.file])
}

func (d *document) setCommon(errs rawErrors, api string) {
	d.common = common{map[int]bool{}, map[string]bool{}}
	for _, s := range errs.Common[api].Statuses {
		d.common.statuses[s] = true
	}
	for _, c := range errs.Common[api].Codes {
		d.common.codes[c] = true
	}
}

// readExtra reads our own documents, which are written in YAML.
func (d *document) readExtra(from fs.FS) error {
	names, err := fs.Glob(from, "extra/*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		var v any
		if err := yaml.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if raw, err = json.Marshal(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := d.read("spec:///"+name, raw, nil); err != nil {
			return err
		}
	}
	return nil
}

// read indexes one document.
func (d *document) read(url string, raw []byte, codes map[string]map[string][]string) error {
	c, err := newCompiler(url, raw)
	if err != nil {
		return err
	}
	var doc struct {
		Paths map[string]map[string]rawOperation `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	for p, item := range doc.Paths {
		for method, op := range item {
			at := pointer("paths", p, method)
			link := site + d.page + "/#" + anchor(method, p)
			if d.page == "" {
				link = ""
			}
			if op.Variants == nil {
				d.add(c, link, at, op, codes)
			}
			for i, v := range op.Variants {
				d.add(c, link, at+pointer("x-operations", fmt.Sprint(i)), v, codes)
			}
		}
	}
	return nil
}

func (d *document) add(c *compiler, link, at string, raw rawOperation, codes map[string]map[string][]string) {
	op := &operation{link: link, responses: map[string]*schema{}, codes: map[string]bool{}}
	op.request = c.schema(raw.RequestBody, at+pointer("requestBody"))
	for status, r := range raw.Responses {
		op.responses[status] = c.schema(r, at+pointer("responses", status))
	}
	op.query = queryNames(raw.Parameters)
	d.operations[raw.ID] = op
	for _, id := range []string{raw.ID, raw.UpstreamID} {
		for _, list := range codes[id] {
			for _, code := range list {
				op.codes[code] = true
			}
		}
	}
	if raw.UpstreamID != "" {
		d.operations[raw.UpstreamID] = op
	}
}

var onlyLetters = strings.NewReplacer("/", "", "{", "", "}", "", ".", "")

// queryNames are the query parameters of an operation, or nil where one of them
// stands for any names.
func queryNames(parameters []rawParameter) map[string]bool {
	names := map[string]bool{}
	for _, p := range parameters {
		if p.In != "query" {
			continue
		}
		if p.Schema.Type == "object" {
			return nil
		}
		names[p.Name] = true
	}
	return names
}

// anchor is how the specification's pages name an operation.
func anchor(method, path string) string {
	return method + onlyLetters.Replace(strings.ToLower(path))
}

// declares reports whether the operation declares a status, itself or by its
// range.
func (o *operation) declares(status int) (*schema, bool) {
	for _, key := range []string{fmt.Sprint(status), fmt.Sprintf("%dXX", status/100)} {
		if s, ok := o.responses[key]; ok {
			return s, true
		}
	}
	return nil, false
}

// released holds the documents of spec.Files that have been needed so far. They do
// not change, so all judges of a process share them: reading one takes longer than
// most tests of a slice.
var released struct {
	mu   sync.Mutex
	docs map[string]*document
}

// documentOf returns the document of an API.
func documentOf(from fs.FS, name string) (*document, error) {
	if files, ok := from.(embed.FS); !ok || files != spec.Files {
		return load(from, name)
	}
	released.mu.Lock()
	defer released.mu.Unlock()
	if d := released.docs[name]; d != nil {
		return d, nil
	}
	d, err := load(from, name)
	if err != nil {
		return nil, err
	}
	if released.docs == nil {
		released.docs = map[string]*document{}
	}
	released.docs[name] = d
	return d, nil
}

// A library holds the documents that have been needed so far.
type library struct {
	from fs.FS
	mu   sync.Mutex
	docs map[string]*document
	// events are schemas of single events, by file name.
	events map[string]*schema
	// contents are those of their contents; nil where only the event has one.
	contents map[string]*schema
}

// operation finds what is known of an operation.
func (l *library) operation(op *api.Operation) (*document, *operation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docs[op.API]
	if d == nil {
		var err error
		if d, err = documentOf(l.from, op.API); err != nil {
			return nil, nil, fmt.Errorf("strict: %w", err)
		}
		l.docs[op.API] = d
	}
	o := d.operations[op.ID]
	if o == nil {
		return nil, nil, fmt.Errorf("strict: no operation %s in %s", op.ID, op.API)
	}
	return d, o, nil
}

// event finds the schema in a file of the release, or nil if there is none.
func (l *library) event(name string) (*schema, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.events[name]; ok {
		return s, nil
	}
	raw, err := fs.ReadFile(l.from, path.Join(release, name+".json"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	url := "spec:///" + strings.ReplaceAll(name, "$", "%24") + ".json"
	c, err := newCompiler(url, raw)
	if err != nil {
		return nil, err
	}
	l.events[name] = &schema{c: c, url: url}
	return l.events[name], nil
}

// content finds the schema of an event's content in the file of its type, or else,
// with whole, that of the event.
func (l *library) content(name string) (s *schema, whole bool, err error) {
	event, err := l.event("events/" + name)
	if err != nil || event == nil {
		return nil, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.contents[name]; ok {
		return cmp.Or(s, event), s == nil, nil
	}
	raw, err := fs.ReadFile(l.from, path.Join(release, "events", name+".json"))
	if err != nil {
		return nil, false, err
	}
	var d struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, false, fmt.Errorf("strict: %s: %w", name, err)
	}
	if d.Properties["content"] != nil {
		s = &schema{c: event.c, url: event.url + "#/properties/content"}
	}
	l.contents[name] = s
	return cmp.Or(s, event), s == nil, nil
}

// A compiler compiles the schemas of one file, one at a time.
type compiler struct {
	mu  sync.Mutex
	url string
	c   *jsonschema.Compiler
}

func newCompiler(url string, raw []byte) (*compiler, error) {
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	c.AssertFormat = true
	c.Formats = formats()
	c.RegisterExtension(extensionName, nil, extension{})
	if err := c.AddResource(url, bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("strict: %w", err)
	}
	return &compiler{url: url, c: c}, nil
}

// schema returns the schema of a JSON body, or nil. It is compiled later.
func (c *compiler) schema(b rawBody, at string) *schema {
	if b.Content["application/json"].Schema == nil {
		return nil
	}
	return &schema{c: c, url: c.url + "#" + at + pointer("content", "application/json", "schema")}
}

// pointerTo writes a JSON pointer.
func pointerTo(keys ...any) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString("/" + escape(fmt.Sprint(k)))
	}
	return b.String()
}

var fragment = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

// pointer writes a JSON pointer as it stands in a URL's fragment.
func pointer(keys ...string) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteByte('/')
		b.WriteString(fragment.Replace(k))
	}
	return b.String()
}
