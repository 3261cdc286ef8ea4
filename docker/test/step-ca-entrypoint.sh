#!/bin/sh
# What the public image does at start, as far as docker-compose.yml uses it: initialize the CA once from
# DOCKER_STEPCA_INIT_*, and run it.
set -eu
umask 077
password=$STEPPATH/secrets/password
if [ ! -f "$STEPPATH/config/ca.json" ]; then
	: "${DOCKER_STEPCA_INIT_NAME:?}" "${DOCKER_STEPCA_INIT_DNS_NAMES:?}" "${DOCKER_STEPCA_INIT_PASSWORD_FILE:?}"
	cp "$DOCKER_STEPCA_INIT_PASSWORD_FILE" "$STEPPATH/password"
	set -- --deployment-type standalone --name "$DOCKER_STEPCA_INIT_NAME" --dns "$DOCKER_STEPCA_INIT_DNS_NAMES" \
		--provisioner "${DOCKER_STEPCA_INIT_PROVISIONER_NAME:-admin}" --address "${DOCKER_STEPCA_INIT_ADDRESS:-:9000}" \
		--password-file "$STEPPATH/password" --provisioner-password-file "$STEPPATH/password"
	if [ "${DOCKER_STEPCA_INIT_REMOTE_MANAGEMENT-}" = true ]; then
		set -- "$@" --remote-management --admin-subject "${DOCKER_STEPCA_INIT_ADMIN_SUBJECT:-step}"
	fi
	step ca init "$@"
	chmod u+w "$STEPPATH/password"
	mv "$STEPPATH/password" "$password"
fi
exec step-ca --password-file "$password" "$STEPPATH/config/ca.json"
