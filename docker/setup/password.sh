#!/bin/sh
# Makes the password of the CA's keys, unless it exists.
set -eu
umask 077
if [ ! -s /password/password ]; then
	head -c 32 /dev/urandom | base64 | tr -d '\n' >/password/password.new
	mv /password/password.new /password/password
fi
# The CA runs as a user of its own, and only these containers have the volume.
chmod 0755 /password
chmod 0444 /password/password
