#!/bin/sh
# Starts the CA, and creates it the first time. The entry point of the image does that too, but it logs the
# administrator's password, and after an interruption it would keep half a CA for ever.
set -eu
umask 077
cd "$STEPPATH"
if [ ! -e config/ca.json ] && [ ! -e unfinished ] && [ -e secrets ]; then
	echo 'there are keys of a CA, but no config/ca.json: put it back, or remove the volume "ca" to start over' >&2
	exit 1
fi
if [ ! -e config/ca.json ] || [ -e unfinished ]; then
	: >unfinished
	rm -rf certs config db secrets templates
	step ca init --deployment-type standalone --name "$CA_NAME" --dns "$CA_DNS_NAMES" --address :9000 \
		--provisioner admin --admin-subject step --remote-management \
		--password-file /password/password --provisioner-password-file /password/password >unfinished 2>&1 ||
		{ cat unfinished >&2; exit 1; }
	rm unfinished
fi
exec step-ca --password-file /password/password config/ca.json
