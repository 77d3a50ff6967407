import Canonical

/// What records of a format can bring.
public enum Capability: String, Sendable, CaseIterable {
  /// What customers write.
  case messages
  /// What we write ourselves: agents with a program of the provider's, and bots.
  case echoes
  /// What staff write for each other.
  case notes
  case edits, deletes, reactions, receipts, buttons, media, locations, contacts
  /// Whoever called whom.
  case calls
  case recordings, transcripts, orders, surveys
  /// What the business knows of a customer.
  case customerData = "customer data"
  case optOuts = "opt-outs"
  /// One customer's new number or id.
  case identityChanges = "identity changes"
  /// A bot asks for a human.
  case handOffs = "hand-offs"
  /// What an agent does with a conversation.
  case actions
  case presence
}

/// What people have to know of a format: a row of `throughline formats`.
public struct FormatDescription: Sendable {
  /// How the record's `source` looks.
  public var source: String
  /// What the record's value is, in Markdown.
  public var payload: String
  public var carries: [Capability]
  /// What the provider does not send, or we do not read; empty when there is nothing to say.
  public var lacks: String
  /// What the value usually is.
  public var contentType = "application/json"

  /// Of every format, by its type; a test looks for those that are not here.
  static let byType: [String: FormatDescription] = [channels, calls, bots, business, desk, actions].reduce(into: [:]) {
    $0.merge($1) { _, last in last }
  }

  private static let channels: [String: FormatDescription] = [
    "apple.message": FormatDescription(
      source: "/channels/apple/<business id>", payload: "body of Apple Messages for Business, unzipped",
      carries: [.messages, .buttons, .media, .optOuts], lacks: "times, names, receipts, our own messages"),
    "bandwidth.sms": FormatDescription(
      source: "/channels/sms/<number>", payload: "callback body",
      carries: [.messages, .receipts, .buttons, .media, .locations, .contacts],
      lacks: "names, opt-outs, types and sizes of media, our own messages"),
    "chat.event": FormatDescription(
      source: "/channels/chat/<widget>", payload: "our JSON, `schemas/payloads/chat.event.json`",
      carries: [.messages, .echoes, .edits, .deletes, .media, .surveys, .identityChanges], lacks: "receipts, reactions"),
    "email.rfc822": FormatDescription(
      source: "/channels/email/<mailbox>", payload: "the raw mail", carries: [.messages, .echoes, .reactions, .receipts, .media],
      lacks: "texts inside winmail.dat, complaints (they take no consent back)", contentType: "message/rfc822"),
    "form.submission": FormatDescription(
      source: "/channels/form/<form>", payload: "our JSON, `schemas/payloads/form.submission.json`",
      carries: [.messages, .media], lacks: ""),
    "line.webhook": FormatDescription(
      source: "/channels/line/<bot user id>", payload: "webhook body",
      carries: [.messages, .deletes, .receipts, .buttons, .media, .locations, .optOuts],
      lacks: "names, edits, reactions, our own messages; receipts but of notification messages and played videos"),
    "meta.instagram": FormatDescription(
      source: "/channels/instagram/<account>", payload: "webhook body",
      carries: [.messages, .echoes, .edits, .deletes, .reactions, .receipts, .buttons, .media, .handOffs],
      lacks: "names in private messages, edits and deletes of comments, our own reactions, types and sizes of media"),
    "meta.messenger": FormatDescription(
      source: "/channels/messenger/<page>", payload: "webhook body",
      carries: [.messages, .echoes, .edits, .deletes, .reactions, .receipts, .buttons, .media, .locations, .optOuts, .handOffs],
      lacks: "names in private messages, reactions to posts, types and sizes of media"),
    "rcs.event": FormatDescription(
      source: "/channels/rcs/<agent id>", payload: "webhook body of RCS for Business, with its Pub/Sub envelope or without",
      carries: [.messages, .receipts, .buttons, .media, .locations, .optOuts], lacks: "names, our own messages"),
    "slack.event": FormatDescription(
      source: "/channels/slack/<workspace>",
      payload: "Events API, Socket Mode or interactivity body as received; a message's id is `<channel>:<ts>`",
      carries: [.messages, .echoes, .edits, .deletes, .reactions, .buttons, .media],
      lacks: "receipts, slash commands, forms, what we write to everybody"),
    "store.visit": FormatDescription(
      source: "/channels/store/<register system>", payload: "our JSON, `schemas/payloads/store.visit.json`, one or an array",
      carries: [.messages, .notes, .media], lacks: ""),
    "telegram.update": FormatDescription(
      source: "/channels/telegram/<bot id>", payload: "Bot API update; `signature` is the secret token",
      carries: [
        .messages, .echoes, .edits, .deletes, .reactions, .buttons, .media, .locations, .contacts, .optOuts, .identityChanges,
      ], lacks: "receipts, poll answers, payments; our own messages and deletes outside business chats"),
    "twilio.sms": FormatDescription(
      source: "/channels/sms/<number>", payload: "the form body as received",
      carries: [.messages, .receipts, .buttons, .media, .locations, .optOuts],
      lacks: "times, names and sizes of media, our own messages", contentType: "application/x-www-form-urlencoded"),
    "viber.callback": FormatDescription(
      source: "/channels/viber/<account>", payload: "callback body",
      carries: [.messages, .receipts, .buttons, .media, .locations, .contacts, .optOuts],
      lacks: "edits, deletes, reactions, our own messages"),
    "vonage.sms": FormatDescription(
      source: "/channels/sms/<number>", payload: "the SMS API's query, form or JSON, or the Messages API's JSON",
      carries: [.messages, .reactions, .receipts, .buttons, .media, .locations, .contacts],
      lacks: "opt-outs, our own messages"),
    "whatsapp.cloud": FormatDescription(
      source: "/channels/whatsapp/<phone number id>", payload: "Cloud API webhook body",
      carries: [
        .messages, .echoes, .edits, .deletes, .reactions, .receipts, .buttons, .media, .locations, .contacts, .orders,
        .calls, .optOuts, .identityChanges,
      ], lacks: "sizes of media, what we send by the API"),
    "x.activity": FormatDescription(
      source: "/channels/x/<our user id>", payload: "XAA or AAA delivery",
      carries: [.messages, .echoes, .edits, .deletes, .receipts, .buttons, .media, .locations],
      lacks: "reactions, the text of encrypted chats, answers to answers that do not mention us"),
  ]

