// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// anyStatus may come from every operation, declared or not: the standard
// errors, and the two that the specification gives to unknown endpoints and
// methods.
var anyStatus = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests,
}

// check compares one response with the specification: CORS, content type, JSON, the
// standard error object, the declared statuses and the JSON Schema of the
// operation's response.
func (s *Server) check(a *Answer) error {
	errs := []error{checkCORS(a.Header)}
	if a.Status >= 500 && !s.declared(a) {
		errs = append(errs, fmt.Errorf("status %d", a.Status))
	}
	if !isJSON(a) {
		return errors.Join(append(errs, s.checkStream(a))...)
	}
	if mt, _, err := mime.ParseMediaType(a.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		errs = append(errs, fmt.Errorf("content type %q", a.Header.Get("Content-Type")))
	}
	if !jsontext.Value(a.Body).IsValid() {
		return errors.Join(append(errs, errors.New("the body is not JSON"))...)
	}
	if a.Status >= 400 {
		errs = append(errs, checkError(a))
	}
	if a.Op != nil && !a.Unfinished() {
		if !s.declared(a) {
			errs = append(errs, fmt.Errorf("%s does not declare status %d", a.Op.ID, a.Status))
		}
		if s.Judge != nil {
			errs = append(errs, s.Judge(a.Op, a.Status, a.Body))
		}
	}
	return errors.Join(errs...)
}

func (s *Server) declared(a *Answer) bool {
	if a.Op == nil {
		return slices.Contains(anyStatus, a.Status)
	}
	class := a.Status / 100 * 100
	return slices.Contains(anyStatus, a.Status) || slices.Contains(a.Op.Statuses, a.Status) ||
		(class >= 300 && slices.Contains(a.Op.Statuses, class))
}

// isJSON says whether an answer must be JSON: all are but redirects, media and
// answers to OPTIONS.
func isJSON(a *Answer) bool {
	if a.Status >= 400 {
		return true
	}
	if a.Status >= 300 || (a.Op == nil && len(a.Body) == 0) {
		return false
	}
	return a.Op == nil || !strings.Contains(a.Op.Path, "/media/") ||
		strings.HasPrefix(a.Header.Get("Content-Type"), "application/json")
}

func (s *Server) checkStream(a *Answer) error {
	if a.Op != nil && !s.declared(a) {
		return fmt.Errorf("%s does not declare status %d", a.Op.ID, a.Status)
	}
	return nil
}

// Spec: client-server "Web Browser Clients": on all requests.
func checkCORS(h http.Header) error {
	if got := h.Get("Access-Control-Allow-Origin"); got != "*" {
		return fmt.Errorf("Access-Control-Allow-Origin is %q", got)
	}
	for _, m := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"} {
		if !strings.Contains(h.Get("Access-Control-Allow-Methods"), m) {
			return fmt.Errorf("Access-Control-Allow-Methods is %q", h.Get("Access-Control-Allow-Methods"))
		}
	}
	for _, name := range []string{"X-Requested-With", "Content-Type", "Authorization"} {
		if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
			return fmt.Errorf("Access-Control-Allow-Headers is %q", h.Get("Access-Control-Allow-Headers"))
		}
	}
	return nil
}

// Spec: client-server "Standard error response". A 401 of user-interactive
// authentication carries flows in place of an error.
func checkError(a *Answer) error {
	v := a.JSON()
	if a.Status == http.StatusUnauthorized && v.At("flows").Exists() {
		return nil
	}
	code, msg := v.At("errcode"), v.At("error")
	if code.raw.Kind() != '"' || msg.raw.Kind() != '"' || code.String() != strings.ToUpper(code.String()) {
		return fmt.Errorf("not a standard error: %.200s", a.Body)
	}
	return nil
}
