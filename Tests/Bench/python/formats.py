"""The envelope and the six formats of the benchmark's load: a Kafka record in, canonical messages out.

The same as Sources/Channels where a customer or an agent would notice: identifiers and their assurance, keys, references, texts without
quoted history, language, attachments, what is kept in details. What the load does not hold (receipts, edits, reactions, echoes,
continuation tokens, hostile input) is left out, which is an advantage of these workers.
"""
import base64
import email
import email.header
import email.utils
import hashlib
import re
import urllib.parse
from datetime import datetime, timedelta, timezone

import orjson
import phonenumbers
import pycld2

TENANT = "default"
RANK = {"A0": 0, "bearer": 1, "A1": 2, "A2": 3, "A3": 4}
E164 = re.compile(r"\+[1-9]\d{7,14}")
FULL_KEYPAD = {"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"}


class Message:
    """One message; identifiers are (kind, scope, value, assurance), the channel's own first."""

    __slots__ = (
        "channel", "account", "key", "external_id", "sent_at", "received_at", "ordered_at", "name", "names", "references",
        "session", "reply_to", "subject", "text", "language", "identifiers", "address", "attachments", "original", "details",
        "author_kind",
    )  # fmt: skip

    def __init__(self, channel, account, received_at, external_id, sent_at, identifiers):
        self.channel = channel
        self.account = account
        self.received_at = received_at
        self.external_id = external_id
        self.sent_at = sent_at
        self.ordered_at = received_at if sent_at is None or sent_at > received_at else sent_at
        self.identifiers = identifiers
        self.address = identifiers[0][2] if identifiers else None
        self.key = self.name = self.session = self.reply_to = self.subject = self.text = self.language = self.original = None
        self.names = self.references = self.attachments = ()
        self.details = {}
        self.author_kind = "customer"

    def named(self, key):
        """Known by the provider's id, which also is what makes two deliveries the same."""
        self.key = key
        self.names = (key,)


def digest(*parts):
    """The first 16 bytes of SHA-256 over length-prefixed parts, as a uuid's text without dashes."""
    data = bytearray()
    for part in parts:
        if part.__class__ is str:
            part = part.encode()
        data += len(part).to_bytes(8, "big")
        data += part
    return hashlib.sha256(data).hexdigest()[:32]


def message_key(channel, account, id):
    return digest(channel, account, "message", id)


def phone(text):
    """E.164, or None."""
    if E164.fullmatch(text) and not text.startswith("+521"):
        return text
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def language(text):
    """What CLD2 calls reliable, of 20 bytes or more."""
    if text is None or len(text) < 20 and len(text.encode()) < 20:
        return None
    try:
        is_reliable, _, found = pycld2.detect(text)
    except pycld2.error:
        return None
    code = found[0][1].partition("-")[0]
    return code if is_reliable and code != "un" and len(code) == 2 else None


def moment(value):
    """Seconds or milliseconds, as a number or digits, or ISO 8601; None for anything else."""
    if value is None:
        return None
    try:
        number = int(value)
    except ValueError:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return datetime.fromtimestamp(number / 1000 if abs(number) >= 100_000_000_000 else number, timezone.utc)


def normalise(topic, headers, value):
    """The messages of a record; raises ValueError or KeyError for what makes it a dead letter."""
    attributes = {name.lower(): content for name, content in headers}
    content_type = attributes.get("content-type", b"")
    if content_type.startswith(b"application/cloudevents+json"):
        event = orjson.loads(value)
        kind, source, time, attested = event["type"], event["source"], event.get("time"), event.get("attested", "")
        value = event["data"] if "data" in event else base64.b64decode(event["data_base64"])
        if not isinstance(value, (bytes, dict)):
            value = value.encode()
    else:
        kind = attributes["ce_type"].decode()
        source = attributes["ce_source"].decode()
        time = attributes.get("ce_time", b"").decode()
        attested = attributes.get("ce_attested", b"").decode()
    expected, channel, read = FORMATS[kind]
    if topic != expected:
        raise ValueError("topic")
    _, _, word, account = source.split("/", 3)
    if word != channel:
        raise ValueError("source")
    account = urllib.parse.unquote(account)
    received = datetime.fromisoformat(time) if time else datetime.now(timezone.utc)
    return read(value, account, attested.split(), received)


