#!/usr/bin/env bash
# Ends the Slurm that start.sh began; munged stays.
place=${1:-/tmp/equilux-slurm}
for daemon in slurmd slurmctld; do
    [ -e "$place/$daemon.pid" ] && kill "$(cat "$place/$daemon.pid")"
done
