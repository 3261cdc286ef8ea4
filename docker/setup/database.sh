#!/bin/sh
# Makes the password of the state database, and the connectors' STATE_URL with it, unless they exist.
set -eu
umask 077
if [ ! -s /url/url ]; then
	head -c 32 /dev/urandom | base64 | tr -d '\n=+/' >/password/password
	# The network is that of the containers, and no other.
	printf 'postgres://posture:%s@database:5432/posture?sslmode=disable' "$(cat /password/password)" >/url/url.new
	mv /url/url.new /url/url
fi
# The connectors run as this user.
chown -R 65532:65532 /url
chmod 0500 /url
chmod 0400 /url/url
