#!/bin/bash
# Run once, when the primary's data directory is made: replicas may connect, with the password.
echo "host replication all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
