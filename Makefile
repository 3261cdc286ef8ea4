# `make` lists the targets. Works with GNU make 3.81 and later.

NAME     := step-posture-connector
BIN      := build/$(NAME)
E2E      := internal/test/e2e
BENCH    := internal/test/bench
MONITOR  := internal/test/monitoring
BROWSER  := internal/test/browser
KUBE     := internal/test/kubernetes
MODULES  := . $(E2E) $(BENCH) $(MONITOR) $(BROWSER) $(KUBE)
DEV      := .dev
FUZZTIME ?= 1m
# How many fuzz targets run at once.
FUZZJOBS ?= 1
IMAGE    ?= $(NAME)

# Outside of a checkout the commit is unknown, and the program says so.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)

# The linter is no dependency of the product, so it is in no go.mod.
LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# A comma inside of an argument.
, := ,

# $(call each,COMMAND) runs a command in every module. The tag adds the tests of the compose files.
each = @set -e; for module in $(MODULES); do echo '($(strip $(1)), in '"$$module)"; (cd $$module && $(1)); done

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

# go run says nothing while it compiles, which takes a minute and more the first time.
.PHONY: demo
demo: ## Show the connector at work with a real step-ca (the first time takes some minutes)
	@echo 'Compiling the demo, then step-ca, step and the connector: the first time this takes some minutes.'
	@cd $(E2E) && go run ./demo

.PHONY: demo-jamf
demo-jamf: ## Show it with a real step-ca and a simulated Jamf Pro server (Linux only)
	@echo 'Compiling the demo, then step-ca, step, the connector and a simulated Jamf Pro server: the first time this takes some minutes.'
	@cd $(E2E) && go run ./demo -show jamf

.PHONY: demo-policy
demo-policy: ## Show a rule with a real step-ca: only reported, then enforced, then replayed
	@echo 'Compiling the demo, then step-ca, step and the connector: the first time this takes some minutes.'
	@cd $(E2E) && go run ./demo -show policy

.PHONY: demo-people
demo-people: ## Show certificates for people with a real step-ca: by login and group, X.509 and SSH
	@echo 'Compiling the demo, then step-ca, step and the connector: the first time this takes some minutes.'
	@cd $(E2E) && go run ./demo -show people

.PHONY: demo-wifi
demo-wifi: ## Show Wi-Fi with a real step-ca and FreeRADIUS: VLAN by group, then refused, and told why (Linux only; see test-servers)
	@echo 'Compiling the demo, then step-ca, step and the connector: the first time this takes some minutes.'
	@cd $(E2E) && go run ./demo -show wifi

.PHONY: demo-web
demo-web: ## Show a web site with a real step-ca and nginx: who the device is, then refused (see test-servers)
	@echo 'Compiling the demo, then step-ca, step and the connector: the first time this takes some minutes.'
	@cd $(E2E) && go run ./demo -show web

.PHONY: test
test: vet test-unit test-e2e test-browser ## Vet and run all tests (the first time takes some minutes)

.PHONY: vet
vet:
	$(call each,go vet -tags compose$(,)packages ./...)

.PHONY: test-unit
test-unit: ## Run the connector's own tests, with the race detector (needs a C compiler)
	go test -race ./...
	go test -count=1 -run '^(TestAllocations|TestChangedRequests)$$' ./internal/webhook
	go test -count=1 -run '^(TestGenerationsLeaveNothing|TestMillionDevices)$$' ./internal/daemon ./internal/provider/file
	go test -count=1 -run '^TestListCost$$' ./internal/provider/addigy ./internal/provider/apple ./internal/provider/fleet ./internal/provider/iru ./internal/provider/mosyle
	MODEL_HOURS=500 go test -count=1 -run '^TestModel$$' ./internal/snapshot
	cd $(BENCH) && go test -race ./...
	cd $(MONITOR) && go test ./...

# The servers of the tests of the provider sql; they are started by the tests themselves.
.PHONY: test-databases
test-databases: ## Install PostgreSQL and MariaDB for the tests (Debian, Ubuntu; as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql mariadb-server

# The servers of the tests of docs/doors. Their services start too, where the system starts those of new packages.
.PHONY: test-servers
test-servers: ## Install FreeRADIUS, eapol_test, nginx, Caddy and HAProxy for the tests (Debian, Ubuntu; as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends freeradius freeradius-rest eapoltest nginx-light caddy haproxy

