# Everything a person or CI does here is one of these targets.
.DEFAULT_GOAL := help
SHELL         := /bin/sh
GO            ?= go
GOTEST        ?= $(GO) test
RACETIME      ?= 20m
FUZZTIME      ?= 30s

.PHONY: help dev quick test race check fmt vet lint docs mod gen verify soak bench fuzz drill

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

dev: ## Run everything in one process on http://127.0.0.1:8080, data in ./data (more flags: ARGS=)
	@hack/need.sh postgres
	@$(GO) build -o .bin/tidings ./cmd/tidings
	@exec .bin/tidings dev $(ARGS)

quick: fmt vet ## Formatting, vet and the short tests, before each commit
	@hack/need.sh postgres
	$(GOTEST) -short -timeout 90s ./...

test: ## All tests under the race detector
	@hack/need.sh postgres gcc
	@hack/need.sh prometheus || [ "$$CI" != true ] # its tests say why they skip; in CI they may not
	CGO_ENABLED=1 $(GOTEST) -race -p 2 -timeout $(RACETIME) ./...

race: test ## The same as test: it always has the race detector on

check: fmt vet lint docs mod verify ## Everything but the tests: format, vet, linters, docs, modules, drift

fmt:
	@left="$$(gofmt -l cmd internal deploy client web hack 2>/dev/null)"; \
	if [ -n "$$left" ]; then echo "not formatted, run gofmt -w on:"; echo "$$left"; exit 1; fi

vet:
	$(GO) vet ./...

lint: .bin/golangci-lint
	.bin/golangci-lint run ./...

docs:
	$(GO) test -run Docs ./internal/house

mod:
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	$(GO) mod verify

gen: ## Write again what is generated
	$(GO) generate ./...

verify:
	@hack/verify.sh

soak: ## Random histories by the thousand, the real history under load, everything killed at random, a rebuild under traffic
	@hack/need.sh postgres
	$(GOTEST) ./internal/eventstore/node -run TestSoak -soak -timeout 10m -v
	$(GOTEST) ./internal/eventstore/node/log -run 'Faults|Damaged' -soak -timeout 30m
	$(GOTEST) ./internal/queries -run TestAnswers -soak -timeout 30m
	$(GOTEST) ./internal/soak -run 'TestSoak|TestNodeKilled|TestProjectorKilled|TestRebuildUnderTraffic|TestFaults|TestTakeover|TestSoakReplay' -soak -timeout 30m -v

bench: ## Measure the figures that the README states (some of them: ARGS="--only append,grpc"; all flags: ARGS=--help)
	@hack/need.sh postgres
	$(GO) run ./internal/bench $(ARGS)

fuzz: ## Each fuzz target for FUZZTIME (30s)
	@hack/fuzz.sh $(FUZZTIME)

drill: ## The operations runbook, word for word, against a real node with writers at work
	$(GOTEST) ./cmd/tidings -run TestOperations -count=1 -timeout 2m -v

# Built once per version, without cgo: they need no C compiler.
.bin/golangci-lint: TOOL = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
.bin/gotestsum: TOOL = gotest.tools/gotestsum
.bin/golangci-lint .bin/gotestsum: tools/go.sum
	@mkdir -p .bin
	cd tools && CGO_ENABLED=0 $(GO) build -o ../.bin/ $(TOOL)
	@touch $@
