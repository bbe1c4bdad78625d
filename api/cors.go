// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"
)

// allowOrigins sets the headers that let scripts of any origin read the answer. Every
// answer has them, errors and media too: a browser hides an answer without them from
// the script that asked. Scripts may also read our own header fields about the request.
//
// Spec: client-server "Web Browser Clients"; identity "Web browser clients".
func allowOrigins(h http.Header, r *http.Request) {
	h["Access-Control-Allow-Origin"] = corsOrigin
	h["Access-Control-Allow-Methods"] = corsMethods
	h["Access-Control-Expose-Headers"] = corsExposed
	if strings.HasPrefix(r.URL.Path, "/_matrix/identity/") {
		h["Access-Control-Allow-Headers"] = corsIdentityHeaders
		return
	}
	h["Access-Control-Allow-Headers"] = corsHeaders
}

var (
	corsOrigin          = []string{"*"}
	corsExposed         = []string{HeaderViolations + ", Request-Id, Touchstone-Unfinished"}
	corsMethods         = []string{"GET, POST, PUT, DELETE, OPTIONS"}
	corsHeaders         = []string{"X-Requested-With, Content-Type, Authorization"}
	corsIdentityHeaders = []string{"Origin, X-Requested-With, Content-Type, Accept, Authorization"}
)
