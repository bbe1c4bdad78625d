// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// A report is the results with the facts about the machine.
type report struct {
	Machine []fact   `json:"machine"`
	Pairs   []pair   `json:"engine,omitempty"`
	Figures []figure `json:"figures"`
}

// A fact is a property of the machine.
type fact struct{ Name, Value string }

// A figure is one result.
type figure struct {
	Engine string  `json:"engine"`
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Aim    string  `json:"aim,omitempty"`
}

func (b *bench) add(what string, value float64, unit, aim string) {
	f := figure{string(b.engine), what, value, unit, aim}
	b.report.Figures = append(b.report.Figures, f)
	b.Logf("  %s: %s %s", f.What, f.number(), f.Unit)
}

// times adds the median and the 95th percentile of durations.
func (b *bench) times(what string, d []time.Duration, aim string) {
	slices.Sort(d)
	b.add(what+", median of "+fmt.Sprint(len(d)), ms(d[len(d)/2]), "ms", aim)
	b.add(what+", 95th of 100", ms(d[len(d)*95/100]), "ms", "")
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (f figure) number() string {
	switch {
	case f.Value >= 100:
		return fmt.Sprintf("%.0f", f.Value)
	case f.Value >= 10:
		return fmt.Sprintf("%.1f", f.Value)
	}
	return fmt.Sprintf("%.2f", f.Value)
}

func (r *report) writeJSON(w io.Writer) int {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if enc.Encode(r) != nil {
		return 1
	}
	return 0
}

func (r *report) writeTable(w io.Writer) int {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Machine {
		fmt.Fprintf(tw, "%s\t%s\n", f.Name, f.Value)
	}
	if len(r.Figures) > 0 {
		fmt.Fprint(tw, "\nENGINE\tWHAT\tVALUE\tUNIT\tAIM\n")
	}
	for _, f := range r.Figures {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", f.Engine, f.What, f.number(), f.Unit, f.Aim)
	}
	writePairs(tw, r.Pairs)
	if tw.Flush() != nil {
		return 1
	}
	return 0
}
