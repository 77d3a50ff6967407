-- One migration at a time, however many processes start at once. Held to the end of the transaction.
SELECT pg_advisory_xact_lock(7233193815);
