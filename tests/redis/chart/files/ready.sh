# Succeeds if this server is the master, or has a full copy and follows the master.
redis-cli INFO replication | grep -q -e '^role:master' -e '^master_link_status:up'
