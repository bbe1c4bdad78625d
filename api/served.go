// SPDX-License-Identifier: Apache-2.0

package api

// A Served is a request that was answered, and its answer.
type Served struct {
	Op         *Operation
	Caller     string // the calling user or server, if known
	Agent      string // its User-Agent
	Status     int
	Violations int // departures from the specification
}

// tellServed tells the surroundings of an exchange that is over.
func (rt *Router) tellServed(x *Exchange) {
	if rt.cfg.Served == nil || x.Op == nil {
		return
	}
	status := x.rec.status
	if status == 0 {
		status = statusAborted
	}
	n := 0
	for i := range x.violations {
		if x.violations[i].Setting != SettingNote {
			n++
		}
	}
	rt.cfg.Served(Served{Op: x.Op, Caller: x.caller, Agent: x.R.UserAgent(), Status: status, Violations: n})
}