def chat(value, account, attested, received):
    body = value if isinstance(value, dict) else orjson.loads(value)
    if body["event"] != "message.created":
        return ()
    item = body["message"]
    visitor = body["visitor"]
    id = str(item.get("id") or body["event_id"])
    stated = "A3" if "token" in attested else "A0"
    identifiers = [("visitor", account, str(visitor["id"]), "bearer")]
    if visitor.get("external_id"):
        identifiers.append(("external_id", "", str(visitor["external_id"]), stated))
    if visitor.get("email"):
        identifiers.append(("email", "", visitor["email"].strip().lower(), stated))
    if visitor.get("phone") and (number := phone(visitor["phone"])):
        identifiers.append(("phone", "", number, stated))
    message = Message("chat", account, received, id, moment(body.get("sent_at")), identifiers)
    message.named(message_key("chat", account, id))
    message.name = (visitor.get("name") or "").strip() or None
    message.text = item.get("text") or None
    locale = body.get("locale") or visitor.get("locale")
    message.language = locale[:2].lower() if locale else language(message.text)
    if session := body.get("conversation_id"):
        message.session = digest("chat", account, "session", str(session))
    if reply_to := item.get("reply_to"):
        message.reply_to = reply_to
        message.references = (message_key("chat", account, reply_to),)
    message.attachments = [media(a.get("mime"), a.get("name"), a.get("size"), a.get("id"), a.get("url"))
                           for a in item.get("attachments", ())]  # fmt: skip
    shown = CHAT_TEXT if item.get("type") == "text" else CHAT_ITEM
    message.details = {name: member for name, member in body.items() if name not in CHAT_SHOWN}
    if rest := {name: member for name, member in item.items() if name not in shown}:
        message.details["message"] = rest
    return (message,)


CHAT_SHOWN = {"event", "event_id", "sent_at", "message", "identity_token", "continuation"}
CHAT_ITEM = {"id", "text", "reply_to", "attachments"}
CHAT_TEXT = CHAT_ITEM | {"type"}


def media(mime, name=None, size=None, id=None, url=None, kind=None):
    if kind is None:
        kind = (mime or "").partition("/")[0].lower()
        kind = kind if kind in ("image", "video", "audio") else "file"
    return (kind, name, mime, size, id, url)


WHATSAPP_SHOWN = {"id", "from", "from_user_id", "to", "to_user_id", "timestamp", "type"}


def whatsapp(value, account, attested, received):
    root = value if isinstance(value, dict) else orjson.loads(value)
    if root["object"] != "whatsapp_business_account":
        raise ValueError("object")
    assurance = "A2" if "signature" in attested else "A0"
    messages = []
    for entry in root["entry"]:
        business = entry["id"]
        for change in entry["changes"]:
            content = change["value"]
            account = content.get("metadata", {}).get("phone_number_id", account)
            contacts = {}
            for contact in content.get("contacts", ()):
                for id in (contact.get("user_id"), contact.get("wa_id")):
                    if id:
                        contacts.setdefault(id, contact)
            for item in content.get("messages", ()):
                user, number = item.get("from_user_id"), item.get("from")
                contact = contacts.get(user) or contacts.get(number) or {}
                user = user or contact.get("user_id")
                number = number or contact.get("wa_id")
                identifiers = [("whatsapp", business, id, assurance) for id in (user, number) if id]
                if number and number.isdigit() and 8 <= len(number) <= 15:
                    identifiers.append(("phone", "", "+" + number, assurance))
                message = Message("whatsapp", account, received, item["id"], moment(item.get("timestamp")), identifiers)
                message.named(message_key("whatsapp", account, item["id"]))
                message.name = contact.get("profile", {}).get("name", "").strip() or None
                kind = item["type"]
                body = item[kind]
                if kind == "text":
                    message.text = body["body"] or None
                elif kind in ("image", "video", "audio", "document", "sticker"):
                    message.text = body.get("caption") or None
                    message.attachments = (media(body.get("mime_type"), body.get("filename"), None, body.get("id"), None, kind),)
                elif kind == "button":
                    message.text = body.get("text")
                message.language = language(message.text)
                if reply_to := item.get("context", {}).get("id"):
                    message.reply_to = reply_to
                    message.references = (message_key("whatsapp", account, reply_to),)
                message.details = {name: member for name, member in item.items() if name not in WHATSAPP_SHOWN and name != kind}
                messages.append(message)
    return messages


