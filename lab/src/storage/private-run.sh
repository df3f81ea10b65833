#!/bin/sh
# Runs a program with a /run of its own, in which rpcbind and the NFS server find each other and nothing of the
# machine's. Called by `ip netns exec`, whose mount namespace is its own:
#   private-run.sh PROGRAM ARGUMENT…
set -eu
mount -t tmpfs tmpfs /run
mkdir /run/rpcbind
exec "$@"
