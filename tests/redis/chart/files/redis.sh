# Starts the server, as a replica of the master that the Sentinels name.
. /scripts/common.sh
find_master
# The others may not have noticed yet that this pod was gone. What it has on disk may be less than they have, so it
# does not come back as the master if a Sentinel can choose another.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    look && [ "$master" = "$me" ] || break
    redis-cli -h "$peer" -p 26379 SENTINEL FAILOVER main
    sleep 1
done
set -- --dir /data --protected-mode no --save '' --appendonly "$APPENDONLY" --maxmemory-policy "$MAXMEMORY_POLICY" \
    --replica-announce-ip "$me" --replica-serve-stale-data no --repl-diskless-sync-delay 0
[ "$master" = "$me" ] || set -- "$@" --replicaof "$master" 6379
exec redis-server "$@"
