// SPDX-License-Identifier: Apache-2.0

package storage

type nodeCache struct{ limit int }
