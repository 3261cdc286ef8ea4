#!/bin/sh
# Makes a replacement for the public PostgreSQL image, if no registry can be reached: PostgreSQL as this machine has it
# installed, and busybox. Arguments: the name.
set -eu
image=${1:?usage: postgres-image.sh NAME}
here=$(dirname "$0")
programs=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
share=/usr/share/postgresql/$(basename "$(dirname "$programs")")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/tmp" "$root/etc" "$root/var/lib/postgresql/data" "$root/usr/share/postgresql" "$root/usr/share/zoneinfo"
chmod 1777 "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do ln -s busybox "$root/bin/$applet" 2>/dev/null || :; done
mkdir -p "$root$(dirname "$programs")"
cp -r "$(dirname "$programs")/bin" "$(dirname "$programs")/lib" "$root$(dirname "$programs")/"
cp -r "$share" "$root/usr/share/postgresql/"
cp -r /usr/share/zoneinfo/Etc /usr/share/zoneinfo/UTC "$root/usr/share/zoneinfo/" 2>/dev/null || :
for library in $(ldd "$programs/postgres" "$programs/initdb" "$programs/pg_isready" "$programs/psql" | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done
cp "$here/postgres-entrypoint.sh" "$root/entrypoint.sh"
chmod 0755 "$root/entrypoint.sh"
printf 'root:x:0:0::/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:70:\n' >"$root/etc/group"
tar -C "$root" -c . | docker import --change "ENV PATH=$programs:/bin" --change 'ENTRYPOINT ["/bin/sh", "/entrypoint.sh"]' \
	--change 'VOLUME /var/lib/postgresql/data' - "$image" >/dev/null
echo "made $image"
