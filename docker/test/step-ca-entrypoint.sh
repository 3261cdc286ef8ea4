#!/bin/sh
# What the entry point of the public image does (smallstep/certificates, docker/entrypoint.sh of v0.30.2), for
# a shell without bash: the same variables, files and lines in the log, the password included.
set -e

initialize() {
	admin=${DOCKER_STEPCA_INIT_ADMIN_SUBJECT:-step}
	set -- --name "$DOCKER_STEPCA_INIT_NAME" --dns "$DOCKER_STEPCA_INIT_DNS_NAMES" \
		--provisioner "${DOCKER_STEPCA_INIT_PROVISIONER_NAME:-admin}" --address "${DOCKER_STEPCA_INIT_ADDRESS:-:9000}" \
		--password-file "$STEPPATH/password" --provisioner-password-file "$STEPPATH/provisioner_password"
	if [ -n "$DOCKER_STEPCA_INIT_PASSWORD_FILE" ]; then
		cat "$DOCKER_STEPCA_INIT_PASSWORD_FILE" >"$STEPPATH/password"
	elif [ -n "$DOCKER_STEPCA_INIT_PASSWORD" ]; then
		echo "$DOCKER_STEPCA_INIT_PASSWORD" >"$STEPPATH/password"
	else
		tr -dc A-Za-z0-9 </dev/urandom | head -c40 >"$STEPPATH/password"
	fi
	cat "$STEPPATH/password" >"$STEPPATH/provisioner_password"
	[ -z "$DOCKER_STEPCA_INIT_DEPLOYMENT_TYPE" ] || set -- "$@" --deployment-type "$DOCKER_STEPCA_INIT_DEPLOYMENT_TYPE"
	[ "$DOCKER_STEPCA_INIT_SSH" != true ] || set -- "$@" --ssh
	[ "$DOCKER_STEPCA_INIT_ACME" != true ] || set -- "$@" --acme
	[ "$DOCKER_STEPCA_INIT_REMOTE_MANAGEMENT" != true ] || set -- "$@" --remote-management --admin-subject "$admin"
	step ca init "$@"
	[ "$DOCKER_STEPCA_INIT_REMOTE_MANAGEMENT" != true ] || printf '\n👉 Your CA administrative username is: %s\n' "$admin"
	echo "👉 Your CA administrative password is: $(cat "$STEPPATH/provisioner_password")"
	echo '🤫 This will only be displayed once.'
	shred -u "$STEPPATH/provisioner_password"
	mv "$STEPPATH/password" "$PWDPATH"
}

if [ ! -f "$STEPPATH/config/ca.json" ]; then
	if [ -n "$DOCKER_STEPCA_INIT_NAME" ] && [ -n "$DOCKER_STEPCA_INIT_DNS_NAMES" ]; then
		initialize
	else
		echo 'there is no ca.json config file; please run step ca init, or provide config parameters via DOCKER_STEPCA_INIT_ vars' >&2
	fi
fi
exec "$@"
