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
# Of the random testers: which of them (Stops; empty for all), how long each runs
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

.PHONY: run
run: ## start a server on 127.0.0.1:8008 (ARGS="--lab" for a laboratory)
	@[ "$$(GOPROXY=off go list -f '{{.Stale}}' modernc.org/sqlite/lib 2>&1)" = false ] || \
		echo 'The first build takes a minute or two: it fetches modules and compiles SQLite. Later ones take seconds.'
	go run ./cmd/touchstone $(ARGS)

.PHONY: build
build: ## the server, as bin/touchstone
	$(BUILD) -o bin/touchstone ./cmd/touchstone

.PHONY: test
test: ## all tests, on PostgreSQL too where there is one (PKG=./storage/... for some)
	@{ go test -count=1 -v -run '^$$' ./tests | grep 'tests run on'; } || true # go test is silent about what passes
	go test $(PKG)

.PHONY: test-race
test-race: ## tests under the race detector, with a C compiler (RACE=./server/run/... for some)
	CGO_ENABLED=1 go test -race $(RACE)

.PHONY: long
long: ## random testers for as long as you like (DURATION=1h SEED=7 TESTER=Stops)
	go test -count=1 -v -timeout 0 -run '^TestRandom$(TESTER)' ./tests -duration $(DURATION) -seed $(SEED)

.PHONY: test-clients
test-clients: ## conversations through real client libraries
	go test -count=1 -v -run 'TestConversation' ./tests

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

.PHONY: image
image: image-rootfs ## the container image "touchstone" (CONTAINER=podman for another engine)
	$(CONTAINER) build -t touchstone .

.PHONY: complement-rootfs
complement-rootfs: ## the files of Complement's image, in bin/complement
	mkdir -p bin/complement/tmp && chmod 1777 bin/complement/tmp
	$(BUILD) -o bin/complement/bin/entry ./complement/image

.PHONY: complement-image
complement-image: complement-rootfs ## the image that Complement tests, "touchstone-complement"
	$(CONTAINER) build -t touchstone-complement -f complement/Dockerfile .
