#!/bin/sh
# Make an authority of our own, ca.pem, and a certificate for localhost that it has signed, in the folder that is named.
# Several servers may start at once, so the folder appears when all is in it.
set -eu
made="$1.$$"
mkdir "$made"
(
  cd "$made"
  key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
  openssl req -x509 $key -keyout ca.key -out ca.pem -days 365 -subj "/CN=the example's own authority"
  openssl req $key -keyout server.key -out server.csr -subj "/CN=localhost"
  echo "subjectAltName=DNS:localhost,IP:127.0.0.1" > server.ext
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile server.ext -out server.pem
)
[ -e "$1" ] || mv "$made" "$1"
rm -rf "$made" "$1/${made##*/}"