  private static let calls: [String: FormatDescription] = [
    "asterisk.cdr": FormatDescription(
      source: "/channels/voice/<number>",
      payload: "CDR: line of `Master.csv`, JSON or the manager's event; `http_query` `region=ES` says how to read local numbers",
      carries: [.calls, .recordings], lacks: "transcripts, the zone of its times", contentType: "text/csv"),
    "connect.contact": FormatDescription(
      source: "/channels/voice/<number>", payload: "Amazon Connect contact record, or the Kinesis event that holds it",
      carries: [.calls, .recordings, .surveys], lacks: "names, transcripts, chats, tasks and e-mail of Connect"),
    "freeswitch.cdr": FormatDescription(
      source: "/channels/voice/<number>", payload: "`mod_json_cdr`'s body, one for each leg; `region` as for `asterisk.cdr`",
      carries: [.calls, .recordings], lacks: "transcripts"),
    "twilio.voice": FormatDescription(
      source: "/channels/voice/<number>",
      payload: "the callback's form body as received, or an event stream's JSON: one message a call, when it ends",
      carries: [.calls, .recordings, .transcripts],
      lacks:
        "recordings of calls that an agent's app places; legs to phones of agents, which look like calls to customers",
      contentType: "application/x-www-form-urlencoded"),
  ]

  private static let bots: [String: FormatDescription] = [
    "bot.handoff": FormatDescription(
      source: "/channels/bot/<bot>", payload: "our JSON, `schemas/payloads/bot.handoff.json`",
      carries: [.messages, .echoes, .transcripts, .handOffs], lacks: "media"),
    "dialogflow.cx": FormatDescription(
      source: "/channels/bot/<bot>",
      payload: "detectIntent response with `http_path`, webhook request, or ConversationEvent",
      carries: [.messages, .echoes, .handOffs], lacks: "times of turns, media"),
    "rasa.event": FormatDescription(
      source: "/channels/bot/<bot>", payload: "an event of Rasa's event broker",
      carries: [.messages, .echoes, .buttons, .media, .handOffs], lacks: "media of customers"),
  ]

