#!/bin/sh
# The plain sequence, as CI jobs have it: kind, helm, kubectl and curl, one step after another, with one replica and then
# with three. Prints a line for each step: its name and how many milliseconds it took. What to use comes by environment:
# CLUSTER (kind or embedded), NAME, NODE_IMAGE, IMAGES, ARCHIVE, CHART, RELEASE, WORKLOAD, SERVICE, PORT, HEALTH,
# LOCAL_PORT, FLAGS_ONE, FLAGS_THREE (for helm, each followed by a blank), DIR, and the tools KIND, HELM, KUBECTL, XTASK.
set -eu
export KUBECONFIG="$DIR/kubeconfig"

step() {
    step_name=$1
    shift
    step_began=$(date +%s%N)
    "$@" >&2
    echo "$step_name $((($(date +%s%N) - step_began) / 1000000))"
}

create_kind() {
    "$KIND" create cluster --name "$NAME" --image "$NODE_IMAGE" --wait 120s --kubeconfig "$KUBECONFIG"
}

load_kind() {
    for image in $IMAGES; do
        "$KIND" load docker-image "$image" --name "$NAME"
    done
}

delete_kind() {
    "$KIND" delete cluster --name "$NAME" --kubeconfig "$KUBECONFIG"
}

# The embedded cluster takes its image as it starts.
create_embedded() {
    "$XTASK" cluster up --image "$ARCHIVE" >"$DIR/up" &
    up=$!
    until grep -q KUBECONFIG "$DIR/up"; do
        kill -0 "$up"
        sleep 0.1
    done
    KUBECONFIG=$(sed -n 's/^export KUBECONFIG=//p' "$DIR/up")
}

load_embedded() {
    :
}

delete_embedded() {
    kill "$up"
    wait "$up"
}

# NAMESPACE FLAGS
install() {
    # shellcheck disable=SC2086 # the flags are words
    "$HELM" install "$RELEASE" "$CHART" --namespace "$1" --create-namespace $2 --wait --timeout 300s
}

smoke_test() {
    "$HELM" test "$RELEASE" --namespace "$1" --timeout 60s
}

health() {
    "$KUBECTL" --namespace "$1" port-forward "service/$SERVICE" "$LOCAL_PORT:$PORT" >&2 &
    forward=$!
    tries=0
    until curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$LOCAL_PORT$HEALTH"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 15 ]; then
            echo "$HEALTH did not answer" >&2
            return 1
        fi
        sleep 1
    done
    kill "$forward" || true
    wait "$forward" || true
}

kill_pod() {
    "$KUBECTL" --namespace "$1" delete pod "$WORKLOAD-0"
    "$KUBECTL" --namespace "$1" rollout status "statefulset/$WORKLOAD" --timeout 300s
}

clean_up() {
    if [ "$there" = yes ]; then
        "delete_$CLUSTER" >&2 || true
    fi
}

there=yes
trap clean_up EXIT
step create "create_$CLUSTER"
step load "load_$CLUSTER"
for size in one three; do
    if [ "$size" = one ]; then flags=$FLAGS_ONE; else flags=$FLAGS_THREE; fi
    step "install-$size" install "$size" "$flags"
    step "test-$size" smoke_test "$size"
    step "health-$size" health "$size"
    step "kill-$size" kill_pod "$size"
done
there=no
step delete "delete_$CLUSTER"