# v1.0.0 listens on all addresses, so it runs in a network of its own, which has only the loopback device.
.PHONY: test-upgrade
test-upgrade: ## Compare the recorded answers of v1.0.0 with a build of it: V1=PATH (Linux)
	@test -x '$(V1)' || { echo 'accepted: make test-upgrade V1=PATH, where PATH is a program that was built from the tag v1.0.0' >&2; exit 1; }
	@go test -c -o build/upgrade.test ./internal/test/upgrade
	@cd internal/test/upgrade && STEP_POSTURE_CONNECTOR_V1='$(abspath $(V1))' unshare --net --map-root-user \
	  sh -c 'ip link set lo up && exec ../../../build/upgrade.test -test.run TestUpgrade -test.v'

# Ubuntu has Chromium as a snap only, which cannot use a profile of the tests. Google Chrome does instead.
.PHONY: test-chromium
test-chromium: ## Install Chromium and a font for the tests of pages (Debian; as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core

# The tests build the API server, kubectl and Helm themselves; its module does not let etcd be built beside them.
.PHONY: test-etcd
test-etcd: ## Install etcd for the tests of docs/kubernetes (Debian, Ubuntu; as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends etcd-server

MODEL_HOURS ?= 20000

.PHONY: model
model: ## Hold the bounds of snapshots in MODEL_HOURS simulated hours (default 20000); MODEL_SEED is one simulation
	MODEL_HOURS=$(MODEL_HOURS) go test -count=1 -timeout 0 -v -run '^TestModel$$' ./internal/snapshot

.PHONY: mutate-snapshot
mutate-snapshot: ## Plant faults in the snapshots, and want the simulations to find each (takes some minutes)
	MUTATE=1 go test -count=1 -timeout 0 -v -run '^TestMutations$$' ./internal/snapshot

ROUNDS ?= 1000

.PHONY: redemptions
redemptions: ## Redeem ROUNDS enrolment tokens by 100 keys at once each, in both databases and over two connectors (default 1000)
	go test -count=1 -timeout 0 -v -run '^TestRedemptionsOfOneToken$$' ./internal/store -redemptions $(ROUNDS)
	cd $(E2E) && TOKEN_ROUNDS=$(ROUNDS) go test -count=1 -timeout 0 -v -run '^TestTokenReplicas$$' .

ROWS ?= 10000000

.PHONY: bench-journal
bench-journal: ## Fill the journal with ROWS decisions (default 10 million, 20 GB), and measure what pages ask for, batches and deletion in both databases
	go test -v -run '^$$' -bench '^BenchmarkJournal$$' -benchtime 1x -timeout 0 ./internal/store -journal-rows $(ROWS)

.PHONY: bench-state
bench-state: ## Measure redemptions in both databases, alone and beside the purge of ROWS expired tokens (default 10 million)
	go test -run '^$$' -bench '^BenchmarkRedeem$$' -timeout 0 ./internal/store
	go test -run '^$$' -bench '^BenchmarkPurge$$' -benchtime 1x -timeout 0 ./internal/store -purge-rows $(ROWS)

LOADRATE ?= 2000
LOADROWS ?= 1000000

.PHONY: load-journal
load-journal: ## Compare LOADRATE answers a second with and without the journal, and stop its database for five minutes while LOADROWS old rows are deleted (needs Linux)
	go test -count=1 -timeout 0 -v ./internal/test/journalload -rate $(LOADRATE) -turn 2s -rounds 30 -outage 5m -after 2m -old $(LOADROWS) -long

SOAKTIME ?= 10m

.PHONY: soak
soak: ## Run the daemon under changing files, faults and unauthenticated clients for SOAKTIME (default 10m; needs Linux)
	SOAKTIME=$(SOAKTIME) go test -count=1 -timeout 0 -v ./internal/test/soak

# Uncached: the go command does not know that these tests build the connector.
.PHONY: test-e2e
test-e2e: ## Run the end-to-end tests with a real step-ca
	cd $(E2E) && go test -count=1 -timeout 20m ./...

.PHONY: test-browser
test-browser: ## Run the tests in a headless Chromium (see test-chromium)
	cd $(BROWSER) && go test -count=1 ./...

# They are of a fixed time and of made-up devices: they change with the pages alone.
.PHONY: console-pictures
console-pictures: ## Take the pictures of docs/console.md in a headless Chromium (see test-chromium)
	cd $(BROWSER) && go test -count=1 -run '^TestPictures$$' ./console -args -pictures='$(CURDIR)/docs'

