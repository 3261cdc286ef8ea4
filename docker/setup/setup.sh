#!/bin/sh
# Adds provisioner and webhook to the CA, and writes the connector's files to /connector. When it runs again, it makes
# what is missing and corrects what differs. The argument "file" switches back from Jamf Pro to devices.csv.
set -eu
umask 077
user=65532
wanted=${1-}
url="https://step-ca:9000"
cd /connector
mkdir -p "$STEPPATH"
step ca bootstrap --ca-url "$url" --fingerprint "$(step certificate fingerprint /home/step/certs/root_ca.crt)" --force >"$STEPPATH/log" 2>&1 ||
	{ cat "$STEPPATH/log" >&2; exit 1; }

# give makes the connector the owner of a file.
give() {
	chown "$user:$user" "$1"
	chmod "$2" "$1"
}
# admin runs a command of the administrator.
admin() {
	step ca provisioner "$@" --admin-subject step --admin-provisioner admin --admin-password-file /password/password
}

give . 0700
# The audit log and the state database: a new volume belongs to root.
give /audit 0700
give /state 0700
# The commands below depend on this list, so the script ends here if the CA does not answer.
step ca provisioner list >"$STEPPATH/provisioners"

# Each week a new order must be decided: a renewal would not call the webhook. While the webhook below is missing, the
# template issues nothing.
set -- --attestation-format apple --x509-template /setup/device.tpl --disable-renewal --x509-default-dur 168h --x509-max-dur 168h
[ -z "$ATTESTATION_ROOTS" ] || set -- "$@" --attestation-roots "$ATTESTATION_ROOTS"
if grep -q '"name": "devices"' "$STEPPATH/provisioners"; then
	admin update devices "$@"
else
	admin add devices --type ACME --challenge device-attest-01 "$@"
	echo 'added the provisioner devices'
fi
# After a long pause the connector's certificate has expired, but must be renewable. This is for certificates of this
# provisioner only, which needs the CA's password.
grep -q '"allowRenewalAfterExpiry": true' "$STEPPATH/provisioners" || admin update admin --allow-renewal-after-expiry

webhook="https://$CONNECTOR_HOST:9443/webhook/device-attest${WEBHOOK_MODE:+?mode=$WEBHOOK_MODE}"
id=$(sed -n 's/^WEBHOOK_IDS=//p' webhook.env 2>/dev/null || :)
if [ -n "$id" ] && [ -s webhook_secret ] && grep -q "\"id\": \"$id\"" "$STEPPATH/provisioners"; then
	admin webhook update devices posture --url "$webhook"
else
	# The CA shows the secret once: without it, an existing webhook is useless.
	rm -f webhook.env
	! grep -q '"name": "posture"' "$STEPPATH/provisioners" || admin webhook remove devices posture
	admin webhook add devices posture --url "$webhook" >"$STEPPATH/webhook" 2>&1 ||
		{ sed 's/^Secret: .*/Secret: (not shown)/' "$STEPPATH/webhook" >&2; exit 1; }
	sed -n 's/^Secret: //p' "$STEPPATH/webhook" | tr -d '\n' >webhook_secret
	id=$(sed -n 's/^Webhook ID: //p' "$STEPPATH/webhook")
	[ -n "$id" ] && [ -s webhook_secret ] || { echo 'the CA has shown no webhook ID and secret' >&2; exit 1; }
	cat >webhook.env.new <<END
WEBHOOK_IDS=$id
WEBHOOK_SECRETS_FILE=/run/connector/webhook_secret
TLS_CERT_PATH=/run/connector/server.crt
TLS_KEY_PATH=/run/connector/server.key
ENABLE_MTLS=1
TLS_CA_PATH=/run/connector/root_ca.crt
MTLS_ALLOWED_NAMES=step-ca
END
	give webhook_secret 0400
	mv webhook.env.new webhook.env
	echo 'added the webhook posture; a connector that runs already has to be started again to know it'
fi

# The profile jamf writes this file after this script. It is kept when a later "up" lacks the profile.
if [ "$wanted" = file ] || [ ! -s provider.env ]; then
	printf 'PROVIDER=file\nFILE_PATH=/inventory/devices.csv\nFILE_TYPE=csv\n' >provider.env.new
	mv provider.env.new provider.env
fi
cat webhook.env provider.env >env.new
give env.new 0400
mv env.new env

cp /home/step/certs/root_ca.crt root_ca.crt.new
give root_ca.crt.new 0444
mv root_ca.crt.new root_ca.crt

# The names of the connector: that for the CA, and with the console that for browsers.
names=$CONNECTOR_HOST
[ -z "${CONSOLE_HOST-}" ] || [ "$CONSOLE_HOST" = "$CONNECTOR_HOST" ] || names="$names $CONSOLE_HOST"
# verified reports whether the certificate is of the CA, and has all names.
verified() {
	for name in $names; do
		step certificate verify server.crt --roots root_ca.crt --host "$name" >/dev/null 2>&1 || return 1
	done
}
set --
for name in $names; do set -- "$@" --san "$name"; done
# Also if it has other names, is of a CA that was replaced, or has another key after an interruption.
if ! verified ||
	[ "$(step certificate key server.crt)" != "$(step crypto key public server.key)" ]; then
	step ca certificate "$CONNECTOR_HOST" server.crt.new server.key.new --force "$@" \
		--provisioner admin --provisioner-password-file /password/password >/dev/null
	give server.crt.new 0600
	give server.key.new 0600
	mv server.key.new server.key
	mv server.crt.new server.crt
	echo "got the connector's certificate"
fi
echo "ready, with the inventory $(sed -n 's/^PROVIDER=//p' provider.env)"
