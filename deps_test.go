package touchstone

import (
	_ "github.com/getkin/kin-openapi/openapi3"
	_ "github.com/go-json-experiment/json"
	_ "github.com/go-openapi/errors"
	_ "github.com/go-openapi/runtime"
	_ "github.com/go-openapi/runtime/security"
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/matrix-org/gomatrixserverlib"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/santhosh-tekuri/jsonschema/v5"
	_ "github.com/stretchr/testify/require"
	_ "github.com/testcontainers/testcontainers-go"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/crypto/x509roots/fallback"
	_ "golang.org/x/sync/errgroup"
	_ "maunium.net/go/mautrix"
	_ "modernc.org/sqlite"
)
