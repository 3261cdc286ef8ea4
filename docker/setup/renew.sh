#!/bin/sh
# Keeps server.crt of a folder fresh, whose server.key and root_ca.crt it uses. It looks every minute, and
# reads everything again: files that were replaced, and a CA that was away for long, need nobody's help.
# `step ca renew --daemon` reads the pair once, and gives up for good when it has expired.
set -u
umask 077
trap 'exit 0' TERM INT
cd "$1" || exit 1

# look renews when it is time.
look() {
	step certificate needs-renewal --expires-in "$RENEW_AT" server.crt
	case $? in
	0) ;;
	1) return 0 ;;
	*) return 1 ;;
	esac
	rm -f server.crt.new
	# Whole or not at all: the connector may read it at any time.
	timeout 30 step ca renew --force --ca-url "$CA_URL" --root root_ca.crt --out server.crt.new server.crt server.key &&
		mv server.crt.new server.crt && echo 'renewed the certificate'
}

while :; do
	look >"$STEPPATH/log" 2>&1 &
	if wait $!; then : >"$STEPPATH/well"; else rm -f "$STEPPATH/well"; fi
	cat "$STEPPATH/log"
	sleep 60 &
	wait $!
done
