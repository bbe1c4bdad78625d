// SPDX-License-Identifier: Apache-2.0

package rooms

import "sync"

// authCache caches the auth events of events by row, which never change.
type authCache struct {
	mu   sync.RWMutex
	auth map[int64][]int64
}

const maxAuths = 1 << 18

// get fills in what is remembered and returns what is not.
func (c *authCache) get(nids []int64, into [][]int64) (missing []int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i, nid := range nids {
		auth, known := c.auth[nid]
		if !known {
			missing = append(missing, nid)
		}
		into[i] = auth
	}
	return missing
}

func (c *authCache) put(nid int64, auth []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.auth == nil || len(c.auth) >= maxAuths {
		c.auth = make(map[int64][]int64, 1024)
	}
	c.auth[nid] = auth
}
