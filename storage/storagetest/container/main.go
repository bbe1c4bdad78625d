// SPDX-License-Identifier: Apache-2.0

// Command container runs PostgreSQL in a container for the tests, prints its
// URL, and stops it when standard input closes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const image = "postgres:17-alpine"

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	c, err := testcontainers.Run(ctx, image,
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": "touchstone", "POSTGRES_PASSWORD": "touchstone"}),
		testcontainers.WithExposedPorts("5432/tcp"),
		testcontainers.WithCmd("postgres", "-c", "fsync=off", "-c", "max_connections=400"),
		// It starts twice: once to make itself up, then for good.
		testcontainers.WithWaitStrategy(wait.ForLog("ready to accept connections").WithOccurrence(2).WithStartupTimeout(2*time.Minute)),
	)
	defer func() { err = errors.Join(err, testcontainers.TerminateContainer(c)) }()
	if err != nil {
		return err
	}
	address, err := c.PortEndpoint(ctx, "5432/tcp", "")
	if err != nil {
		return err
	}
	fmt.Printf("postgres://touchstone:touchstone@%s/postgres?sslmode=disable\n", address)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
