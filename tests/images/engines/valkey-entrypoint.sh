#!/bin/sh
# Options or a configuration alone mean the server; root becomes the user valkey.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- valkey-server "$@"; fi
if [ "$1" = valkey-server ]; then
  if [ "$(id -u)" = 0 ]; then
    chown -R valkey .
    exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
  fi
  if [ ! -w . ]; then
    echo "error: directory is not writable by current user ($(id -u))" >&2
    exit 1
  fi
  # The official server is compiled with it off: a container's network is its protection.
  set -- "$@" --protected-mode no
fi
exec "$@"
