-- One machine has a database in a file, so nothing is kept of machines, nor of a key that they have to get first.
SELECT 1;
