#!/bin/sh
# Writes the addresses of this replica's peers to $NODES_FILE: an empty line founds a cluster, any
# other joins one. Runs in busybox ash, dash and other POSIX shells, with wget or curl.
#
# Only ordinal 0 ever founds one, and only with an empty disk, once its peers have been absent for
# $ABSENT_SECONDS without a break. README.md, "Who founds the cluster", has the reasons.
set -eu
export LC_ALL=C

say() { echo "discover: $*" >&2; }

# Asks for URL/health and prints one word: answers | refused | unresolved | unclear.
ask() {
    if command -v wget >/dev/null; then
        set -- "$1/health" wget -t 1 -O /dev/null
    else
        set -- "$1/health" curl --fail --silent --verbose --output /dev/null
    fi
    url=$1
    shift
    status=0
    # Not wget's own -T: busybox may be built without it.
    said=$(timeout "$PROBE_TIMEOUT_SECONDS" "$@" "$url" 2>&1) || status=$?
    case $status:$said in
        0:*) echo answers ;;
        # Killed at the time limit; some address connected; some address is cut off.
        124:* | 137:* | 143:* | *HTTP/* | *"HTTP request"* | *[Uu]nreachable* | *"o route"*) unclear ;;
        *[Rr]efused*) echo refused ;;
        # busybox wget, GNU wget, curl
        *"bad address"* | *"unable to resolve"* | *"Could not resolve"*) echo unresolved ;;
        *) unclear ;;
    esac
}

unclear() {
    echo unclear
    say "$url: status $status: $(echo "$said" | tail -n 1)"
}

# Every other ordinal's address, lower ones (which start first) first.
peers() {
    list=
    i=0
    while [ "$i" -lt "$replicas" ] || [ "$i" -lt "$ordinal" ]; do
        [ "$i" -eq "$ordinal" ] || list=${list:+$list,}$name-$i.$POD_DOMAIN:$DQLITE_PORT
        i=$((i + 1))
    done
    echo "$list"
}

# One look at the whole cluster: prints present | absent | unclear.
look() {
    # The Service sends us to any ready replica, also one that DNS does not know yet or that was
    # added behind the chart's back. Its own name always resolves, unless DNS is down: then no
    # peer's missing name means anything.
    case $(ask "$API_URL") in
        answers) echo present && return ;;
        unresolved) say "no DNS: $API_URL" && echo unclear && return ;;
    esac
    seen=absent
    i=1
    while [ "$i" -lt "$replicas" ]; do
        case $(ask "http://$name-$i.$POD_DOMAIN:$HTTP_PORT") in
            answers) echo present && return ;;
            unclear) seen=unclear ;;
        esac
        i=$((i + 1))
    done
    echo "$seen"
}

# Ends when a peer was seen (0), all were absent for long enough (1), or neither in time (2).
search() {
    absences=0
    give_up=$(($(date +%s) + GIVE_UP_SECONDS))
    while :; do
        case $(look) in
            present) return 0 ;;
            absent)
                # One second and more lies between two looks.
                [ "$absences" -lt "$ABSENT_SECONDS" ] || return 1
                absences=$((absences + 1))
                ;;
            unclear)
                [ "$(date +%s)" -lt "$give_up" ] || return 2
                absences=0
                ;;
        esac
        sleep 1
    done
}

# What ordinal 0 does with an empty disk: keeps or empties $nodes.
join_or_found() {
    outcome=0
    search || outcome=$?
    case $outcome in
        0) say "found a cluster" ;;
        1) say "no peer for ${ABSENT_SECONDS}s, founding a cluster" && nodes= ;;
        *) say "a peer is neither healthy nor absent: not founding a second cluster" && exit 1 ;;
    esac
}

# The only replica founds its cluster at once, unless replicas were added behind the chart's back.
found_alone() {
    [ "$(look)" != present ] || { say "another replica answers at $API_URL: set replicaCount to the number of running replicas" && exit 1; }
}

name=${POD_NAME%-*}
ordinal=${POD_NAME##*-}
replicas=$(cat "$REPLICAS_FILE")
nodes=$(peers)

if [ -e "$DATA_DIR/info.yaml" ]; then
    say "the disk is a member's"
elif [ "$ordinal" -gt 0 ]; then
    say "an empty disk joins"
elif [ "$replicas" -gt 1 ]; then
    join_or_found
else
    found_alone
fi
echo "$nodes" >"$NODES_FILE"
say "peers: ${nodes:-none}"
