-- Which process holds the lease: a name that it made for itself at its start. Numbers of processes come again.
ALTER TABLE login_lease ADD COLUMN process TEXT;
