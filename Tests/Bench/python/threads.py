"""Identity and threads of a batch: from messages and what the database says about them to the rows to write. Pure, no I/O.

Rules 1 to 4 of identity (the channel's own identifier, then the strongest that hits; who is but a claim stays inside the channel
account), and the cascade of threading: references of the same customer, the one live conversation of the lane, reopening within 72
hours, a new one after 14 days of silence. Merges, agents' actions and refused references, which the load does not hold, are left out.
"""
import os
import time

import orjson

from formats import DAYS_14, HOURS_72, RANK

LIVE = {"open", "pending", "snoozed"}
# As the worker fills a row of the outbox.
ROW_BYTES = 7_700


class Ids:
    """UUIDv7 as text, growing within one batch."""

    def __init__(self):
        self.milliseconds = time.time_ns() // 1_000_000
        self.counter = 0
        self.random = ""

    def next(self):
        if self.counter & 0xFFF == 0xFFF:
            self.milliseconds += 1
        self.counter += 1
        if len(self.random) < 16:
            self.random = os.urandom(8_192).hex()
        random, self.random = self.random[:15], self.random[15:]
        moment = f"{self.milliseconds:012x}"
        return f"{moment[:8]}-{moment[8:]}-7{self.counter & 0xFFF:03x}-8{random[:3]}-{random[3:]}"


class Conversation:
    __slots__ = (
        "id", "customer", "lane", "status", "version", "event_seq", "last_channel", "language", "subject", "previous",
        "opened_at", "first_response_at", "resolved_at", "last_message_at", "last_account", "priority", "customer_version",
        "waiting_since", "snoozed_until", "handoff", "merged_into", "origin_customer", "automatic_count", "automatic_since",
        "is_new", "place",
    )  # fmt: skip

    def __init__(self, *values, place=None):
        (
            self.id, self.customer, self.lane, self.status, self.version, self.event_seq, self.last_channel, self.language,
            self.subject, self.previous, self.opened_at, self.first_response_at, self.resolved_at, self.last_message_at,
            self.last_account, self.priority, self.customer_version, self.waiting_since, self.snoozed_until, self.handoff,
            self.merged_into, self.origin_customer, self.automatic_count, self.automatic_since,
        ) = values  # fmt: skip
        self.is_new = False
        self.place = place


def lookups(message):
    """The identifiers whose identities decide: those that somebody vouches for; of a mere claim, the claim's own."""
    found = [stated[:3] for stated in message.identifiers if stated[3] != "A0"]
    if message.identifiers:
        kind, scope, value, assurance = message.identifiers[0]
        if assurance == "A0" or kind in ("email", "phone"):
            found.append(("claimed_" + kind, lane_of(message), value))
    return found


def lane_of(message):
    return f"{message.channel}/{message.account}"


class Identities:
    """Who each message is from. `known` is what the database says: (kind, scope, value) to [customer, assurance, last_seen_at]."""

    def __init__(self, ids, known, own_accounts):
        self.ids = ids
        self.known = known
        self.own_accounts = own_accounts
        self.new_customers = {}  # id: [created_at, verified, display_name]
        self.new = {}  # (kind, scope, value): [customer, assurance, last_seen_at, first_seen_at]
        self.seen = {}  # the same, of those that are stored already
        self.verified = set()

    def resolve(self, message):
        """The customer, whether they are but a claim, and the identifiers that are."""
        usable = [
            stated
            for stated in message.identifiers
            if stated[3] != "A0" and (stated[0] not in ("email", "phone") or stated[2] not in self.own_accounts)
        ]
        if usable:
            claims = [stated[:3] for stated in message.identifiers if stated not in usable]
        else:
            claims = [stated[:3] for stated in message.identifiers]
            if not claims:
                return self.create(message, "A0"), True, claims
            kind, _, value, _ = message.identifiers[0]
            usable = [("claimed_" + kind, lane_of(message), value, "A0")]
        customer = None
        for stated in usable[:1] + sorted(usable[1:], key=lambda s: -RANK[s[3]]):
            if known := self.new.get(stated[:3]) or self.known.get(stated[:3]):
                customer = known[0]
                break
        strongest = max(usable, key=lambda s: RANK[s[3]])[3]
        if customer is None:
            customer = self.create(message, strongest)
        day = message.ordered_at.replace(hour=0, minute=0, second=0, microsecond=0)
        for stated in usable:
            name, assurance = stated[:3], stated[3]
            known = self.new.get(name) or self.known.get(name)
            if known is None:
                self.new[name] = [customer, assurance, day, message.ordered_at]
            elif known[0] == customer and (day > known[2] or RANK[assurance] > RANK[known[1]]):
                known[1] = max(known[1], assurance, key=RANK.__getitem__)
                known[2] = max(known[2], day)
                if name not in self.new:
                    self.seen[name] = known
        if RANK[strongest] >= RANK["A1"]:
            self.verified.add(customer)
        return customer, usable[0][3] == "A0", claims

    def create(self, message, assurance):
        customer = self.ids.next()
        self.new_customers[customer] = [message.ordered_at, RANK[assurance] >= RANK["A1"], None]
        return customer


