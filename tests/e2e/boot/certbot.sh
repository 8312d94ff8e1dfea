#!/bin/bash
# A stand-in for Let's Encrypt: signs a certificate for the name after -d by itself, and lets this machine trust it.
set -euo pipefail
while [ "$1" != -d ]; do shift; done
folder="/etc/letsencrypt/live/$2"
[ ! -f "$folder/fullchain.pem" ] || exit 0
mkdir -p "$folder"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$2" -addext "subjectAltName=DNS:$2" \
  -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null
cp "$folder/fullchain.pem" /usr/local/share/ca-certificates/stand-in.crt
update-ca-certificates >/dev/null
