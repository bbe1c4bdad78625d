// SPDX-License-Identifier: Apache-2.0

// Package api is the small hand-written runtime under the generated code:
// errors, callers, routing, reading requests and writing answers. It knows no
// Matrix operation and never touches storage.
package api

import (
	"fmt"
	"net/http"
	"time"

	oaerrors "github.com/go-openapi/errors"
)

// Error is an error for the client: an HTTP status and a Matrix error object. It also
// is a go-openapi error. Every answer that is neither 2xx nor 3xx is one.
//
// Spec: client-server "Standard error response".
type Error struct {
	Status  int
	ErrCode string
	Msg     string
	Extra   map[string]any    // further members of the error object, such as flows or soft_logout
	Header  map[string]string // further headers, such as Retry-After
	Err     error             // the cause, for the log only
	// Violations are the reasons of the refusal; Msg is about the first. Without any,
	// the cause or the code names the rule.
	Violations []Violation
}

var _ oaerrors.Error = (*Error)(nil)

func (e *Error) Error() string {
	if e.Err != nil {
		return e.ErrCode + ": " + e.Msg + ": " + e.Err.Error()
	}
	return e.ErrCode + ": " + e.Msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Code returns the HTTP status.
func (e *Error) Code() int32 { return int32(e.Status) }

// Errorf returns an Error with a formatted message. Prefer the constructors
// named after the error codes.
func Errorf(status int, errcode, format string, args ...any) *Error {
	return &Error{Status: status, ErrCode: errcode, Msg: fmt.Sprintf(format, args...)}
}

// Constructors, named after the error codes of client-server "Common error
// codes" and "Other error codes".
func Forbidden(format string, args ...any) *Error {
	return Errorf(http.StatusForbidden, "M_FORBIDDEN", format, args...)
}
func NotFound(format string, args ...any) *Error {
	return Errorf(http.StatusNotFound, "M_NOT_FOUND", format, args...)
}
func NotJSON(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_NOT_JSON", format, args...)
}
func BadJSON(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_BAD_JSON", format, args...)
}
func MissingParam(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_MISSING_PARAM", format, args...)
}
func InvalidParam(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_INVALID_PARAM", format, args...)
}
func Unknown(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_UNKNOWN", format, args...)
}
func Unrecognized(format string, args ...any) *Error {
	return Errorf(http.StatusNotFound, "M_UNRECOGNIZED", format, args...)
}
func TooLarge(format string, args ...any) *Error {
	return Errorf(http.StatusRequestEntityTooLarge, "M_TOO_LARGE", format, args...)
}
func UserInUse(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_USER_IN_USE", format, args...)
}
func InvalidUsername(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_INVALID_USERNAME", format, args...)
}
func Exclusive(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_EXCLUSIVE", format, args...)
}
func UnsupportedRoomVersion(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_UNSUPPORTED_ROOM_VERSION", format, args...)
}
func InvalidRoomState(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_INVALID_ROOM_STATE", format, args...)
}
func RoomInUse(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "M_ROOM_IN_USE", format, args...)
}
func Unauthorized(format string, args ...any) *Error {
	return Errorf(http.StatusUnauthorized, "M_UNAUTHORIZED", format, args...)
}
func MissingToken() *Error {
	return Errorf(http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token")
}

// UnknownToken is the answer to an invalid or expired access token. softLogout tells
// the client to keep its keys and log in again.
func UnknownToken(softLogout bool) *Error {
	e := Errorf(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Unknown access token")
	e.Extra = map[string]any{"soft_logout": softLogout}
	return e
}

// LimitExceeded carries the delay both as Retry-After and, for older clients,
// as retry_after_ms.
func LimitExceeded(wait time.Duration) *Error {
	e := Errorf(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED", "Too many requests")
	e.Extra = map[string]any{"retry_after_ms": wait.Milliseconds()}
	e.Header = map[string]string{"Retry-After": fmt.Sprint(int64((wait + time.Second - 1) / time.Second))}
	return e
}

// Unavailable is the answer if the server temporarily cannot serve a request; the
// client should repeat it after the wait.
func Unavailable(wait time.Duration, format string, args ...any) *Error {
	e := Errorf(http.StatusServiceUnavailable, "M_UNKNOWN", format, args...)
	e.Header = map[string]string{"Retry-After": fmt.Sprint(int64((wait + time.Second - 1) / time.Second))}
	return e
}

// Unfinished is the answer of an operation that is not implemented yet. The writer adds
// the header Touchstone-Unfinished with the operation's id.
func Unfinished() *Error {
	return &Error{Status: http.StatusNotFound, ErrCode: "M_UNRECOGNIZED", Msg: "This server does not serve this operation yet", Err: errUnfinished}
}

var errUnfinished = fmt.Errorf("unfinished operation")
