# Succeeds once this Sentinel knows every server, since it can't tell one that it does not know to follow a new master.
known=$(redis-cli -p 26379 --raw SENTINEL MASTER main | grep -A 1 '^num-slaves$' | tail -n 1)
[ "$known" -ge $((REPLICAS - 1)) ]
