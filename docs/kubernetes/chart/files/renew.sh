#!/bin/sh
# Renews server.crt in a folder, with the server.key and root_ca.crt there. It checks every minute and reads all files
# again, so it recovers by itself from replaced files and from a long outage of the CA.
# `step ca renew --daemon` reads the pair once, and gives up for good when the certificate has expired.
set -u
umask 077
trap 'exit 0' TERM INT
cd "$1" || exit 1

# check renews the certificate when it is time.
check() {
	step certificate needs-renewal --expires-in "$RENEW_AT" server.crt
	case $? in
	0) ;;
	1) return 0 ;;
	*) return 1 ;;
	esac
	rm -f server.crt.new
	# Replaced by rename: the connector may read it at any time.
	timeout 30 step ca renew --force --ca-url "$CA_URL" --root root_ca.crt --out server.crt.new server.crt server.key &&
		mv server.crt.new server.crt && echo 'renewed the certificate'
}

while :; do
	check >"$STEPPATH/log" 2>&1 &
	if wait $!; then : >"$STEPPATH/healthy"; else rm -f "$STEPPATH/healthy"; fi
	cat "$STEPPATH/log"
	sleep 60 &
	wait $!
done
