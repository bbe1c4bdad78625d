// SPDX-License-Identifier: Apache-2.0

package api

import "strconv"

// A Served is a request that some operation has answered, and how.
type Served struct {
	Op     *Operation
	Caller string // the user or server whom the request names, if one is known
	Agent  string // its User-Agent
	Status int
	// Violations is how many departures from the specification it was told of.
	Violations int
}

// headerViolations tells a client how many there were in its request.
const headerViolations = "Touchstone-Violations"

// tellServed tells the surroundings of an exchange that is over.
func (rt *Router) tellServed(x *Exchange) {
	if rt.cfg.Served == nil || x.Op == nil {
		return
	}
	status := x.rec.status
	if status == 0 {
		status = statusAborted
	}
	n, _ := strconv.Atoi(x.W.Header().Get(headerViolations)) // absent: none
	rt.cfg.Served(Served{Op: x.Op, Caller: x.caller, Agent: x.R.UserAgent(), Status: status, Violations: n})
}
