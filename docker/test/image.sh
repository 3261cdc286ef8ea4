#!/bin/sh
# Runs the image named by the argument with no privileges and a read-only root, and waits until it is healthy. Then
# breaks the inventory, and stops the container.
set -eu
image=${1:?usage: image.sh NAME}
folder=$(mktemp -d)
name=step-posture-connector-test-$$
trap 'docker rm -f "$name" >/dev/null 2>&1 || :; rm -rf "$folder"' EXIT

(cd "$folder" && go run "$(go env GOROOT)/src/crypto/tls/generate_cert.go" -host localhost -ecdsa-curve P256 >log 2>&1) || { cat "$folder/log" >&2; exit 1; }
printf 'Identifier\nC02XK1JKLVCG\n' >"$folder/devices.csv"
head -c 64 /dev/urandom | base64 | tr -d '\n' >"$folder/webhook_secrets"
chmod 0755 "$folder"
chmod 0644 "$folder"/*

docker run --detach --name "$name" --read-only --cap-drop ALL --security-opt no-new-privileges --memory 64m \
	--health-interval 1s --volume "$folder:/etc/connector:ro" \
	--env PROVIDER=file --env FILE_PATH=/etc/connector/devices.csv --env FILE_TYPE=csv \
	--env TLS_CERT_PATH=/etc/connector/cert.pem --env TLS_KEY_PATH=/etc/connector/key.pem \
	--env WEBHOOK_IDS=0d0f4a2e-6f8a-4f6c-9a57-0a4f5d3c2b1a --env WEBHOOK_SECRETS_FILE=/etc/connector/webhook_secrets \
	"$image" >/dev/null

# wait_for TEXT COMMAND...: until the command prints something with the text.
wait_for() {
	text=$1
	shift
	for _ in $(seq 60); do
		if "$@" 2>&1 | grep -q "$text"; then return 0; fi
		sleep 0.5
	done
	echo "waited in vain for: $text" >&2
	docker logs "$name" >&2
	exit 1
}

wait_for '^healthy$' docker inspect --format '{{.State.Health.Status}}' "$name"
docker exec "$name" /step-posture-connector lookup C02XK1JKLVCG
echo 'a line without commas, but with "a quotation mark' >>"$folder/devices.csv"
wait_for '^degraded$' docker exec "$name" /step-posture-connector healthcheck
docker stop --time 20 "$name" >/dev/null
[ "$(docker inspect --format '{{.State.ExitCode}}' "$name")" = 0 ] || { docker logs "$name" >&2; exit 1; }
echo "$image: healthy, degraded with a broken inventory, exit status 0"
