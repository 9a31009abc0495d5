# Starts the Sentinel. It keeps its state in its configuration, so the file is written only once.
. /scripts/common.sh
config=/data/sentinel.conf
if [ ! -s "$config" ]; then
    find_master
    cat >"$config.new" <<CONFIG
port 26379
dir /data
protected-mode no
sentinel myid $(printf %s "$me" | sha1sum | head -c 40)
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $me
sentinel monitor main $master 6379 $QUORUM
sentinel down-after-milliseconds main 2000
sentinel failover-timeout main 3000
sentinel parallel-syncs main 2
CONFIG
    mv "$config.new" "$config"
fi
# Until this pod's server runs, no other pod may take it for the master because its Sentinel says so.
until redis-cli PING >/dev/null 2>&1; do sleep 0.2; done
exec redis-server "$config" --sentinel
