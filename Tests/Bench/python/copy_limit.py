"""What PostgreSQL itself can take: the rows that a run has left behind, copied again, in the transactions that they came in.

usage: copy_limit.py dump URL FOLDER FIRST_XID FIRST_ID     writes the run's rows in COPY's binary form, for one connection and for two
       copy_limit.py replay URL FOLDER CONNECTIONS           copies them into a database without them; prints `ready`, then waits for a line
"""
import pathlib
import sys
import threading

import psycopg

# Parents before children: how a row's batch and stream are found, which rows are the run's, and their order.
MESSAGES = "JOIN by_message b ON b.id = t."
CUSTOMERS = "JOIN by_customer b ON b.customer_id = t."
ITS_OWN = "CROSS JOIN LATERAL (SELECT t.xmin::text::bigint AS x, abs(hashtext({})) %% 2 AS stream) b"
NEW_ID = "t.id >= %(id)s"
NEW_ROW = "t.xmin::text::bigint >= %(xid)s"
TABLES = {
    "customer": (CUSTOMERS + "id", NEW_ID, "t.id"),
    # One that was only seen again has a new row version as well.
    "identity": (CUSTOMERS + "customer_id", NEW_ROW + " AND t.first_seen_at >= (SELECT min(ordered_at) FROM by_message)",
                 "t.kind, t.scope, t.value"),  # fmt: skip
    "conversation": ("JOIN by_conversation b ON b.conversation_id = t.id", NEW_ID, "t.id"),
    "message": (MESSAGES + "id", "true", "t.id"),
    "message_original": (MESSAGES + "message_id", "true", "t.message_id"),
    "attachment": (MESSAGES + "message_id", "true", "t.message_id, t.position"),
    "identity_claim": (MESSAGES + "message_id", "true", "t.id"),
    "outbox": (ITS_OWN.format("t.subjects[1]"), "t.dead_letter_id IS NULL", "t.id"),
    # What is but a key has no conversation.
    "message_ref": ("LEFT JOIN throughline.conversation v ON v.tenant_id = t.tenant_id AND v.id = t.conversation_id "
                    + ITS_OWN.format("coalesce(v.customer_id, t.key)::text"), NEW_ROW, "t.key"),  # fmt: skip
}


def dump(url, folder, xid, id):
    folder = pathlib.Path(folder)
    (folder / "first-id").write_text(id)
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as db:
        run = {"xid": int(xid), "id": id}
        db.execute("""
            CREATE TEMP TABLE by_message AS SELECT id, conversation_id, customer_id, ordered_at, xmin::text::bigint AS x,
              abs(hashtext(customer_id::text)) %% 2 AS stream FROM throughline.message WHERE tenant_id = 'default' AND id >= %(id)s;
            CREATE TEMP TABLE by_conversation AS SELECT conversation_id, min(x) AS x, min(stream) AS stream FROM by_message GROUP BY 1;
            CREATE TEMP TABLE by_customer AS SELECT customer_id, min(x) AS x, min(stream) AS stream FROM by_message GROUP BY 1;
            CREATE TEMP TABLE batch AS SELECT x, row_number() OVER (ORDER BY x) - 1 AS number FROM (SELECT DISTINCT x FROM by_message) d;
            ANALYZE by_message, by_conversation, by_customer""", run)  # fmt: skip
        count = db.execute("SELECT count(*) FROM batch").fetchone()[0]
        for table, (join, condition, order) in TABLES.items():
            found = db.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
                " AND attidentity = '' ORDER BY attnum", (f"throughline.{table}",))  # fmt: skip
            columns = ", ".join(f'"{name}"' for (name,) in found)
            db.execute(f"""
                CREATE TEMP TABLE rows AS
                SELECT t.*, coalesce(n.number, 0) AS batch_, b.stream AS stream_, row_number() OVER (ORDER BY {order}) AS position_
                FROM throughline.{table} t {join} LEFT JOIN batch n ON n.x = b.x WHERE {condition}""", run)  # fmt: skip
            db.execute("CREATE INDEX ON rows (batch_)")
            for number in range(count):
                for name, condition in (
                    (f"1-0-{number}", f"batch_ = {number}"),
                    *((f"2-{s}-{number}", f"batch_ IN ({2 * number}, {2 * number + 1}) AND stream_ = {s}") for s in (0, 1)),
                ):
                    sql = f"COPY (SELECT {columns} FROM rows WHERE {condition} ORDER BY position_) TO STDOUT (FORMAT binary)"
                    with db.cursor().copy(sql) as copy:
                        data = b"".join(copy)
                    if len(data) > 21:
                        (folder / f"{name}-{table}").write_bytes(data)
            (folder / f"columns-{table}").write_text(columns)
            db.execute("DROP TABLE rows")


def replay(url, folder, connections):
    folder = pathlib.Path(folder)
    columns = {table: (folder / f"columns-{table}").read_text() for table in TABLES}
    streams = []
    for stream in range(connections):
        batches = []
        number = 0
        while batch := [
            (f"COPY throughline.{table} ({columns[table]}) FROM STDIN (FORMAT binary)", path.read_bytes())
            for table in TABLES
            if (path := folder / f"{connections}-{stream}-{number}-{table}").exists()
        ]:
            batches.append(batch)
            number += 1
        streams.append((psycopg.connect(url, autocommit=True), batches))

    def write(db, batches):
        for batch in batches:
            with db.transaction():
                for sql, data in batch:
                    with db.cursor().copy(sql) as copy:
                        copy.write(data)

    print("ready", flush=True)
    sys.stdin.readline()
    threads = [threading.Thread(target=write, args=stream) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if sys.argv[1] == "dump":
    dump(*sys.argv[2:])
else:
    replay(sys.argv[2], sys.argv[3], int(sys.argv[4]))
