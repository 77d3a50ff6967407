"""A plain sink: batches, COPY, messages only. No identity, no threads, no deduplication; offsets go to Kafka after the commit.

Its table has the columns and indexes of throughline.message, and no foreign key.
"""
import confluent_kafka
import orjson

import worker
from threads import Ids

COPY = (
    "COPY bench.message (tenant_id, id, channel, account, external_id, direction, author_kind, sent_at, received_at, ordered_at,"
    " text, reply_to_external_id, details, address) FROM STDIN"
)


def main():
    db = worker.connect()

    def commit(records):
        ids = Ids()
        ends = {}
        with db.transaction(), db.cursor().copy(COPY) as copy:
            for record in records:
                ends[record.topic, record.partition] = record.offset + 1
                for m in record.messages:
                    details = orjson.dumps(m.details).decode() if m.details else "{}"
                    copy.write_row(("default", ids.next(), m.channel, m.account, m.external_id, "inbound", m.author_kind, m.sent_at,
                                    m.received_at, m.ordered_at, m.text, m.reply_to, details, m.address))  # fmt: skip
        return [confluent_kafka.TopicPartition(*place, offset) for place, offset in ends.items()]

    worker.run(commit, 1_000)


main()
