#!/bin/sh
# Runs the tests with real containers: of the compose files, and of the pods of docs/kubernetes. It makes what is
# missing: Compose v2, which Debian lacks, and replacements for the images, if no registry can be reached. Run it from
# the root of the repository. Arguments are passed to go test; TESTS is which of the two are run.
set -eu
docker info >/dev/null 2>&1 || { echo 'These tests need a docker engine.' >&2; exit 1; }
build=$PWD/build
mkdir -p "$build"
: "${TESTS:=./compose ./podspec}"
# tests NAME: are these tests among them?
tests() { case " $TESTS " in *" ./$1 "*) return 0 ;; *) return 1 ;; esac; }

if tests compose && ! docker compose version 2>/dev/null | grep -q 'v[2-9]'; then
	export DOCKER_CONFIG="$build/docker-config"
	plugin=$DOCKER_CONFIG/cli-plugins/docker-compose
	if [ ! -x "$plugin" ]; then
		echo 'building Docker Compose; the first time takes some minutes'
		mkdir -p "$(dirname "$plugin")"
		# The version that its go.mod pins: a program built like this does not know it.
		version=$(cd docker/test/compose && go list -m -f '{{.Version}}' github.com/docker/compose/v2)
		(cd docker/test/compose && go build -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$version" \
			-o "$plugin" github.com/docker/compose/v2/cmd)
	fi
fi
! tests compose || docker compose version

# have NAME: does the image exist here, or can it be pulled?
have() { docker image inspect "$1" >/dev/null 2>&1 || timeout 60 docker pull -q "$1" >/dev/null 2>&1; }

: "${GO_IMAGE:=golang:1.26-alpine}" "${STEP_CA_IMAGE:=smallstep/step-ca:0.30.2}" "${POSTGRES_IMAGE:=postgres:17-alpine}"
if ! have "$GO_IMAGE"; then
	GO_IMAGE=step-posture-connector-go:test
	docker/test/go-image.sh "$GO_IMAGE"
fi
if ! have "$STEP_CA_IMAGE"; then
	STEP_CA_IMAGE=step-posture-connector-step:test
	command -v busybox >/dev/null && command -v setcap >/dev/null || { echo 'Please install busybox-static and libcap2-bin.' >&2; exit 1; }
	(cd internal/test/e2e && go run ./toolchain/cmd)
	docker/test/step-image.sh "$STEP_CA_IMAGE" internal/test/e2e/.tools
fi
if tests compose && ! have "$POSTGRES_IMAGE"; then
	POSTGRES_IMAGE=step-posture-connector-postgres:test
	command -v busybox >/dev/null && [ -d /usr/lib/postgresql ] || { echo 'Please install busybox-static and postgresql.' >&2; exit 1; }
	docker/test/postgres-image.sh "$POSTGRES_IMAGE"
fi
# If a container cannot reach the Go module proxy, it gets the modules with the sources.
if ! docker run --rm "$GO_IMAGE" go mod download github.com/joho/godotenv@v1.5.1 >/dev/null 2>&1; then
	trap 'rm -rf "$build/../vendor"' EXIT
	go mod vendor
fi
CONNECTOR_IMAGE=step-posture-connector:test
make --no-print-directory docker IMAGE="$CONNECTOR_IMAGE" GO_IMAGE="$GO_IMAGE" >"$build/image.log" 2>&1 || { cat "$build/image.log" >&2; exit 1; }
# For the tests: a load balancer and a simulated Jamf Pro server, each only a program.
BALANCER_IMAGE=step-posture-connector-balancer:test FAKEJAMF_IMAGE=step-posture-connector-fakejamf:test
(cd internal/test/e2e && CGO_ENABLED=0 go build -trimpath -o "$build/balancer" ./balancer)
CGO_ENABLED=0 go build -trimpath -o "$build/fakejamf" ./internal/provider/jamf/jamftest/cmd/fakejamf
tar -C "$build" -c balancer | docker import --change 'ENTRYPOINT ["/balancer"]' - "$BALANCER_IMAGE" >/dev/null
tar -C "$build" -c fakejamf | docker import --change 'ENTRYPOINT ["/fakejamf"]' - "$FAKEJAMF_IMAGE" >/dev/null
export GO_IMAGE STEP_CA_IMAGE POSTGRES_IMAGE CONNECTOR_IMAGE BALANCER_IMAGE FAKEJAMF_IMAGE
cd internal/test/e2e
# One after the other: both keep a small machine busy. TESTS is a list.
# shellcheck disable=SC2086
go test -tags compose -count=1 -timeout 20m -p 1 "$@" $TESTS
