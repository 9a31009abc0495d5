# Names of this pod and of the others, and what their Sentinels say.
me=$POD.$PEERS

# Sets `master` to the one that another pod's Sentinel names, and `peer` to that pod; fails if none does.
look() {
    ordinal=0
    while [ "$ordinal" -lt "$REPLICAS" ]; do
        peer=$RELEASE-$ordinal.$PEERS
        ordinal=$((ordinal + 1))
        [ "$peer" != "$me" ] || continue
        named=$(redis-cli -h "$peer" -p 26379 --raw SENTINEL get-master-addr-by-name main 2>/dev/null | head -n 1)
        if [ -n "$named" ]; then
            master=$named
            return 0
        fi
    done
    return 1
}

# Sets `master` to the one to follow. Only ordinal 0 may decide that itself, and only if no Sentinel knows better.
find_master() {
    until look; do
        if [ "$POD" = "$RELEASE-0" ]; then
            master=$me
            return
        fi
        sleep 0.2
    done
}