META_SHOWN = {"sender", "recipient", "timestamp", "message"}
META_TEXT = {"mid", "text", "title", "is_echo", "attachments"}


def messenger(value, account, attested, received):
    root = value if isinstance(value, dict) else orjson.loads(value)
    if root["object"] != "page":
        raise ValueError("object")
    assurance = "A2" if "signature" in attested else "A0"
    messages = []
    for entry in root["entry"]:
        account = entry["id"]
        for item in entry["messaging"]:
            body = item.get("message")
            if body is None:
                continue
            mid = body["mid"]
            text = body.get("text") or None
            identifiers = [("messenger", account, item["sender"]["id"], assurance)]
            payload = body.get("quick_reply", {}).get("payload")
            if text and text == payload:
                if "@" in text:
                    identifiers.append(("email", "", text.strip().lower(), assurance))
                elif number := phone(text):
                    identifiers.append(("phone", "", number, assurance))
            message = Message("messenger", account, received, mid, moment(item.get("timestamp")), identifiers)
            message.named(message_key("messenger", account, mid))
            message.text = text
            message.language = None if payload else language(text)
            if reply_to := body.get("reply_to", {}).get("mid"):
                message.reply_to = reply_to
                message.references = (message_key("messenger", account, reply_to),)
            message.attachments = [media(None, None, None, None, a["payload"].get("url"), a["type"])
                                   for a in body.get("attachments", ())]  # fmt: skip
            message.details = {name: member for name, member in item.items() if name not in META_SHOWN}
            if rest := {name: member for name, member in body.items() if name not in META_TEXT}:
                message.details["message"] = rest
            messages.append(message)
    return messages


def form(value):
    return dict(urllib.parse.parse_qsl(value.decode(), keep_blank_values=False))


SMS_SHOWN = {
    "MessageSid", "SmsSid", "SmsMessageSid", "MessageStatus", "SmsStatus", "Body", "NumMedia", "ProfileName", "ApiVersion",
    "OriginalRepliedMessageSid",
}  # fmt: skip


def sms(value, account, attested, received):
    fields = form(value)
    if fields["SmsStatus"] not in ("received", "receiving"):
        return ()
    id = fields["MessageSid"]
    sender = fields["From"]
    identifiers = []
    if sender.startswith("+") and (number := phone(sender)):
        identifiers.append(("phone", "", number, "A1" if "signature" in attested else "A0"))
    message = Message("sms", account, received, id, None, identifiers)
    message.named(message_key("sms", account, id))
    message.text = fields.get("Body")
    message.language = language(message.text)
    hidden = SMS_SHOWN | {"From"} if identifiers else SMS_SHOWN
    message.details = {name: text for name, text in fields.items() if name not in hidden and not name.startswith("Media")}
    message.attachments = [
        media(fields.get(f"MediaContentType{index}"), None, None, None, fields[f"MediaUrl{index}"])
        for index in range(int(fields.get("NumMedia", "0")))
    ]
    return (message,)


VOICE_SHOWN = {
    "CallSid", "ParentCallSid", "CallStatus", "CallDuration", "Duration", "Timestamp", "ApiVersion", "Caller", "Called",
    "conversation",
}  # fmt: skip


def voice(value, account, attested, received):
    fields = form(value)
    if fields["CallStatus"] not in ("completed", "busy", "no-answer", "failed", "canceled"):
        return ()
    id = fields["CallSid"]
    caller = fields["From"]
    identifiers = []
    if caller.startswith("+") and caller not in FULL_KEYPAD and (number := phone(caller)):
        signed = "signature" in attested
        is_full = "caller_id" in attested or signed and fields.get("StirVerstat") == "TN-Validation-Passed-A"
        identifiers.append(("phone", "", number, "A2" if is_full else "A1" if signed else "A0"))
    sent = email.utils.parsedate_to_datetime(fields["Timestamp"]) if "Timestamp" in fields else None
    message = Message("voice", account, received, id, sent, identifiers)
    message.named(message_key("voice", account, id))
    message.name = fields.get("CallerName", "").strip() or None
    message.details = {
        "call": {
            "status": fields["CallStatus"],
            "duration_seconds": int(fields.get("CallDuration", "0")),
            "billed_minutes": int(fields.get("Duration", "0")),
        }
    }
    message.details.update((name, text) for name, text in fields.items() if name not in VOICE_SHOWN)
    return (message,)


MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
HISTORY = re.compile(
    r"^(?:>|-- ?$|-+ ?(?:Original Message|Ursprüngliche Nachricht|Message d'origine|Mensaje original) ?-+"
    r"|(?:On|Am|Le|El|Il|Em|Op) .{4,200}(?:wrote|schrieb.*|a écrit|escribió|ha scritto|escreveu|schreef.*) ?:$)",
    re.M,
)
BLOCKS = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)[^>]*>", re.I)
TAGS = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.I | re.S)


def decoded(header):
    if header is None:
        return None
    if "=?" not in header:
        return header
    return str(email.header.make_header(email.header.decode_header(header)))


def part_text(part):
    content = part.get_payload(decode=True)
    try:
        return content.decode(part.get_content_charset("utf-8"))
    except (LookupError, UnicodeDecodeError):
        return content.decode("utf-8", "replace")


def mail(value, account, attested, received):
    parsed = email.message_from_bytes(value)
    name, sender = email.utils.parseaddr(decoded(parsed["From"]) or "")
    sender = sender.lower()
    assurance = "A1" if "dmarc" in attested else "A0"
    id = MESSAGE_ID.search(parsed["Message-ID"] or "")
    id = id and id.group(1)
    date = parsed["Date"]
    sent = email.utils.parsedate_to_datetime(date) if date else None
    message = Message("email", account, received, id, sent, [("email", "", sender, assurance)] if sender else [])
    body = value.replace(b"\r", b"").partition(b"\n\n")[2].rstrip(b"\n")
    message.key = digest("email", "message-id", id or "", sender, date or "", body)
    message.name = name.strip() or None
    if id:
        message.names = (digest("email", "message-id", id),)
    replied = MESSAGE_ID.findall(parsed["In-Reply-To"] or "")
    thread = dict.fromkeys(replied + MESSAGE_ID.findall(parsed["References"] or "")[::-1])
    thread.pop(id, None)
    message.references = [digest("email", "message-id", other) for other in list(thread)[:50]]
    message.reply_to = replied[0] if replied else None
    message.subject = decoded(parsed["Subject"])
    plain = html = None
    attachments = []
    for part in parsed.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        file = part.get_filename()
        if kind == "text/plain" and file is None and plain is None:
            plain = part_text(part)
        elif kind == "text/html" and file is None and html is None:
            html = part
        else:
            attachments.append(media(kind, file, len(part.get_payload(decode=True) or b""), part["Content-ID"]))
    if not (plain or "").strip() and html is not None:
        plain = TAGS.sub("", BLOCKS.sub("\n", part_text(html)))
    message.attachments = attachments
    message.text = unquoted(plain or "") or None
    message.language = language(message.text)
    message.original = value
    details = message.details = {}
    for field in ("To", "Cc", "Reply-To"):
        if parsed[field]:
            details[field.lower().replace("-", "_")] = [address for _, address in email.utils.getaddresses([parsed[field]])]
    if message.subject:
        details["subject"] = message.subject
    if (parsed["Auto-Submitted"] or "no").lower() != "no":
        message.author_kind = "system"
    return (message,)


def unquoted(text):
    text = text.replace("\r\n", "\n").strip()
    found = HISTORY.search(text)
    return text[: found.start()].strip() or text if found else text


FORMATS = {
    "chat.event": ("channel.chat", "chat", chat),
    "whatsapp.cloud": ("channel.whatsapp", "whatsapp", whatsapp),
    "meta.messenger": ("channel.messenger", "messenger", messenger),
    "email.rfc822": ("channel.email", "email", mail),
    "twilio.sms": ("channel.sms", "sms", sms),
    "twilio.voice": ("channel.voice", "voice", voice),
}
TOPICS = [topic for topic, _, _ in FORMATS.values()]
DAYS_14 = timedelta(days=14)
HOURS_72 = timedelta(hours=72)
