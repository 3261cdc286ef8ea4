#!/bin/sh
# Does what the entry point of the public PostgreSQL image does with the variables that the compose file sets.
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
	cp "$POSTGRES_PASSWORD_FILE" /tmp/password
	chown postgres:postgres "$data" /tmp/password
	chmod 0700 "$data"
	su postgres -c "initdb -D $data -U $POSTGRES_USER -A scram-sha-256 --pwfile /tmp/password -E UTF8 --locale=C"
	echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
	echo "CREATE DATABASE $POSTGRES_DB" | su postgres -c "postgres --single -D $data postgres"
	rm /tmp/password
fi
exec su postgres -c "exec postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp"