.PHONY: test-compose
test-compose: ## Test docker/docker-compose.yml with real containers (Linux only; needs a docker engine)
	TESTS=./compose docker/test/run.sh -v

.PHONY: test-pod
test-pod: ## Run the pods of docs/kubernetes with Docker: real step-ca, changed files, replacement (Linux only; needs a docker engine)
	TESTS=./podspec docker/test/run.sh -v

# The programs stay in the user's cache, so that a fresh clone finds them.
.PHONY: test-kubernetes
test-kubernetes: ## Apply docs/kubernetes and its chart to a real API server, and plant faults in them (the first time builds it for minutes; see test-etcd)
	cd $(KUBE) && go test -count=1 -timeout 60m ./...

.PHONY: build
build: ## Build the static program build/step-posture-connector
	CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		-ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o $(BIN) .

.PHONY: run
run: build ## Run the daemon with .env; offers to make one where it is missing
	@if [ ! -e .env ]; then \
		[ -t 0 ] || { echo '.env is missing. Copy .env.example and fill it in, or run "make dev-env".' >&2; exit 1; }; \
		printf '.env is missing. Make one for development? [y/N] '; read -r answer; \
		case "$$answer" in [yY]*) $(MAKE) --no-print-directory dev-env;; *) exit 1;; esac; \
	fi
	@exec $(BIN)

.PHONY: dev-env
dev-env: ## Make a .env for development: throwaway certificate and secret, inventory of testdata
	@if [ -e .env ]; then echo '.env exists and stays as it is.'; else $(MAKE) --no-print-directory .env; fi

# In two steps, so that no half-written .env is left behind.
.env: | $(DEV)/cert.pem
	@umask 077; \
	uuid=$$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | \
		sed 's/^\(.\{8\}\)\(.\{4\}\).\(...\).\(...\)\(.\{12\}\)$$/\1-\2-4\3-8\4-\5/') && \
	secret=$$(head -c 64 /dev/urandom | base64 | tr -d '\n') && \
	printf '%s\n' \
		'# Made by "make dev-env": for development on this machine only.' \
		'PROVIDER=file' \
		'FILE_PATH=testdata/devices.json' \
		'FILE_TYPE=json' \
		'BIND_ADDRESS=127.0.0.1' \
		'TLS_CERT_PATH=$(DEV)/cert.pem' \
		'TLS_KEY_PATH=$(DEV)/key.pem' \
		"WEBHOOK_IDS=$$uuid" \
		"WEBHOOK_SECRETS=$$secret" > $(DEV)/env && \
	mv $(DEV)/env .env
	@echo 'Made .env: https://localhost:9443 with a certificate of its own, and the devices of testdata/devices.json.'

$(DEV)/cert.pem:
	@mkdir -p $(DEV)
	@cd $(DEV) && umask 077 && go run "$$(go env GOROOT)/src/crypto/tls/generate_cert.go" \
		-host localhost,127.0.0.1,::1 -ecdsa-curve P256 -duration 8760h >log 2>&1 || { cat log >&2; exit 1; }

