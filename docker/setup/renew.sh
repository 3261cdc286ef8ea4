#!/bin/sh
# Keeps server.crt of a folder fresh, whose server.key and root_ca.crt it uses. It looks every minute, and
# reads everything anew: files that were replaced, and a CA that was away for long, need nobody's help.
# `step ca renew --daemon` reads the pair once, and gives up for good when it has expired.
set -u
umask 077
trap 'exit 0' TERM INT
cd "$1" || exit 1
while :; do
	rm -f server.crt.new
	timeout 30 step ca renew --force --expires-in "$RENEW_BEFORE" --ca-url "$CA_URL" --root root_ca.crt \
		--out server.crt.new server.crt server.key >/tmp/log 2>&1 &
	if wait $!; then
		# Whole or not at all: the connector may read it at any time.
		[ ! -e server.crt.new ] || { mv server.crt.new server.crt && echo 'renewed the certificate'; }
		: >/tmp/well
	else
		rm -f /tmp/well
		cat /tmp/log >&2
	fi
	sleep 60 &
	wait $!
done