  /// Other desks, the shop, and what the business knows.
  private static let business: [String: FormatDescription] = [
    "contact.upsert": FormatDescription(
      source: "/channels/crm/<system>", payload: "our JSON, `schemas/payloads/contact.upsert.json`",
      carries: [.customerData], lacks: "deletions"),
    "delighted.survey": FormatDescription(
      source: "/channels/survey/<account>", payload: "webhook body", carries: [.surveys],
      lacks: "the scale of other metrics than NPS and CSAT"),
    "freshdesk.ticket": FormatDescription(
      source: "/channels/ticket/<account>",
      payload: "the ticket with its conversations as the API gives it, or an automation rule's JSON",
      carries: [.messages, .echoes, .notes, .deletes, .media],
      lacks: "ids of the rule's events, edits; deletes of an automation"),
    "hubspot.event": FormatDescription(
      source: "/channels/crm/<portal id>",
      payload: "webhook body, an array of events; or a message or ticket as the API gives it",
      carries: [.customerData, .identityChanges, .messages, .echoes, .notes, .media],
      lacks: "in events: the text of messages, and all but the property that changed; both have to be fetched"),
    "intercom.notification": FormatDescription(
      source: "/channels/ticket/<workspace>", payload: "webhook body",
      carries: [.messages, .echoes, .notes, .deletes, .media, .surveys, .customerData, .identityChanges],
      lacks: "edits, receipts"),
    "liveagent.ticket": FormatDescription(
      source: "/channels/ticket/<account>", payload: "the ticket with its messages as the API gives it, or a rule's JSON",
      carries: [.messages, .echoes, .notes, .media], lacks: "edits, deletes"),
    "order.upsert": FormatDescription(
      source: "/channels/commerce/<shop>", payload: "our JSON, `schemas/payloads/order.upsert.json`", carries: [.orders],
      lacks: ""),
    "salesforce.change": FormatDescription(
      source: "/channels/crm/<organization id>", payload: "change event, with its CometD envelope or without",
      carries: [.customerData, .messages, .echoes, .notes, .edits, .deletes],
      lacks: "fields that did not change, all fields of a GAP event, Pub/Sub's Avro"),
    "shopify.order": FormatDescription(
      source: "/channels/commerce/<shop>", payload: "order webhook body; `http_x-shopify-topic` says what happened",
      carries: [.orders], lacks: "checkouts, customers without an order"),
    "survey.response": FormatDescription(
      source: "/channels/survey/<account>", payload: "our JSON, `schemas/payloads/survey.response.json`", carries: [.surveys],
      lacks: ""),
    "typeform.response": FormatDescription(
      source: "/channels/survey/<account>", payload: "webhook body", carries: [.surveys], lacks: "partial answers"),
    "zendesk.event": FormatDescription(
      source: "/channels/ticket/<account>", payload: "body of an event-subscribed webhook, or of Sunshine Conversations",
      carries: [.messages, .echoes, .notes, .deletes, .receipts, .buttons, .media, .locations, .identityChanges, .handOffs],
      lacks: "edits; receipts of tickets; the id of a ticket's first comment; the form of trigger webhooks"),
  ]

  /// The agents' desktop, and what sends for it.
  private static let desk: [String: FormatDescription] = [
    "agent.presence": FormatDescription(
      source: "/channels/desk/<desktop>", payload: "our JSON, `schemas/payloads/agent.presence.json`", carries: [.presence],
      lacks: ""),
    "outbound.result": FormatDescription(
      source: "/channels/<channel>/<account>", payload: "our JSON, `schemas/payloads/outbound.result.json`",
      carries: [.receipts], lacks: ""),
  ]

  private static let actions: [String: FormatDescription] = Dictionary(
    uniqueKeysWithValues: Action.Kind.allCases.map { kind in
      (
        "agent." + kind.rawValue,
        FormatDescription(
          source: "/channels/desk/<desktop>", payload: "our JSON, `schemas/payloads/agent.action.json`", carries: [.actions],
          lacks: "")
      )
    })
}

extension ChannelFormat {
  /// What people have to know of it.
  public var description: FormatDescription {
    FormatDescription.byType[type] ?? FormatDescription(source: "", payload: "", carries: [], lacks: "")
  }
}
