#!/bin/sh
# Makes a replacement for the public Go image, if no registry can be reached: the toolchain of this
# machine, a shell, and the CA certificates. Its name is the argument.
set -eu
image=${1:?usage: go-image.sh NAME}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/local" "$root/bin" "$root/tmp" "$root/etc/ssl/certs" "$root/root"
chmod 1777 "$root/tmp"
cp -a "$(go env GOROOT)" "$root/usr/local/go"
rm -rf "$root/usr/local/go/test" "$root/usr/local/go/doc"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# The shell of this machine, with the libraries that it needs.
cp -L /bin/sh "$root/bin/sh"
ldd /bin/sh | grep -o '/[^ ]*' | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done
tar -C "$root" -c . | docker import \
	--change 'ENV PATH=/usr/local/go/bin:/bin' --change 'ENV GOTOOLCHAIN=local' --change 'ENV HOME=/root' - "$image" >/dev/null
echo "made $image"