class Threads:
    """The rows of a batch. `profiles`: customer to [display_name, verified]; `references`: key to (conversation, message)."""

    def __init__(self, identities, profiles, references, conversations):
        self.ids = identities.ids
        self.identities = identities
        self.profiles = profiles
        self.changed_profiles = set()
        self.references = references
        self.new_references = {}  # key: (conversation, message, is stored already)
        self.conversations = {c.id: c for c in conversations}
        self.live = {(c.customer, c.lane): c for c in conversations if c.status in LIVE}
        self.ended = {}
        for c in conversations:
            if c.status not in LIVE:
                best = self.ended.get((c.customer, c.lane))
                if best is None or (c.resolved_at, c.id) > (best.resolved_at, best.id):
                    self.ended[c.customer, c.lane] = c
        self.new_conversations = []
        self.changed = {}
        self.messages = []
        self.originals = []
        self.attachments = []
        self.claims = []
        # Rows of as many events as fit into a page, and of each shard the one that has room.
        self.outbox = []
        self.room = {}

    def add(self, message, customer, is_claimed, claims):
        self.update_profile(message, customer)
        id = self.ids.next()
        is_customers = message.author_kind == "customer"
        conversation, was_reopened = self.place(message, customer, lane_of(message) if is_claimed else "", is_customers)
        self.remember(message, conversation.id, id)
        details = message.details
        self.messages.append(
            (
                "default", id, conversation.id, customer, message.channel, message.account, message.external_id, "inbound",
                message.author_kind, message.sent_at, message.received_at, message.ordered_at, message.text, message.reply_to,
                orjson.dumps(details).decode() if details else "{}", message.address,
            )  # fmt: skip
        )
        if message.original is not None:
            self.originals.append(("default", id, "message/rfc822", message.original))
        for position, attachment in enumerate(message.attachments):
            self.attachments.append(("default", id, position, *attachment))
        for kind, scope, value in claims:
            self.claims.append(("default", self.ids.next(), customer, id, kind, scope, value, message.ordered_at))
        self.advance(conversation, message, id, is_customers, was_reopened)

    def update_profile(self, message, customer):
        new = self.identities.new_customers.get(customer)
        if new is not None:
            new[1] = new[1] or customer in self.identities.verified
            new[2] = new[2] or message.name
            return
        profile = self.profiles[customer]
        verified = profile[1] or customer in self.identities.verified
        name = profile[0] or message.name
        if [name, verified] != profile:
            self.profiles[customer] = [name, verified]
            self.changed_profiles.add(customer)

    def place(self, message, customer, lane, is_customers):
        referenced = None
        for key in (*message.names, *((message.session,) if message.session else ()), *message.references):
            if found := self.references.get(key):
                conversation = self.conversations.get(found[0])
                if conversation is not None and conversation.customer == customer:
                    referenced = conversation
                    break
        if referenced is not None and referenced.status in LIVE:
            return referenced, False
        at = message.ordered_at
        ended = self.ended.get((customer, lane))
        current = self.live.get((customer, lane))
        if current is not None:
            if at < current.opened_at and ended is not None and ended.opened_at <= at <= ended.resolved_at:
                return ended, False
            if not is_customers or referenced is not None or at - current.last_message_at <= DAYS_14:
                return current, False
            self.resolve(current, at)
            return self.open(message, customer, lane, current.id), False
        candidate = referenced or ended
        if candidate is None:
            return self.open(message, customer, lane, None), False
        is_late = candidate.opened_at <= at <= candidate.resolved_at
        if candidate.status == "resolved" and (is_late or at - candidate.resolved_at <= HOURS_72):
            if is_customers:
                candidate.status = "open"
                candidate.resolved_at = None
                self.live[customer, lane] = candidate
                self.ended.pop((customer, lane), None)
            return candidate, is_customers
        return self.open(message, customer, lane, candidate.id), False

    def open(self, message, customer, lane, previous):
        at = message.ordered_at
        status = "open" if message.author_kind == "customer" else "pending"
        conversation = Conversation(
            self.ids.next(), customer, lane, status, 1, 0, message.channel, None, None, previous, at, None, None, at,
            message.account, 0, 0, None, None, None, None, None, 0, None,
        )  # fmt: skip
        conversation.is_new = True
        self.emit("conversation.opened", conversation, at,
                  {"channel": message.channel, "status": status, "opened_at": at, "previous_conversation_id": previous})  # fmt: skip
        self.conversations[conversation.id] = conversation
        self.new_conversations.append(conversation)
        self.live[customer, lane] = conversation
        return conversation

    def resolve(self, conversation, at):
        conversation.status = "resolved"
        conversation.resolved_at = at
        conversation.waiting_since = conversation.snoozed_until = conversation.handoff = None
        conversation.version += 1
        self.emit("conversation.resolved", conversation, at, {"reason": "idle"})
        if not conversation.is_new:
            self.changed[conversation.id] = conversation

    def advance(self, conversation, message, id, is_customers, was_reopened):
        at = message.ordered_at
        if not conversation.is_new:
            self.changed[conversation.id] = conversation
        conversation.version += 1
        if was_reopened:
            self.emit("conversation.reopened", conversation, at, {"message_id": id})
        if at >= conversation.last_message_at and conversation.last_channel != message.channel:
            previous, conversation.last_channel = conversation.last_channel, message.channel
            self.emit("conversation.channel_switched", conversation, at,
                      {"from": previous, "to": message.channel, "message_id": id})  # fmt: skip
        conversation.opened_at = min(conversation.opened_at, at)
        conversation.last_message_at = max(conversation.last_message_at, at)
        conversation.language = conversation.language or message.language
        conversation.subject = conversation.subject or message.subject
        if is_customers:
            conversation.last_account = message.account
            conversation.customer_version = conversation.version
            if conversation.status in LIVE:
                conversation.status = "open"
                conversation.snoozed_until = None
                conversation.waiting_since = min(conversation.waiting_since or at, at)
        self.emit(
            "conversation.message_added",
            conversation,
            at,
            {
                "message_id": id, "channel": message.channel, "account": message.account, "direction": "inbound",
                "author_kind": message.author_kind, "sent_at": message.sent_at,
            },  # fmt: skip
        )

    def emit(self, type, conversation, at, members):
        conversation.event_seq += 1
        id = self.ids.next()
        data = {
            "seq": conversation.event_seq, "version": conversation.version, "conversation_id": conversation.id,
            "customer_id": conversation.customer, **members,
        }  # fmt: skip
        event = {
            "specversion": "1.0", "id": id, "source": "/throughline/ingest", "type": type, "subject": conversation.id, "time": at,
            "tenantid": "default", "datacontenttype": "application/json", "data": data,
        }  # fmt: skip
        value = orjson.dumps(event)
        place = shard(conversation.id)
        size = len(conversation.id) + len(value) + 14
        left, subjects, values = self.room.get(place, (0, None, None))
        if left < size:
            left, subjects, values = ROW_BYTES, [], []
            self.outbox.append((place, "conversation.events", subjects, values))
        subjects.append(conversation.id)
        values.append(value)
        self.room[place] = (left - size, subjects, values)

    def remember(self, message, conversation, id):
        for key in message.names:
            known = self.references.get(key)
            if known is None or known[1] is None:
                self.note(key, conversation, id, known is not None)
        for key in message.references:
            if key not in self.references:
                self.note(key, conversation, None, False)
        if message.session and message.session not in self.references:
            self.note(message.session, conversation, None, False)

    def note(self, key, conversation, message, is_known):
        is_stored = is_known and (key not in self.new_references or self.new_references[key][2])
        self.references[key] = (conversation, message)
        self.new_references[key] = (conversation, message, is_stored)


def shard(subject):
    """One of 16, for ever the same: the hash is the worker's own, any stable one will do."""
    return int(subject[-1], 16)
