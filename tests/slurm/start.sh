#!/usr/bin/env bash
# A Slurm of one node on this machine, for tests: `apt-get install slurm-wlm munge`, then run this as root. It needs neither systemd
# nor cgroups, so it works in a container. Its files are in $1 (default /tmp/equilux-slurm); tests/slurm/stop.sh ends it.
set -euo pipefail
place=${1:-/tmp/equilux-slurm}
for program in munged slurmctld slurmd sinfo; do
    command -v "$program" > /dev/null || { echo "$program is not here: apt-get install slurm-wlm munge" >&2; exit 1; }
done
mkdir -p "$place"/{state,spool}

if ! pgrep -x munged > /dev/null; then
    mkdir -p /run/munge /var/log/munge /var/lib/munge
    [ -s /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none
    chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge
    chmod 400 /etc/munge/munge.key
    runuser -u munge -- munged
fi

name=$(hostname -s)
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=equilux
SlurmctldHost=$name
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SchedulerParameters=sched_interval=2,batch_sched_delay=0
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool
SlurmctldPidFile=$place/slurmctld.pid
SlurmdPidFile=$place/slurmd.pid
SlurmctldLogFile=$place/slurmctld.log
SlurmdLogFile=$place/slurmd.log
NodeName=$name CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
[ -e "$place/slurmctld.pid" ] && kill -0 "$(cat "$place/slurmctld.pid")" 2> /dev/null || slurmctld
[ -e "$place/slurmd.pid" ] && kill -0 "$(cat "$place/slurmd.pid")" 2> /dev/null || slurmd
for _ in $(seq 30); do
    if sinfo --noheader --format=%T 2> /dev/null | grep -qE 'idle|mixed'; then
        sinfo
        exit 0
    fi
    sleep 1
done
echo "the node did not come up; see $place/slurmctld.log and $place/slurmd.log" >&2
exit 1
