#!/bin/sh
# Has the CA ask the connector before it signs, and writes what the connector needs into /connector. Run
# again, it makes only what is missing.
set -eu
umask 077
connector=/connector
user=65532
url="https://step-ca:9000"
mkdir -p "$STEPPATH"
step ca bootstrap --ca-url "$url" --fingerprint "$(step certificate fingerprint /home/step/certs/root_ca.crt)" --force >"$STEPPATH/log" 2>&1 ||
	{ cat "$STEPPATH/log" >&2; exit 1; }

# give has a file belong to the connector.
give() {
	chown "$user:$user" "$1"
	chmod "$2" "$1"
}
# admin runs a command of the administrator.
admin() {
	step ca "$@" --admin-subject step --admin-provisioner admin --admin-password-file /password/password
}

give "$connector" 0700

if ! step ca provisioner list | grep -q '"name": "devices"'; then
	set -- --type ACME --challenge device-attest-01 --attestation-format apple
	[ -z "$ATTESTATION_ROOTS" ] || set -- "$@" --attestation-roots "$ATTESTATION_ROOTS"
	admin provisioner add devices "$@"
	echo 'added the provisioner devices'
fi

# The secret is shown once: without it a webhook that is there is of no use.
if [ ! -s "$connector/webhook.env" ]; then
	admin provisioner webhook remove devices posture >/dev/null 2>&1 || :
	admin provisioner webhook add devices posture \
		--url "https://$CONNECTOR_HOST:9443/webhook/device-attest${WEBHOOK_MODE:+?mode=$WEBHOOK_MODE}" >"$STEPPATH/webhook" 2>&1 ||
		{ sed 's/^Secret: .*/Secret: (not shown)/' "$STEPPATH/webhook" >&2; exit 1; }
	sed -n 's/^Secret: //p' "$STEPPATH/webhook" | tr -d '\n' >"$connector/webhook_secret"
	id=$(sed -n 's/^Webhook ID: //p' "$STEPPATH/webhook")
	[ -n "$id" ] && [ -s "$connector/webhook_secret" ] || { echo 'the CA has shown no webhook ID and secret' >&2; exit 1; }
	cat >"$connector/webhook.env.new" <<EOF
WEBHOOK_IDS=$id
WEBHOOK_SECRETS_FILE=/run/connector/webhook_secret
TLS_CERT_PATH=/run/connector/server.crt
TLS_KEY_PATH=/run/connector/server.key
ENABLE_MTLS=1
TLS_CA_PATH=/run/connector/root_ca.crt
MTLS_ALLOWED_NAMES=step-ca
EOF
	give "$connector/webhook_secret" 0400
	mv "$connector/webhook.env.new" "$connector/webhook.env"
	echo 'added the webhook posture'
fi

# The profile jamf has another inventory, and puts it in after this.
{
	cat "$connector/webhook.env"
	printf 'PROVIDER=file\nFILE_PATH=/inventory/devices.csv\nFILE_TYPE=csv\n'
} >"$connector/env.new"
give "$connector/env.new" 0400
mv "$connector/env.new" "$connector/env"

cp /home/step/certs/root_ca.crt "$connector/root_ca.crt.new"
give "$connector/root_ca.crt.new" 0444
mv "$connector/root_ca.crt.new" "$connector/root_ca.crt"

# One that has expired, after a long pause, cannot be renewed.
if ! step certificate verify "$connector/server.crt" --roots "$connector/root_ca.crt" >/dev/null 2>&1; then
	step ca certificate "$CONNECTOR_HOST" "$connector/server.crt.new" "$connector/server.key.new" --force \
		--provisioner admin --provisioner-password-file /password/password >/dev/null
	give "$connector/server.crt.new" 0600
	give "$connector/server.key.new" 0600
	mv "$connector/server.key.new" "$connector/server.key"
	mv "$connector/server.crt.new" "$connector/server.crt"
	echo "got the connector's certificate"
fi
echo ready
