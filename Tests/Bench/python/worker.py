"""The loop around a batch that all rivals share: consume, normalise ahead, commit.

Settings as the worker's own: THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS and THROUGHLINE_DATABASE_URL; the group is in BENCH_GROUP.
"""
import os
import queue
import signal
import sys
import threading

import confluent_kafka
import psycopg

import formats

GROUP = os.environ.get("BENCH_GROUP", "throughline-ingest")
# A thread that wakes up when PostgreSQL has answered shall not wait 5 ms for the one that parses.
sys.setswitchinterval(0.0005)


class Record:
    """Where a record is, and what it says."""

    __slots__ = ("topic", "partition", "offset", "messages")

    def __init__(self, topic, partition, offset, messages):
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.messages = messages


def consumer(**settings):
    return confluent_kafka.Consumer(
        {
            "bootstrap.servers": os.environ["THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "range",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 500,
            "fetch.wait.max.ms": 20,
            "queued.max.messages.kbytes": 32_768,
            **settings,
        }
    )


def normalised(found):
    """The records of what was consumed; one that cannot be read has no messages."""
    records = []
    for item in found:
        if item.error():
            raise confluent_kafka.KafkaException(item.error())
        topic = item.topic()
        try:
            messages = formats.normalise(topic, item.headers() or (), item.value())
        except (ValueError, KeyError) as error:
            print(f"dead letter: {topic} {type(error).__name__}", file=sys.stderr)
            messages = ()
        records.append(Record(topic, item.partition(), item.offset(), messages))
    return records


def run(commit, size, stored_offsets=None):
    """Hands batches of up to `size` records to `commit` until SIGTERM; the next one is read and normalised meanwhile.

    What `commit` returns are offsets to report to Kafka. Only the reading thread touches the consumer: calls wait for each other.
    """
    source = consumer()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def assign(_, partitions):
        if stored_offsets is not None:
            stored = stored_offsets()
            for partition in partitions:
                partition.offset = stored.get((partition.topic, partition.partition), confluent_kafka.OFFSET_BEGINNING)
        source.assign(partitions)

    source.subscribe(formats.TOPICS, on_assign=assign)
    ready = queue.Queue(1)
    done = queue.SimpleQueue()

    def read():
        try:
            while not stopping.is_set():
                while not done.empty():
                    source.commit(offsets=done.get(), asynchronous=True)
                if found := source.consume(size, 0.02):
                    put(normalised(found))
        except BaseException as error:
            put(error)
            raise

    def put(batch):
        while not stopping.is_set():
            try:
                return ready.put(batch, timeout=0.1)
            except queue.Full:
                pass

    reader = threading.Thread(target=read)
    reader.start()
    while not stopping.is_set():
        try:
            batch = ready.get(timeout=0.1)
        except queue.Empty:
            continue
        if isinstance(batch, BaseException):
            break
        if offsets := commit(batch):
            done.put(offsets)
    stopping.set()
    reader.join()
    while not done.empty():
        source.commit(offsets=done.get(), asynchronous=False)
    source.close()


def connect():
    """A connection whose statements stay look-ups by index, as the worker's own."""
    connection = psycopg.connect(
        os.environ["THROUGHLINE_DATABASE_URL"],
        autocommit=True,
        cursor_factory=psycopg.RawCursor,
        prepare_threshold=0,
        options="-c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_memoize=off"
        " -c plan_cache_mode=force_generic_plan",
    )
    # Ids are text here: nobody needs uuid.UUID, which is slow to make.
    connection.adapters.register_loader("uuid", psycopg.types.string.TextLoader)
    return connection
