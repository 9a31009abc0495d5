# Creates the database on the first start, and starts the server.
set -eu
data=/data/postgres
if [ ! -d "$data" ]; then
    rm -rf "$data.new"
    initdb --pgdata="$data.new" --username=app --pwfile=/credentials/password --auth=scram-sha-256 \
        --encoding=UTF8 --no-locale
    echo 'host all all all scram-sha-256' >>"$data.new/pg_hba.conf"
    echo 'CREATE TABLE records (key text PRIMARY KEY, value text NOT NULL);' | postgres --single -D "$data.new" postgres
    mv "$data.new" "$data"
fi
exec postgres -D "$data" -c config_file=/etc/postgres/postgresql.conf
