#!/bin/sh
# Makes a replacement for the public step-ca image, if no registry can be reached: step-ca and step as
# the end-to-end tests have built them, and busybox. Arguments: the name, and the folder with the two.
set -eu
image=${1:?usage: step-image.sh NAME FOLDER}
tools=${2:?usage: step-image.sh NAME FOLDER}
here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/usr/local/bin" "$root/tmp" "$root/etc" "$root/home/step"
chmod 1777 "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do ln -s busybox "$root/bin/$applet" 2>/dev/null || :; done
cp "$tools/step-ca" "$tools/step" "$root/usr/local/bin/"
# As the public image has it: without this capability the program is not even started.
setcap CAP_NET_BIND_SERVICE=+eip "$root/usr/local/bin/step-ca"
cp "$here/step-ca-entrypoint.sh" "$root/entrypoint.sh"
chmod 0755 "$root/entrypoint.sh"
printf 'root:x:0:0::/root:/bin/sh\nstep:x:1000:1000::/home/step:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nstep:x:1000:\n' >"$root/etc/group"
chown -R 1000:1000 "$root/home/step"
tar -C "$root" --xattrs --xattrs-include=security.capability -c . | docker import \
	--change 'ENV PATH=/usr/local/bin:/bin' --change 'ENV STEPPATH=/home/step' --change 'ENV HOME=/home/step' \
	--change 'USER step' --change 'WORKDIR /home/step' --change 'VOLUME /home/step' \
	--change 'ENV CONFIGPATH=/home/step/config/ca.json' --change 'ENV PWDPATH=/home/step/secrets/password' \
	--change 'ENTRYPOINT ["/bin/sh", "/entrypoint.sh"]' \
	--change 'CMD ["/usr/local/bin/step-ca", "--password-file", "/home/step/secrets/password", "/home/step/config/ca.json"]' \
	- "$image" >/dev/null
echo "made $image"
