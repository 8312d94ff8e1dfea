#!/bin/bash
# Makes the cluster the first time, then becomes the server. Any uid: one without a name borrows one for initdb.
set -euo pipefail

given() { # given NAME DEFAULT: the value of NAME, or what the file NAME_FILE holds, or DEFAULT
  local file="${1}_FILE"
  if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
    echo "error: both $1 and $file are set (but are exclusive)" >&2
    exit 1
  fi
  if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-$2}"; fi
}

make_cluster() {
  local user password database file pass=() ours=(-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql)
  user="$(given POSTGRES_USER postgres)"
  password="$(given POSTGRES_PASSWORD '')"
  database="$(given POSTGRES_DB "$user")"
  if [ -z "$password" ]; then
    echo "Error: Database is uninitialized and superuser password is not specified." >&2
    exit 1
  fi
  if ! getent passwd "$(id -u)" >/dev/null; then
    NSS_WRAPPER_PASSWD="$(mktemp)" NSS_WRAPPER_GROUP="$(mktemp)"
    export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD=libnss_wrapper.so
    printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$(id -u)" "$(id -g)" "$PGDATA" >"$NSS_WRAPPER_PASSWD"
    printf 'postgres:x:%s:\n' "$(id -g)" >"$NSS_WRAPPER_GROUP"
  fi
  # shellcheck disable=SC2086 - the arguments are words
  initdb -D "$PGDATA" --username="$user" --pwfile=<(printf '%s\n' "$password") ${POSTGRES_INITDB_ARGS:-}
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
  export PGPASSWORD="$password"
  pg_ctl -D "$PGDATA" -w start -o "$(printf '%q ' "${ours[@]}")"
  pass=(psql -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$user" --no-psqlrc)
  if [ "$database" != postgres ]; then
    "${pass[@]}" -d postgres -v name="$database" <<<'CREATE DATABASE :"name";'
  fi
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sh) . "$file" ;;
      *.sql) "${pass[@]}" -d "$database" -f "$file" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  echo 'PostgreSQL init process complete; ready for start up.'
}

if [ "${1:0:1}" = '-' ]; then set -- postgres "$@"; fi
if [ "$1" = postgres ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --clear-groups -- "$0" "$@"
  fi
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  if [ ! -s "$PGDATA/PG_VERSION" ]; then make_cluster; fi
fi
# The server accepts on every address, as the official image's sample configuration says.
if [ "$1" = postgres ]; then
  set -- "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
fi
exec "$@"
