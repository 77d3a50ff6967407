"""The sibling that most people write first: the same semantics, one transaction a record, one statement a row."""
import worker
from set_based import RACES, Store, check
from threads import Conversation, Identities, Ids, Threads, lookups

T = "default"


class RowStore(Store):
    def commit(self, records):
        for record in records:
            for attempt in range(8):
                try:
                    with self.db.transaction():
                        self.write(record)
                    break
                except RACES:
                    if attempt == 7:
                        raise

    def row(self, sql, *parameters):
        return self.db.execute(sql, parameters).fetchone()

    def write(self, record):
        place = (worker.GROUP, record.topic, record.partition)
        stored = self.row("SELECT next_offset FROM throughline.ingest_offset WHERE consumer_group = $1 AND topic = $2"
                          " AND partition = $3 FOR UPDATE", *place)  # fmt: skip
        if stored and stored[0] is not None and record.offset < stored[0]:
            return
        for message in record.messages:
            if (message.channel, message.account) not in self.accounts:
                self.db.execute("INSERT INTO throughline.tenant (id) VALUES ($1) ON CONFLICT DO NOTHING", (T,))
                self.db.execute("INSERT INTO throughline.channel_account (tenant_id, channel, account) VALUES ($1, $2, $3)"
                                " ON CONFLICT DO NOTHING", (T, message.channel, message.account))  # fmt: skip
                self.accounts[message.channel, message.account] = message.account
            if not self.row("SELECT 1 FROM throughline.message_ref WHERE tenant_id = $1 AND key = $2 AND seen", T, message.key):
                self.store(message)
        self.db.execute(
            "INSERT INTO throughline.ingest_offset (consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()",
            (*place, record.offset + 1),
        )

    def store(self, message):
        known = {}
        for name in lookups(message):
            if found := self.row("SELECT customer_id, assurance::text, last_seen_at FROM throughline.identity WHERE tenant_id = $1"
                                 " AND kind = $2 AND scope = $3 AND value = $4 AND valid_to IS NULL", T, *name):  # fmt: skip
                known[name] = list(found)
        identities = Identities(Ids(), known, set(self.accounts.values()))
        customer, is_claimed, claims = identities.resolve(message)
        for name, (owner, assurance, last, first) in identities.new.items():
            self.db.execute(
                "INSERT INTO throughline.identity (tenant_id, kind, scope, value, customer_id, origin_customer_id, assurance,"
                " first_seen_at, last_seen_at) VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)", (T, *name, owner, assurance, first, last))  # fmt: skip
        profile = self.row("SELECT display_name, verified FROM throughline.customer WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
                           T, customer)  # fmt: skip
        references, ids = {}, set()
        for key in {*message.names, *message.references, *((message.session,) if message.session else ())}:
            if found := self.row("SELECT conversation_id, message_id FROM throughline.message_ref WHERE tenant_id = $1 AND key = $2",
                                 T, key):  # fmt: skip
                references[key] = found
                ids.add(found[0])
        lane = f"{message.channel}/{message.account}" if is_claimed else ""
        for condition in ("IN ('open', 'pending', 'snoozed')", "NOT IN ('open', 'pending', 'snoozed')"):
            if found := self.row("SELECT id FROM throughline.conversation WHERE tenant_id = $1 AND customer_id = $2 AND lane = $3"
                                 f" AND status {condition} ORDER BY resolved_at DESC, id DESC LIMIT 1", T, customer, lane):  # fmt: skip
                ids.add(found[0])
        conversations = []
        for id in sorted(ids):
            found = self.row(
                "SELECT id, customer_id, lane, status::text, version, event_seq, last_channel, language, subject,"
                " previous_conversation_id, opened_at, first_response_at, resolved_at, last_message_at, last_account, priority,"
                " customer_version, waiting_since, snoozed_until, handoff::text, merged_into, origin_customer_id, automatic_count,"
                " automatic_since, ctid FROM throughline.conversation WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE", T, id)  # fmt: skip
            conversations.append(Conversation(*found[:-1], place=found[-1]))
        threads = Threads(identities, {customer: list(profile)} if profile else {}, references, conversations)
        threads.add(message, customer, is_claimed, claims)
        with self.db.pipeline():
            updates = self.update(identities, threads, {message.key})
        check(updates)
        self.insert(identities, threads, {message.key})

    def copy(self, target, rows):
        table, _, columns = target.partition(" ")
        for row in rows:
            places = ", ".join(f"${number + 1}" for number in range(len(row)))
            self.db.execute(f"INSERT INTO throughline.{table} {columns} VALUES ({places})", row)


if __name__ == "__main__":
    store = RowStore()
    worker.run(store.commit, 1_000, store.stored_offsets)
