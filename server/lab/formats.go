// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"

	"touchstone.example/server/strict"
)

// The parts of JUnit's format that all its readers know.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Failure junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit writes violations as test results, with a suite for each operation.
func junit(found []strict.Violation) ([]byte, error) {
	out := junitSuites{Tests: len(found), Failures: len(found)}
	suites := map[string]int{}
	for i := range found {
		v := &found[i]
		at, ok := suites[v.Operation]
		if !ok {
			at = len(out.Suites)
			suites[v.Operation] = at
			out.Suites = append(out.Suites, junitSuite{Name: cmp.Or(v.Operation, "no operation")})
		}
		s := &out.Suites[at]
		s.Tests++
		s.Failures++
		s.Cases = append(s.Cases, junitCase{
			Class: s.Name, Name: v.Rule + " at " + v.Where.String(),
			Failure: junitFailure{Type: v.Setting.String(), Message: v.Says(), Text: fmt.Sprintf("%s\nsent by %s\n", v.Section, cmp.Or(v.Who.String(), "nobody known"))},
		})
	}
	text, err := xml.MarshalIndent(out, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}

// The parts of SARIF 2.1.0 that are used.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string `json:"id"`
		HelpURI string `json:"helpUri"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID     string          `json:"ruleId"`
		Level      string          `json:"level"`
		Message    sarifText       `json:"message"`
		Locations  []sarifLocation `json:"locations"`
		Properties sarifProperties `json:"properties"`
	}
	sarifLocation struct {
		Logical []sarifLogical `json:"logicalLocations"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifProperties struct {
		User    string `json:"user,omitzero"`
		Device  string `json:"device,omitzero"`
		Request string `json:"request,omitzero"`
		Section string `json:"section"`
	}
)

// sarif writes violations as results: one that was refused is an error, one that
// was served all the same a warning.
func sarif(found []strict.Violation) *sarifLog {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "Touchstone", Rules: []sarifRule{}}
	for i := range found {
		v := &found[i]
		if !slices.ContainsFunc(run.Tool.Driver.Rules, func(r sarifRule) bool { return r.ID == v.Rule }) {
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{v.Rule, v.Section})
		}
		level := "warning"
		if v.Setting == strict.Enforce {
			level = "error"
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: v.Rule, Level: level, Message: sarifText{v.Says()},
			Locations:  []sarifLocation{{[]sarifLogical{{v.Operation + " " + v.Where.String()}}}},
			Properties: sarifProperties{v.Who.User, v.Who.Device, v.Request, v.Section},
		})
	}
	return &sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}
}
