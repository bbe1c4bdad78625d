# SPDX-License-Identifier: Apache-2.0
#
# What a developer of Touchstone runs. "make" alone lists it.

# One static binary and no C compiler; the race detector alone needs one.
export CGO_ENABLED = 0

PKG       ?= ./...
RACE      ?= ./...
BENCH     ?= .
# A number of inputs, since the go command up to 1.26 now and then calls a fuzz
# target failed when a time runs out (go.dev/issue/75804).
FUZZTIME  ?= 20000x
# Of the random testers: which of them (Stops, Servers; empty for all), how long each runs
# on each engine, and what their choices follow from.
TESTER    ?=
DURATION  ?= 10m
SEED      ?= 1
UPSTREAM  ?= ../shared/matrix-spec
CONTAINER ?= docker
BUILD     = go build -trimpath -ldflags='-s -w'

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

# Says what to install before anything is compiled. Since Go 1.21 "go version"
# fetches the version that go.mod asks for, where it may.
NEED_GO = $(shell awk '/^go / {print $$2}' go.mod)
.PHONY: need-go
need-go:
	@command -v go >/dev/null || \
		{ echo 'Go is not installed. Touchstone needs Go $(NEED_GO) or later: https://go.dev/doc/install'; exit 1; }
	@have=$$(go version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p'); \
	printf '%s\n%s\n' '$(NEED_GO)' "$$have" | sort -C -V || \
		{ echo "$$(GOTOOLCHAIN=local go version) is too old. Touchstone needs Go $(NEED_GO) or later: https://go.dev/doc/install"; exit 1; }

# Compiles a program and says how far that is, since the first time takes a
# minute or two: it fetches modules and compiles SQLite.
COMPILE = { { $(BUILD) -v -o bin/touchstone ./cmd/touchstone 2>&1 || echo 'compile: FAILED'; } | \
	awk -v all="$$(go list -deps ./cmd/touchstone 2>/dev/null | wc -l)" ' \
		/^compile: FAILED/ {bad = 1; next} \
		NF != 1 {print; next} \
		++n == 1 {print "Compiling; the first build takes a minute or two."} \
		n % 25 == 0 || /sqlite\/lib$$/ {printf "  %d of %d packages: %s\n", n, all, $$0; fflush()} \
		END {exit bad}'; }

.PHONY: run
run: need-go ## start a server on 127.0.0.1:8008 (ARGS="--lab" for lab mode)
	@$(COMPILE)
	@trap : INT; bin/touchstone $(ARGS)

.PHONY: build
build: need-go ## the server, as bin/touchstone
	@$(COMPILE)

.PHONY: test
test: need-go ## all tests, on PostgreSQL too where there is one (PKG=./storage/... for some)
	@{ go test -count=1 -v -run '^$$' ./tests | grep 'tests run on'; } || true # go test is silent about what passes
	go test $(PKG)

.PHONY: test-race
test-race: ## tests under the race detector, with a C compiler (RACE=./server/run/... for some)
	CGO_ENABLED=1 go test -race -timeout 20m $(RACE)

.PHONY: long
long: ## random testers for as long as you like (DURATION=1h SEED=7 TESTER=Stops)
	go test -count=1 -v -timeout 0 -run '^TestRandom$(TESTER)' ./tests -duration $(DURATION) -seed $(SEED)

.PHONY: test-clients
test-clients: ## conversations through real client libraries
	@cd tests/clients/js && if command -v npm >/dev/null; then npm install --no-audit --no-fund --silent; else echo 'not installed: there is no npm'; fi
	go test -count=1 -v -run 'TestConversation' ./tests
	go test -count=1 -v ./tests/clients

.PHONY: check
check: generate-compare lint test ## what must pass before every commit

.PHONY: lint
lint: ## gofmt, go vet, staticcheck and the house rules
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted by gofmt:" $$unformatted; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go run ./cmd/lint -q

.PHONY: spec
spec: ## distil a checkout of the Matrix specification into spec/ (UPSTREAM=path)
	go run ./spec/distill -from $(UPSTREAM) -to spec

.PHONY: spec-compare
spec-compare: ## see that spec/ is what distilling UPSTREAM gives
	rm -rf bin/_spec && mkdir -p bin/_spec && cp -R spec/overlay bin/_spec
	go run ./spec/distill -from $(UPSTREAM) -to bin/_spec
	@for part in bin/_spec/*; do diff -r "spec/$${part##*/}" "$$part" || exit 1; done

.PHONY: generate
generate: ## write generated/ from spec/
	go run ./spec/gen -spec spec -out generated

.PHONY: generate-compare
generate-compare: ## see that generated/ is what spec/ gives
	@rm -rf bin/_generated
	go run ./spec/gen -spec spec -out bin/_generated
	@diff -r generated bin/_generated || { echo 'generated/ differs from what spec/ gives: make generate'; exit 1; }

.PHONY: coverage
coverage: ## write the README's table of operations that are served
	go test -count=1 -run '^TestOperations$$' ./tests -coverage-table ../README.md

.PHONY: coverage-compare
coverage-compare: ## see that the README's table is what the server serves
	@mkdir -p bin && cp README.md bin/_README.md
	go test -count=1 -run '^TestOperations$$' ./tests -coverage-table ../bin/_README.md
	@diff README.md bin/_README.md || { echo 'the table in README.md is not what the server serves: make coverage'; exit 1; }

.PHONY: bench
bench: ## measure a whole server and the room engine, with the machine's facts (ARGS="-only send,engine")
	go run ./tests/bench $(ARGS)

.PHONY: microbench
microbench: ## benchmarks of packages (BENCH=Send for some)
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME inputs (20000x) or so long (10m)
	@for target in $$(go test -list '^Fuzz' ./fuzz | grep '^Fuzz'); do \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1000x ./fuzz || exit 1; done

.PHONY: image-rootfs
image-rootfs: ## the files of the container image, in bin/image
	mkdir -p bin/image/data bin/image/tmp && chmod 1777 bin/image/tmp
	$(BUILD) -o bin/image/touchstone ./cmd/touchstone

# Which source an image was made of.
LABELS = --label org.opencontainers.image.revision=$(shell git rev-parse HEAD 2>/dev/null) \
	--label org.opencontainers.image.version=$(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: image
image: image-rootfs ## the container image "touchstone" (CONTAINER=podman for another engine)
	@api=$$($(CONTAINER) version --format '{{.Server.APIVersion}}' 2>/dev/null || echo 9); \
	printf '1.44\n%s\n' "$$api" | sort -C -V && file=Dockerfile || \
		{ file=bin/Dockerfile; sed 's/ --start-interval=[^ ]*//; s/--interval=15s/--interval=2s/' Dockerfile >$$file; \
		echo "This container engine (API $$api) does not know --start-interval: the image is called healthy after its first interval."; }; \
	$(CONTAINER) build -t touchstone $(LABELS) -f $$file .

.PHONY: complement-rootfs
complement-rootfs: ## the files of Complement's image, in bin/complement
	mkdir -p bin/complement/tmp && chmod 1777 bin/complement/tmp
	$(BUILD) -o bin/complement/bin/entry ./complement/image

.PHONY: complement-image
complement-image: complement-rootfs ## the image that Complement tests, "touchstone-complement"
	$(CONTAINER) build -t touchstone-complement -f complement/Dockerfile .
