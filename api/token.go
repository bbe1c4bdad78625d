// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"
)

// AccessToken returns the access token of a request: from an Authorization header with
// the scheme Bearer, or from the query, which is deprecated and which homeservers must
// support. If there is a header, the query is ignored, so that a header of another
// scheme means no token.
//
// Spec: client-server "Using access tokens"; application-service
// "Authorization".
func AccessToken(r *http.Request) (token string, ok bool) {
	token, _, ok = accessToken(r)
	return token, ok
}

func accessToken(r *http.Request) (token string, inQuery, ok bool) {
	if header, has := r.Header["Authorization"]; has {
		if len(header) == 0 {
			return "", false, false
		}
		scheme, rest, _ := strings.Cut(header[0], " ")
		token = strings.Trim(rest, " ")
		return token, false, strings.EqualFold(scheme, "Bearer") && token != ""
	}
	if r.URL.RawQuery == "" {
		return "", false, false
	}
	q := Query{raw: r.URL.RawQuery}
	token, _ = q.lookup("access_token")
	return token, true, token != ""
}

// TokenAuthenticator is an authenticator for the kinds of Auth that use a token. find
// returns the caller of a token; a request without a token has no caller.
func TokenAuthenticator[T any](find func(r *http.Request, token string) (T, error)) Authenticator[T] {
	return func(r *http.Request) (who T, named bool, err error) {
		token, ok := AccessToken(r)
		if !ok {
			return who, false, nil
		}
		who, err = find(r, token)
		return who, true, err
	}
}
