// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package storagetest

import "testing"

// A Cluster is a PostgreSQL of a test's own; it needs Linux.
type Cluster struct{ NoDisk string }

// NewCluster skips the test.
func NewCluster(t testing.TB, _ ...string) *Cluster {
	t.Skip("NOT RUN: a PostgreSQL of the test's own needs Linux")
	return nil
}

// The methods are never called.
func (c *Cluster) URL() string         { return "" }
func (c *Cluster) Start(testing.TB)    {}
func (c *Cluster) Kill(testing.TB)     {}
func (c *Cluster) FillDisk(testing.TB) {}
func (c *Cluster) FreeDisk(testing.TB) {}
func (c *Cluster) Promote(testing.TB)  {}
