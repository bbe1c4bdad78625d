package stateres_test

import (
	"fmt"
	"os"
	"testing"

	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

func TestSearch(t *testing.T) {
	silence(t)
	found := map[string]int{}
	all := roomver.All()
	best := map[string]string{}
	size := map[string]int{}
	for i := range *roomsFlag {
		rules := all[[]int{0, 7, 8, 9, 10}[i%5]]
		seed := uint64(10)<<32 + uint64(i)
		r, sets := randomRoom(t, rules, seed)
		pdus := pdusOf(t, rules.Version, r.source)
		for j, s := range seconds(rules) {
			ours, _ := stateres.Resolve(s.rules, sets, r.source, nil)
			theirs, ok := s.ask(t, sets, r.source, pdus)
			if !ok || agree(ours, theirs, r.source) {
				continue
			}
			m := newModel(s.rules, r.source)
			base := s.base
			base.pdus = pdus
			reason := explain(m, base, sets, theirs)
			// all others make no difference
			for _, sw := range switches {
				if sw.name == reason {
					found[reason]++
					if size[reason] == 0 || len(r.list) < size[reason] {
						size[reason] = len(r.list)
						best[reason] = fmt.Sprintf(`{%q, %q, %d, %d},`, reason, rules.Version, j, seed)
					}
				}
			}
		}
	}
	for r, b := range best {
		fmt.Fprintln(os.Stderr, b, found[r], size[r])
	}
}