.PHONY: lint
lint: ## Look for faults in sources, module files and shell scripts
	$(call each,$(LINT) run --allow-parallel-runners --build-tags compose$(,)packages --config $(CURDIR)/.golangci.yml)
	$(call each,go mod tidy -diff)
	bash -n .ci/run
	for script in docker/test/*.sh docker/setup/*.sh; do sh -n "$$script" || exit 1; done

.PHONY: fmt
fmt: ## Format the sources
	$(call each,$(LINT) fmt --config $(CURDIR)/.golangci.yml)

.PHONY: generate
generate: ## Write the tables of variables, the example files, the compose files and the JSON Schema from the declarations
	GENERATE=1 go test -count=1 -run '^Test(Chart)?Generated$$' ./docs

# An empty list is an error: it would pass without a test.
.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 1m), FUZZJOBS at once (default 1)
	@mkdir -p build
	@go test -list '^Fuzz' ./... > build/fuzz.log || { cat build/fuzz.log; exit 1; }
	@awk '/^Fuzz/ {name[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print name[i], $$2; n = 0}' build/fuzz.log > build/fuzz.list
	@[ -s build/fuzz.list ] || { echo 'No fuzz target was found.' >&2; exit 1; }
	@xargs -P $(FUZZJOBS) -n 2 sh -c 'log="build/fuzz-$$0.log"; \
		go test -run "^$$" -fuzz "^$$0\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s "$$1" > "$$log" 2>&1; status=$$?; \
		echo "== $$0 ($$1), $(FUZZTIME)"; cat "$$log"; \
		[ $$status != 0 ] || exit 0; \
		if grep -q "context deadline exceeded" "$$log" && ! grep -q "Failing input" "$$log"; then \
			echo "The fuzzing engine was cut off at the end of its time; that is no finding."; exit 0; \
		fi; \
		exit 1' < build/fuzz.list

.PHONY: bench-chain
bench-chain: ## Measure audit verify with LINES lines that have facts (default a million, 2 GB in the folder for temporary files)
	go test -run '^$$' -bench '^BenchmarkVerify$$' -benchtime 3x -timeout 0 ./internal/auditchain -chain-lines $(or $(LINES),1000000)

.PHONY: bench
bench: ## Measure CPU, latency, memory and start beside a bare TLS server; BENCHFLAGS are handed on
	@mkdir -p build
	@cd $(BENCH) && go run . -out '$(CURDIR)/build/bench.md' -svg '$(CURDIR)/build/bench.svg' $(BENCHFLAGS)

.PHONY: bench-docs
bench-docs: ## The same, and put the result into docs/performance.md
	@cd $(BENCH) && go run . -docs '$(CURDIR)/docs/performance.md' -svg '$(CURDIR)/docs/cpu-per-request.svg' $(BENCHFLAGS)

.PHONY: bench-doors
bench-doors: ## Measure a question at each door, and logins and pages with FreeRADIUS and nginx (six minutes; BENCHFLAGS=-short: two)
	@mkdir -p build
	@cd $(BENCH) && go run . -only doors -out '$(CURDIR)/build/doors.md' $(BENCHFLAGS)
	@cd $(E2E) && go test -run '^$$' -bench '^BenchmarkDoorLogins$$' -benchtime 600x $(filter -short,$(BENCHFLAGS)) .
	@cd $(E2E) && go test -run '^$$' -bench '^BenchmarkDoorPage$$' -benchtime 3s $(filter -short,$(BENCHFLAGS)) .

.PHONY: storm
storm: ## Measure snapshots: a storm of webhooks, an outage of the MDM, the fetch of 100,000 devices (ten minutes; STORMFLAGS=-short: two)
	@mkdir -p build
	@cd $(BENCH) && go run . -only storm,outage,fleet -out '$(CURDIR)/build/storm.md' $(STORMFLAGS)

# The threshold is the exposure that systemd 252 computes, times ten.
.PHONY: systemd-check
systemd-check: build ## Check the systemd unit and its sandbox (Linux only; needs systemd-analyze)
	@sed 's#/usr/local/bin/#$(CURDIR)/build/#' docs/systemd/$(NAME).service > build/$(NAME).service
	systemd-analyze verify build/$(NAME).service
	@systemd-analyze security --offline=true --threshold=12 build/$(NAME).service > build/systemd.log || { cat build/systemd.log; exit 1; }
	@tail -n 1 build/systemd.log

# GO_IMAGE and RUNTIME_IMAGE replace the base images, for a registry of your own.
.PHONY: docker
docker: ## Build the container image IMAGE (default step-posture-connector)
	docker build -f docker/Dockerfile -t $(IMAGE) $(DOCKERFLAGS) \
		--build-arg VERSION='$(VERSION)' --build-arg COMMIT='$(COMMIT)' \
		$(if $(GO_IMAGE),--build-arg GO_IMAGE='$(GO_IMAGE)') \
		$(if $(RUNTIME_IMAGE),--build-arg RUNTIME_IMAGE='$(RUNTIME_IMAGE)') .

# The platforms of the archives, and what is in them beside the program. The SBOM is made from the program itself, because
# each platform has modules of its own.
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
# The last two are made with the packages.
ARCHIVED  := LICENSE README.md CHANGELOG.md .env.example docs/systemd/posture.yaml \
	build/packages/$(NAME).1.gz build/packages/third-party-licenses.gz
FOR_LINUX := docs/systemd/$(NAME).service
SBOM      := go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
DIST      := build/dist
STAGE     := build/release

# Every file has the time of the commit.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)

# Settings of the person who builds would make another program.
release packages: export GOFLAGS :=
release packages: export GOWORK := off
release packages: export GOEXPERIMENT :=
release packages: export GOAMD64 := v1
release packages: export GOARM64 := v8.0
release packages: export GOFIPS140 := off

# Where the releases are published: the files of VERSION are in RELEASE_URL/VERSION. The Homebrew formula names it.
RELEASE_URL ?= https://downloads.example.com/$(NAME)

.PHONY: release
release: ## Make archives, SBOMs, Homebrew formula and checksums in build/dist (see docs/release.md)
	@rm -rf $(DIST) $(STAGE) && mkdir -p $(DIST) $(STAGE)
	@$(MAKE) --no-print-directory packages VERSION='$(VERSION)' COMMIT='$(COMMIT)'
	@set -e; for platform in $(PLATFORMS); do \
		system=$${platform%/*}; full=$(NAME)-$(VERSION)-$$system-$${platform#*/}; \
		GOOS=$$system GOARCH=$${platform#*/} $(MAKE) --no-print-directory build \
			VERSION='$(VERSION)' COMMIT='$(COMMIT)' BIN=$(STAGE)/$$full/$(NAME); \
		cp $(ARCHIVED) $(STAGE)/$$full/; \
		[ $$system != linux ] || cp $(FOR_LINUX) $(STAGE)/$$full/; \
		$(SBOM) bin -json -std -licenses -noserial -version '$(VERSION)' -output $(STAGE)/$$full.cdx.json $(STAGE)/$$full/$(NAME); \
	done
	@go run ./internal/test/release archive -version '$(VERSION)' -time '$(SOURCE_DATE_EPOCH)' -url '$(RELEASE_URL)' $(STAGE) $(DIST)
	@go run ./internal/test/release sums $(DIST)
	@cat $(DIST)/SHA256SUMS

# In two clones of the commit, in folders of different names: what is not committed is not in them.
.PHONY: release-check
release-check: ## Make the release of the last commit twice, compare every byte, and run what can run here (see docs/release.md)
	go run ./internal/test/release check $(if $(COLD),-cold)

# A signature in the format of OpenSSH: every system has the program that verifies it, and it needs no network.
.PHONY: sign
sign: ## Sign the checksums of make release with the SSH key KEY (see docs/release.md)
	@[ -n '$(KEY)' ] || { echo 'KEY is missing; accepted: the path of a private SSH key, or of a public one whose private key the agent has.' >&2; exit 1; }
	ssh-keygen -Y sign -n $(NAME) -f '$(KEY)' $(DIST)/SHA256SUMS

# Who publishes the packages: their field Maintainer. KINDS and ARCHITECTURES are those to make.
MAINTAINER    ?= The Step Posture Connector authors <step-posture-connector@packages.example.org>
ARCHITECTURES ?= amd64 arm64
KINDS         ?= deb rpm
NFPM          := go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2

# The time of the commit is that of every file, so that the same commit makes the same packages.
.PHONY: packages
packages: ## Make .deb and .rpm packages in build/dist (see docs/packages)
	@mkdir -p build $(DIST) && rm -rf build/packages $(DIST)/*.deb $(DIST)/*.rpm
	@set -e; \
	go run ./internal/test/packages -version '$(VERSION)' -time '$(SOURCE_DATE_EPOCH)' -maintainer '$(MAINTAINER)' -out build/packages; \
	for arch in $(ARCHITECTURES); do \
		GOOS=linux GOARCH=$$arch $(MAKE) --no-print-directory build \
			VERSION='$(VERSION)' COMMIT='$(COMMIT)' BIN=build/packages/$(NAME); \
		for kind in $(KINDS); do \
			PACKAGE_ARCH=$$arch PACKAGE_VERSION=$$(cat build/packages/version) MAINTAINER='$(MAINTAINER)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' \
				$(NFPM) package --config docs/packages/nfpm.yaml --packager $$kind --target $(DIST)/; \
		done; \
	done

# It makes packages of two versions, and boots a clean Debian, which it keeps in the user's cache, with each kind.
.PHONY: test-packages
test-packages: ## Install, start, upgrade and remove the packages in a clean Debian with systemd (see test-packages-tools; as root)
	go test -count=1 -timeout 2h -tags packages -v -run '^TestPackages$$' ./internal/test/packages

.PHONY: test-packages-tools
test-packages-tools: ## Install debootstrap, lintian, rpm, cpio and mandoc for test-packages (Debian, Ubuntu; as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap lintian rpm rpm2cpio cpio mandoc util-linux

.PHONY: clean
clean: ## Remove what was built; .env and .dev stay
	rm -rf build $(E2E)/.tools
