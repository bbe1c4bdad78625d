// SPDX-License-Identifier: Apache-2.0

package feed

import "context"

// Warn is warn.
func (f *Feed) Warn(ctx context.Context, message string, err error) { f.warn(ctx, message, err) }
