// SPDX-License-Identifier: Apache-2.0

// Package touchstone runs Touchstone, a Matrix homeserver that is strict about the
// specification, in a container, for tests with testcontainers-go:
//
//	ctr, err := touchstone.Run(ctx, "touchstone", touchstone.WithServerName("hs1"))
//	testcontainers.CleanupContainer(t, ctr)
//	require.NoError(t, err)
//	alice, err := ctr.CreateUser(ctx, "alice")
//
// It is a module of its own and speaks to the server over HTTP alone.
package touchstone

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	clientPort = "8008/tcp"
	labPort    = "8009/tcp"
	configFile = "/touchstone.yaml"
)

// Container is a running server in lab mode.
type Container struct {
	testcontainers.Container
	serverName string
	users      map[string]User
}

type options struct {
	serverName string
	users      []NewUser
}

// Option is a setting of this module's own.
type Option func(*options) error

var _ testcontainers.ContainerCustomizer = Option(nil)

// Customize implements testcontainers.ContainerCustomizer; Run applies an Option
// itself.
func (Option) Customize(*testcontainers.GenericContainerRequest) error { return nil }

// WithServerName sets the server's name: what stands after the colon in user IDs.
// It is localhost otherwise.
func WithServerName(name string) Option {
	return func(o *options) error {
		o.serverName = name
		return nil
	}
}

// WithUser makes a user once the server answers; see Container.User. With an empty
// password nobody can log in with one.
func WithUser(localpart, password string) Option {
	return func(o *options) error {
		o.users = append(o.users, NewUser{Localpart: localpart, Password: password})
		return nil
	}
}

// WithAdmin makes a user who is an administrator of the server.
func WithAdmin(localpart, password string) Option {
	return func(o *options) error {
		o.users = append(o.users, NewUser{Localpart: localpart, Password: password, Admin: true})
		return nil
	}
}

// Profile says how literally the specification is taken.
type Profile string

const (
	Strict  Profile = "strict"  // by the letter; the default
	Lenient Profile = "lenient" // what deployed clients need
	Synapse Profile = "synapse" // with departures that clients lean on
)

// WithProfile chooses a profile.
func WithProfile(p Profile) testcontainers.CustomizeRequestOption {
	return WithSetting("strictness.profile", string(p))
}

// WithSeed makes every random value follow from a text.
func WithSeed(seed string) testcontainers.CustomizeRequestOption { return WithSetting("seed", seed) }

// WithClock has the clock that clients see stand still at a time.
func WithClock(at time.Time) testcontainers.CustomizeRequestOption {
	return WithSetting("clock", at.UTC().Format(time.RFC3339Nano))
}

// WithRoomVersion sets the version of rooms for which the client names none.
func WithRoomVersion(version string) testcontainers.CustomizeRequestOption {
	return WithSetting("rooms.default_version", version)
}

// WithSetting sets any setting by the name that it has in a settings file, such as
// rooms.default_version.
func WithSetting(name, value string) testcontainers.CustomizeRequestOption {
	return testcontainers.WithEnv(map[string]string{"TOUCHSTONE_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_")): value})
}

// WithConfigFile gives the server a settings file of this machine.
func WithConfigFile(path string) testcontainers.CustomizeRequestOption {
	return func(req *testcontainers.GenericContainerRequest) error {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("settings file: %w", err)
		}
		defer f.Close()
		return WithConfigReader(f).Customize(req)
	}
}

// WithConfigReader gives the server a settings file that is read from r.
func WithConfigReader(r io.Reader) testcontainers.CustomizeRequestOption {
	return func(req *testcontainers.GenericContainerRequest) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("settings file: %w", err)
		}
		if err := testcontainers.WithEnv(map[string]string{"TOUCHSTONE_CONFIG": configFile}).Customize(req); err != nil {
			return err
		}
		return testcontainers.WithFiles(testcontainers.ContainerFile{
			Reader: bytes.NewReader(text), ContainerFilePath: configFile, FileMode: 0o644,
		}).Customize(req)
	}
}

// Run starts a server of an image and returns once it answers. On an error the
// container may still be there: testcontainers.CleanupContainer takes it in any
// case.
func Run(ctx context.Context, img string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	settings := options{serverName: "localhost"}
	for _, opt := range opts {
		if own, ok := opt.(Option); ok {
			if err := own(&settings); err != nil {
				return nil, fmt.Errorf("run touchstone: %w", err)
			}
		}
	}
	env := map[string]string{
		"TOUCHSTONE_LAB":         "true",
		"TOUCHSTONE_SERVER_NAME": settings.serverName,
		// In a container every address is one that others reach: the engine
		// publishes the port where only this machine's tests are.
		"TOUCHSTONE_LISTENERS_LAB_ADDRESS":            ":8009",
		"TOUCHSTONE_LISTENERS_LAB_ANYONE_MAY_CONTROL": "true",
	}
	moduleOpts := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithEnv(env),
		testcontainers.WithExposedPorts(clientPort, labPort),
		testcontainers.WithTmpfs(map[string]string{"/tmp": "rw"}),
		testcontainers.WithWaitStrategy(
			wait.ForHTTP("/health").WithPort(clientPort).WithPollInterval(poll),
			wait.ForHTTP(labPath+"clock").WithPort(labPort).WithPollInterval(poll),
		),
	}, opts...)
	ctr, err := testcontainers.Run(ctx, img, moduleOpts...)
	var c *Container
	if ctr != nil {
		c = &Container{Container: ctr, serverName: settings.serverName, users: map[string]User{}}
	}
	if err != nil {
		return c, fmt.Errorf("run touchstone: %w", err)
	}
	if len(settings.users) > 0 {
		made, err := c.CreateUsers(ctx, settings.users...)
		if err != nil {
			return c, fmt.Errorf("run touchstone: %w", err)
		}
		for i, u := range made {
			c.users[settings.users[i].Localpart] = u
		}
	}
	return c, nil
}

// poll is how often it is asked whether the server answers, which takes it some
// milliseconds.
const poll = 10 * time.Millisecond

// ServerName is the server's name.
func (c *Container) ServerName() string { return c.serverName }

// ClientURL is the base URL for clients.
func (c *Container) ClientURL(ctx context.Context) (string, error) {
	return c.PortEndpoint(ctx, clientPort, "http")
}

// LabURL is the base URL of the control plane.
func (c *Container) LabURL(ctx context.Context) (string, error) {
	return c.PortEndpoint(ctx, labPort, "http")
}

// User is one that WithUser or WithAdmin made, by the localpart.
func (c *Container) User(localpart string) (u User, ok bool) {
	u, ok = c.users[localpart]
	return u, ok
}

// Users are those that WithUser and WithAdmin made, by localpart.
func (c *Container) Users() map[string]User { return maps.Clone(c.users) }
