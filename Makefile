# docsvc. "make" lists the targets.
BIN := bin/docsvc
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X github.com/docsvc/docsvc/cmd.version=$(VERSION)
# Arguments for the targets that run a command, e.g. make worker ARGS="--name worker-2".
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help build demo test interop chaos mutants model fuzz document-mutants bench-extract check-chunks lint clean dev worker worker-all worker-cleanup worker-verbose \
	queue-info queue-health cleanup-s3 cleanup-orphaned cleanup-daily

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-18s %s\n", $$1, $$2}'

build: ## build bin/docsvc
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) .

demo: ## process the sample documents on a server of their own, then clean up
	@GO="$(GO)" LDFLAGS="$(LDFLAGS)" exec scripts/demo.sh $(BIN)

test: ## run every test; fetches below .cache what it needs beyond Go
	@scripts/test.sh

interop: ## compare with Python's RQ at length, and with the tools that read its queues
	@scripts/interop.sh

mutants: ## show that every guard of the Lua scripts is tested: make mutants SCRIPT=claim.lua FRESH=1
	@$(GO) run ./scripts/mutants -script "$(SCRIPT)" -page docs/mutants.md $(if $(FRESH),-fresh) $(ARGS)

chaos: ## kill, stop and cut off everything for some minutes, then look what was lost (SEED=, KILLS=, MINUTES=)
	@scripts/chaos.sh

model: ## the queue's and documents' models at length: make model CHECKS=2000 SEED=7 (0: any)
	@$(GO) test -timeout 60m ./pkg/rq ./pkg/document -run '^TestModel' -v -rapid.checks=$(or $(CHECKS),1000) -rapid.seed=$(or $(SEED),0)

fuzz: ## every fuzz target for FUZZTIME=10s; make fuzz ARGS=./pkg/rq/pickle takes those of a package
	@FUZZTIME="$(FUZZTIME)" exec scripts/fuzz.sh $(ARGS)

document-mutants: ## damage the files below DIR, MUTANTS of them (10000), and read them: nothing may hang, die or grow
	@DOCSVC_MUTANTS_DIR="$(abspath $(DIR))" DOCSVC_MUTANTS="$(or $(MUTANTS),10000)" $(GO) test -count=1 -timeout 3h -v -run '^TestMutants$$' ./pkg/extract

bench-extract: build ## texts, times and memory beside others' over the documents below DIR (the samples); ARGS=-h says how references are found
	@mkdir -p .cache/wazero && chmod 700 .cache/wazero
	@$(GO) run ./scripts/bench-extract -docsvc $(BIN) -cache .cache/wazero $(if $(DIR),,-references scripts/bench-extract/samples) $(ARGS) "$(or $(DIR),scripts/demo/samples)"

check-chunks: ## process the documents below DIR and hold their chunks to every rule
	@DOCSVC_CORPUS="$(abspath $(DIR))" $(GO) test -count=1 -timeout 3h -v -run '^TestStoredChunksKeepTheRules$$' ./pkg/pipeline

lint: ## gofmt, go vet, staticcheck, shell syntax
	@scripts/lint.sh

clean: ## remove what was built
	rm -rf bin

dev: build ## terminal 1: the API (with an embedded Redis and S3 when no Redis is configured)
	@exec scripts/dev.sh $(BIN) $(ARGS)

worker: build ## terminal 2: a worker for document_processing
	@exec ./$(BIN) worker $(ARGS)

worker-all: build ## a worker for every configured queue
	@exec ./$(BIN) worker --all $(ARGS)

worker-cleanup: build ## a worker for cleanup_tasks only
	@exec ./$(BIN) worker --queues cleanup_tasks $(ARGS)

worker-verbose: build ## a worker with debug logs
	@exec ./$(BIN) worker --verbose $(ARGS)

queue-info: build ## terminal 3: queues and workers
	@exec ./$(BIN) queue info $(ARGS)

queue-health: build ## is everything all right? (exit status 4 when not)
	@exec ./$(BIN) queue health $(ARGS)

cleanup-s3: build ## remove uploads older than 24 h that no document needs
	@exec ./$(BIN) cleanup s3 $(ARGS)

cleanup-orphaned: build ## remove objects without a document
	@exec ./$(BIN) cleanup orphaned $(ARGS)

cleanup-daily: build ## expired, s3 and orphaned
	@exec ./$(BIN) cleanup daily $(ARGS)
