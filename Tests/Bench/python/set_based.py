"""The worker one would write by hand in Python: one transaction a batch of 1,000, statements for whole batches, COPY for what is new.

The statements are those of schemas/queries, on the same schema, with the same rows and offsets in the transaction.
"""
import pathlib

import psycopg

import worker
from formats import DAYS_14
from threads import LIVE, Conversation, Identities, Ids, Threads, lookups

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "schemas/queries"
SQL = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.sql")}
RACES = (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
T = "default"


def array(values):
    """An array's literal: many times faster than what psycopg makes of a list."""
    return "{" + ",".join([element(value) for value in values]) + "}"


def element(value):
    if value is None:
        return "NULL"
    if value.__class__ is str and ("\\" in value or '"' in value):
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def check(updates):
    """Conversations are written where they were locked."""
    if any(cursor.rowcount != count for cursor, count in updates):
        raise psycopg.errors.SerializationFailure("a conversation is not where it was locked")


class Store:
    def __init__(self):
        self.db = worker.connect()
        self.accounts = {}

    def stored_offsets(self):
        with worker.connect() as db:
            rows = db.execute("SELECT topic, partition, next_offset FROM throughline.ingest_offset WHERE consumer_group = $1",
                              [worker.GROUP])  # fmt: skip
            return {(topic, partition): offset for topic, partition, offset in rows}

    def commit(self, records):
        for attempt in range(100):
            try:
                with self.db.transaction():
                    accounts = self.write(records)
                self.accounts.update(accounts)
                return
            except RACES:
                if attempt == 99:
                    raise

    def query(self, name, *columns):
        """Sends a statement whose first parameter is the tenant of each row; its rows are fetched from what comes back."""
        tenants = "{" + ",".join([T] * len(columns[0])) + "}"
        return self.db.cursor().execute(SQL[name], [tenants, *map(array, columns)])

    def query_any(self, name, *columns):
        """The same for one that is told no tenants: it finds its rows by ids, or by where they are."""
        return self.db.cursor().execute(SQL[name], [*map(array, columns)])

    def write(self, records):
        ends = {}
        for record in records:
            ends[record.topic, record.partition] = record.offset + 1
        order = sorted(ends)
        messages = [message for record in records for message in record.messages]
        accounts = {(m.channel, m.account): m.account for m in messages if (m.channel, m.account) not in self.accounts}
        keys = list(dict.fromkeys(message.key for message in messages))
        names = list(dict.fromkeys(name for message in messages for name in lookups(message)))
        with self.db.pipeline():
            fence = self.db.cursor().execute(OFFSETS, (worker.GROUP, array(t for t, _ in order), array(p for _, p in order)))
            seen = self.query_any("keys_seen", keys)
            found = self.query("identities_read", *zip(*names)) if names else ()
            if accounts:
                self.query("accounts_register", *zip(*accounts))
            stored = {(topic, partition): offset for topic, partition, offset in fence}
            seen = {key.replace("-", "") for _, key, is_seen in seen if is_seen}
            known = {names[position - 1]: [customer, assurance, last] for position, customer, assurance, _, last in found}

        if any(record.offset < (stored.get((record.topic, record.partition)) or 0) for record in records):
            # Somebody else was quicker, or a reply was lost.
            records = [r for r in records if r.offset >= (stored.get((r.topic, r.partition)) or 0)]
            messages = [message for record in records for message in record.messages]
        ids = Ids()
        identities = Identities(ids, known, {*self.accounts.values(), *accounts.values()})
        resolved = []
        for message in messages:
            if message.key not in seen:
                seen.add(message.key)
                resolved.append((message, *identities.resolve(message)))

        new = sorted(identities.new.items())
        existing = sorted({customer for _, customer, _, _ in resolved} - identities.new_customers.keys())
        refs = list({key for m, *_ in resolved for key in (*m.names, *m.references, *((m.session,) if m.session else ()))})
        lanes, latest = {}, {}
        for message, customer, is_claimed, _ in resolved:
            if customer not in identities.new_customers:
                lane = (customer, f"{message.channel}/{message.account}" if is_claimed else "")
                lanes[lane] = min(lanes.get(lane, message.ordered_at), message.ordered_at)
                latest[lane] = max(latest.get(lane, message.ordered_at), message.ordered_at)
        with self.db.pipeline():
            inserted = self.query(
                "identities_insert", [n[0] for n, _ in new], [n[1] for n, _ in new], [n[2] for n, _ in new],
                [i[0] for _, i in new], [i[1] for _, i in new], [i[3] for _, i in new], [i[2] for _, i in new],
                [i[0] for _, i in new])  # fmt: skip
            customers = self.query_any("customers_lock", existing)
            found = self.query("references_read", refs)
            silent_since = [at - DAYS_14 for at in latest.values()]
            living = self.query(
                "lanes_read", [c for c, _ in lanes], [lane for _, lane in lanes], lanes.values(), silent_since)  # fmt: skip
            profiles = {row[1]: [row[2], row[3]] for row in customers}
            references = {refs[position - 1]: (conversation, message) for position, conversation, message in found}
            conversations = {row[1] for row in living} | {conversation for conversation, _ in references.values()}
            if inserted.rowcount != len(new):
                raise psycopg.errors.SerializationFailure("an identity was inserted by somebody else")
        locked = self.query_any("conversations_lock", conversations).fetchall()

        threads = Threads(identities, profiles, references, [Conversation(*row[1:21], *row[24:28], place=row[28]) for row in locked])
        for message, customer, is_claimed, claims in resolved:
            threads.add(message, customer, is_claimed, claims)
        keys = {message.key for message, *_ in resolved}
        with self.db.pipeline():
            updates = self.update(identities, threads, keys)
            self.db.cursor().execute(
                ADVANCE, (worker.GROUP, array(t for t, _ in order), array(p for _, p in order), array(ends[o] for o in order)))  # fmt: skip
        check(updates)
        self.insert(identities, threads, keys)
        return accounts

    def update(self, identities, threads, keys):
        if changed := sorted(threads.changed_profiles):
            count = len(changed)
            self.query(
                "customers_update", changed, [threads.profiles[c][0] for c in changed],
                [threads.profiles[c][1] for c in changed], [None] * count, [None] * count, [None] * count, ["{}"] * count,
                [0] * count)  # fmt: skip
        if seen := sorted(identities.seen.items()):
            self.query("identities_update", *([n[i] for n, _ in seen] for i in range(3)),
                       [i[1] for _, i in seen], [i[2] for _, i in seen])  # fmt: skip
        if replaced := sorted((k, c, m, None, k in keys) for k, (c, m, is_stored) in threads.new_references.items() if is_stored):
            self.query("references_replace", *zip(*replaced))
        updates = []
        # What ends makes room in its lane.
        for is_live in (False, True):
            if c := [c for c in threads.changed.values() if (c.status in LIVE) == is_live]:
                cursor = self.query_any(
                    "conversations_update", [x.place for x in c], [x.id for x in c], [x.status for x in c], [x.version for x in c],
                    [x.event_seq for x in c], [x.last_channel for x in c], [x.language for x in c], [x.subject for x in c],
                    [x.opened_at for x in c], [x.first_response_at for x in c], [x.resolved_at for x in c],
                    [x.last_message_at for x in c], [x.last_account for x in c], [x.priority for x in c],
                    [x.customer_version for x in c], [x.waiting_since for x in c], [x.snoozed_until for x in c],
                    [x.handoff for x in c], [x.customer for x in c], [x.lane for x in c], [x.merged_into for x in c],
                    [x.origin_customer for x in c], [x.automatic_count for x in c], [x.automatic_since for x in c])  # fmt: skip
                updates.append((cursor, len(c)))
        return updates

    def insert(self, identities, threads, keys):
        self.copy("customer (tenant_id, id, display_name, verified, created_at)",
                  [(T, id, name, verified, at) for id, (at, verified, name) in identities.new_customers.items()])  # fmt: skip
        self.copy(
            "conversation (tenant_id, id, customer_id, lane, status, language, subject, version, event_seq, last_channel,"
            " previous_conversation_id, opened_at, last_message_at, resolved_at, last_account, customer_version, waiting_since)",
            [(T, c.id, c.customer, c.lane, c.status, c.language, c.subject, c.version, c.event_seq, c.last_channel, c.previous,
              c.opened_at, c.last_message_at, c.resolved_at, c.last_account, c.customer_version, c.waiting_since)
             for c in threads.new_conversations])  # fmt: skip
        self.copy(
            "message (tenant_id, id, conversation_id, customer_id, channel, account, external_id, direction, author_kind, sent_at,"
            " received_at, ordered_at, text, reply_to_external_id, details, address)",
            threads.messages,
        )
        self.copy("message_original (tenant_id, message_id, content_type, bytes)", threads.originals)
        self.copy("attachment (tenant_id, message_id, position, kind, name, type, size_bytes, provider_id, url)", threads.attachments)
        self.copy("identity_claim (tenant_id, id, customer_id, message_id, kind, scope, value, created_at)", threads.claims)
        self.copy("outbox (shard, topic, subjects, events)", threads.outbox)
        names = [(T, k, c, m, k in keys) for k, (c, m, is_stored) in threads.new_references.items() if not is_stored]
        names += [(T, key, None, None, True) for key in keys - threads.new_references.keys()]
        self.copy("message_ref (tenant_id, key, conversation_id, message_id, seen)", sorted(names, key=lambda name: name[1]))

    def copy(self, target, rows):
        if rows:
            with self.db.cursor().copy(f"COPY throughline.{target} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


OFFSETS = """
    WITH made AS (
      INSERT INTO throughline.ingest_offset (consumer_group, topic, partition)
      SELECT $1, * FROM unnest($2::text[], $3::int[]) ON CONFLICT DO NOTHING
    )
    SELECT o.topic, o.partition, o.next_offset
    FROM throughline.ingest_offset o JOIN unnest($2::text[], $3::int[]) AS k(topic, partition) USING (topic, partition)
    WHERE o.consumer_group = $1 ORDER BY o.topic, o.partition FOR UPDATE OF o"""
ADVANCE = """
    UPDATE throughline.ingest_offset o SET next_offset = k.next_offset, updated_at = now()
    FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, next_offset)
    WHERE o.consumer_group = $1 AND o.topic = k.topic AND o.partition = k.partition"""

if __name__ == "__main__":
    store = Store()
    worker.run(store.commit, 1_000, store.stored_offsets)
