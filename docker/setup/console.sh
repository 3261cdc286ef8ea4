#!/bin/sh
# Makes the file of those who may log in to the console, unless it exists: one user, with a password that is shown once.
set -eu
umask 077
user=65532
cd /console
if [ ! -s users ]; then
	password=$(head -c 18 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_')
	hash=$(printf '%s' "$password" | step crypto kdf hash --alg bcrypt)
	case $hash in
	'$2'?'$'*) ;;
	*) echo 'step has not made a hash of bcrypt' >&2; exit 1 ;;
	esac
	printf 'helpdesk:%s\n' "$hash" >users.new
	mv users.new users
	echo "the console has the user helpdesk with the password $password; htpasswd -B -C 12 changes it, and adds others"
fi
# The connector runs as this user.
chown -R "$user:$user" .
chmod 0500 .
chmod 0400 users
