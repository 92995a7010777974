# Everything needs only Go, a C compiler and make. `make help` lists the targets.
GO ?= go

.PHONY: help build demo test lint fuzz ledger-audit bench bench-keeper same-bits exhaustive onnx-conformance same-model drills chaos simulate audit-economics market-eval generate contracts-test foundry-test infer-gas clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## the binary, in bin/mutirao
	$(GO) build -trimpath -ldflags "-s -w" -o bin/mutirao ./cmd/mutirao

demo: build ## the main job: a whole network trains, checks, pays and answers a contract
	./bin/mutirao demo $(ARGS)

test: ## all tests
	$(GO) test ./...

lint: ## gofmt, go vet, and the rules for reproducible numerics
	@test -z "$$(gofmt -l .)" || { gofmt -l . ; echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) test ./internal/analysis/... .

fuzz: ## every decoder for FUZZTIME (1m) each
	tools/fuzz.sh $(or $(FUZZTIME),1m)

ledger-audit: ## the books of a simulation of MESSAGES (100,000) messages, recomputed from its log (half a minute)
	$(GO) test ./sim/books -run TestAuditAgrees -count=1 -v -timeout 0 -args -messages $(or $(MESSAGES),100000)

bench: ## kernels and units; see bench/README.md
	$(GO) test -run '^$$' -bench . -benchmem ./engine/... ./learn/round ./verify/trace

bench-keeper: ## a message of the market with no record and with a million in the store (about two minutes)
	for n in 0 1000000; do $(GO) test ./chain/x/market -run '^$$' -bench Message -benchtime 30x -timeout 30m -args -records $$n || exit 1; done

same-bits: ## the same hashes from AVX-512, AVX2, portable Go, GOAMD64=v3, and arm64 (NEON too), riscv64, s390x (qemu-user)
	tools/same-bits.sh

exhaustive: ## every function of one number on all 2^32 inputs (FUNCTIONS=Exp,Log KERNEL=avx2); ten seconds to minutes each
	MUTIRAO_KERNEL=$(KERNEL) $(GO) test ./engine/kernel -count=1 -timeout 0 -run '^TestExhaustive$$' -v -exhaustive $(or $(FUNCTIONS),all)

market-eval: ## the auction beside other ways, into docs/market-evaluation.md, two minutes (SEED=1 TRACE=file.csv)
	$(GO) test ./sim/market -run '^TestEvaluation$$' -count=1 -timeout 0 -v -write $(CURDIR)/docs -seed $(or $(SEED),1) -replay "$(if $(TRACE),$(abspath $(TRACE)))"
	cd tools/plots && $(GO) run . $(CURDIR)/docs/market

generate: ## assembly, protobuf code, contracts
	$(GO) generate ./engine/... ./verify/...
	tools/proto.sh
	cd contracts && npm install && npm run compile

onnx-conformance: build ## ONNX's own node tests, fetched from Debian and PyPI, into docs/onnx-conformance.md (ARGS=--check: only compare)
	tools/onnx-conformance.sh $(ARGS)

audit-economics: ## does lying pay? simulations on the real rules into docs/economics, about 10 minutes (SEEDS=20)
	$(GO) test ./sim/economics -run '^TestExperiments$$' -count=1 -timeout 0 -v -write $(CURDIR)/docs/economics -seeds $(or $(SEEDS),20)
	cd tools/plots && $(GO) run . $(CURDIR)/docs/economics

same-model: ## the whole demo on each of these, one model root (about 8 minutes)
	tools/same-model.sh

drills: ## a validator is jailed and comes back, another signs twice; four ways of pruning; an upgrade: real nodes, four minutes
	$(GO) test ./cmd/mutirao -run '^TestDrill' -count=1 -timeout 0 -v -args -drills

chaos: ## kill -9 one of four validators at KILLS (50) moments under load; then two of four; about ten minutes
	$(GO) test ./cmd/mutirao -run '^TestOperate$$' -count=1 -timeout 0 -v -args -kills $(or $(KILLS),50) -dice $(or $(SEED),1)

simulate: ## full, non-determinism, import-export and after-import simulations of BLOCKS (1,000) random blocks, SEEDS (5) times; half an hour
	$(GO) test ./chain/app -run '^Test(SDK)?Simulations$$' -count=$(or $(SEEDS),5) -timeout 0 -v -args -simulation-seed 0 -simulation-full -blocks $(or $(BLOCKS),1000)

contracts-test: build ## ethers, viem, OpenZeppelin and Hardhat against `mutirao dev`; needs Node.js, fetches pinned packages
	cd contracts && npm ci --no-audit --no-fund && npm test

foundry-test: build ## forge and cast against `mutirao dev`, and the comparison with anvil in docs/dev-conformance.md; needs Node.js, fetches Foundry (180 MB)
	cd contracts && npm ci --no-audit --no-fund && cd test/tools && npm ci --no-audit --no-fund && node foundry.mjs && node anvil.mjs

infer-gas: ## gas of infer against time by operator and shape; blocks full of infer; beside interpreted Solidity (a minute)
	$(GO) test ./protocol/registry -run '^TestGasAgainstTime$$' -count=1 -v -gas 9
	$(GO) test ./chain/app -run '^TestFullBlock$$' -count=1 -v -full-block

clean:
	rm -rf bin
