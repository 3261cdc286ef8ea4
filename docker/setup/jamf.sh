#!/bin/sh
# Has the connector ask a Jamf Pro server: setup.sh has run before.
set -eu
umask 077
user=65532
cd /connector

cp /run/secrets/jamf_client_secret jamf_client_secret.new
[ -s jamf_client_secret.new ] || { echo 'JAMF_CLIENT_SECRET is not set; put it into docker/.env' >&2; exit 1; }
{
	printf 'PROVIDER=jamf\nJAMF_CLIENT_SECRET_FILE=/run/connector/jamf_client_secret\n'
	for name in JAMF_BASE_URL JAMF_CLIENT_ID JAMF_COMPUTER_GROUP JAMF_DEVICE_GROUP JAMF_COMPUTER_ENRICH JAMF_DEVICE_ENRICH JAMF_API JAMF_ALLOW_UNMANAGED; do
		eval "value=\$$name"
		# As docs/configuration.md has it: single quotes take everything but themselves.
		case $value in
		*\'*) printf '%s="%s"\n' "$name" "$(printf %s "$value" | sed 's/[\\"$]/\\&/g')" ;;
		*) printf "%s='%s'\n" "$name" "$value" ;;
		esac
	done
} >provider.env.new
mv provider.env.new provider.env
cat webhook.env provider.env >env.new
for file in jamf_client_secret env; do
	chown "$user:$user" "$file.new"
	chmod 0400 "$file.new"
	mv "$file.new" "$file"
done
echo 'the connector asks Jamf Pro'
