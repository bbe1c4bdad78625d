// SPDX-License-Identifier: Apache-2.0

package idclient

// WithoutNulls is an answer without null.
var WithoutNulls = withoutNulls
