// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"testing"

	"touchstone.example/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
