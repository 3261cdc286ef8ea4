#!/bin/sh
# Gets the certificate with which a pod starts, into a folder. renew.sh renews it from then on.
set -eu
umask 077
cd "$1"
# A link: a root that was replaced in its ConfigMap is the one that renew.sh trusts next.
ln -sf "$ROOT_CA" root_ca.crt
set --
for name in $CONNECTOR_NAMES; do set -- "$@" --san "$name"; done
# A file from before is replaced. When the CA does not answer, the kubelet tries again after a while.
timeout 30 step ca certificate "${CONNECTOR_NAMES%% *}" server.crt.new server.key.new --force "$@" \
	--ca-url "$CA_URL" --root root_ca.crt --provisioner "$PROVISIONER" --provisioner-password-file "$PASSWORD_FILE"
mv server.key.new server.key
mv server.crt.new server.crt
