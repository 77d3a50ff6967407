import Canonical
import Parsing

/// One payload format: its name, where it belongs, and how a payload becomes elements.
public struct ChannelFormat: Sendable {
  /// The `type` of the CloudEvent.
  public var type: String
  /// The topic without the configured prefix.
  public var topic: String
  /// The channel that `source` must name; nil: any, and `source` decides. The desk's sources may name none.
  public var channel: Channel?
  /// The other topics it may come on, each with the channel that `source` must name there.
  public var alsoOn: [String: Channel]
  /// Who consumes the topic.
  public var readers: Readers
  var read: Read

  /// The kinds of workers.
  public struct Readers: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let ingest = Self(rawValue: 1)
    public static let route = Self(rawValue: 2)
  }

  /// Adds the elements of a payload; throws what makes the whole record a dead letter.
  enum Read: Sendable {
    case json(@Sendable (JSONValue, Delivery, inout Elements) throws(Rejection) -> Void)
    case bytes(@Sendable ([UInt8], Delivery, inout Elements) throws(Rejection) -> Void)
    /// Bytes that may be JSON: a form or JSON, as the provider is set.
    case either(@Sendable ([UInt8], Delivery, inout Elements) throws(Rejection) -> Void)
  }

  init(
    _ type: String, topic: String, channel: Channel?, alsoOn: [String: Channel] = [:], readers: Readers = .ingest, _ read: Read
  ) {
    self.type = type
    self.topic = topic
    self.channel = channel
    self.alsoOn = alsoOn
    self.readers = readers
    self.read = read
  }
}

/// The registry: a provider is one file, one line here and its words in `FormatDescription`.
public enum Formats {
  public static let all = Action.Kind.allCases.map(AgentAction.format) + others

  private static let others: [ChannelFormat] = [
    ChannelFormat("agent.presence", topic: "agent.presence", channel: .desk, readers: .route, .json(AgentPresence.read)),
    ChannelFormat("apple.message", topic: "channel.apple", channel: .apple, .json(AppleMessage.read)),
    ChannelFormat("asterisk.cdr", topic: "channel.voice", channel: .voice, .either(AsteriskCDR.read)),
    ChannelFormat("bandwidth.sms", topic: "channel.sms", channel: .sms, .json(BandwidthSMS.read)),
    ChannelFormat("bot.handoff", topic: "channel.bot", channel: .bot, .json(BotHandoff.read)),
    ChannelFormat("chat.event", topic: "channel.chat", channel: .chat, .json(ChatEvent.read)),
    ChannelFormat("connect.contact", topic: "channel.voice", channel: .voice, .json(ConnectContact.read)),
    ChannelFormat("contact.upsert", topic: "crm.contacts", channel: .crm, .json(ContactUpsert.read)),
    ChannelFormat("delighted.survey", topic: "feedback.surveys", channel: .survey, .json(DelightedSurvey.read)),
    ChannelFormat("dialogflow.cx", topic: "channel.bot", channel: .bot, .json(DialogflowCX.read)),
    ChannelFormat("email.rfc822", topic: "channel.email", channel: .email, .bytes(EmailRFC822.read)),
    ChannelFormat("form.submission", topic: "channel.form", channel: .form, .json(FormSubmission.read)),
    ChannelFormat("freeswitch.cdr", topic: "channel.voice", channel: .voice, .either(FreeSwitchCDR.read)),
    ChannelFormat("freshdesk.ticket", topic: "channel.ticket", channel: .ticket, .json(FreshdeskTicket.read)),
    ChannelFormat(
      "hubspot.event", topic: "crm.contacts", channel: .crm, alsoOn: ["channel.ticket": .ticket], .json(HubSpotEvent.read)),
    ChannelFormat("intercom.notification", topic: "channel.ticket", channel: .ticket, .json(IntercomNotification.read)),
    ChannelFormat("line.webhook", topic: "channel.line", channel: .line, .json(LineWebhook.read)),
    ChannelFormat("liveagent.ticket", topic: "channel.ticket", channel: .ticket, .json(LiveAgentTicket.read)),
    ChannelFormat("meta.instagram", topic: "channel.instagram", channel: .instagram, .json(MetaInstagram.read)),
    ChannelFormat("meta.messenger", topic: "channel.messenger", channel: .messenger, .json(MetaMessenger.read)),
    ChannelFormat("order.upsert", topic: "commerce.orders", channel: .commerce, .json(OrderUpsert.read)),
    ChannelFormat("outbound.result", topic: "outbound.results", channel: nil, .json(OutboundResult.read)),
    ChannelFormat("rasa.event", topic: "channel.bot", channel: .bot, .json(RasaEvent.read)),
    ChannelFormat("rcs.event", topic: "channel.rcs", channel: .rcs, .json(RCSEvent.read)),
    ChannelFormat(
      "salesforce.change", topic: "crm.contacts", channel: .crm, alsoOn: ["channel.ticket": .ticket],
      .json(SalesforceChange.read)),
    ChannelFormat("shopify.order", topic: "commerce.orders", channel: .commerce, .json(ShopifyOrder.read)),
    ChannelFormat("slack.event", topic: "channel.slack", channel: .slack, .either(SlackEvent.read)),
    ChannelFormat("store.visit", topic: "channel.store", channel: .store, .json(StoreVisit.read)),
    ChannelFormat("survey.response", topic: "feedback.surveys", channel: .survey, .json(SurveyAnswer.read)),
    ChannelFormat("telegram.update", topic: "channel.telegram", channel: .telegram, .json(TelegramUpdate.read)),
    ChannelFormat("twilio.sms", topic: "channel.sms", channel: .sms, .bytes(TwilioSMS.read)),
    ChannelFormat("twilio.voice", topic: "channel.voice", channel: .voice, .either(TwilioVoice.read)),
    ChannelFormat("typeform.response", topic: "feedback.surveys", channel: .survey, .json(TypeformResponse.read)),
    ChannelFormat("viber.callback", topic: "channel.viber", channel: .viber, .json(ViberCallback.read)),
    ChannelFormat("vonage.sms", topic: "channel.sms", channel: .sms, .either(VonageSMS.read)),
    ChannelFormat("whatsapp.cloud", topic: "channel.whatsapp", channel: .whatsapp, .json(WhatsAppCloud.read)),
    ChannelFormat("x.activity", topic: "channel.x", channel: .x, .json(XActivity.read)),
    ChannelFormat("zendesk.event", topic: "channel.ticket", channel: .ticket, .json(ZendeskEvent.read)),
  ]

  /// The topics that ingest consumes, without prefix, each once.
  public static let topics = topics(of: .ingest)
  /// The topics that the router consumes, without prefix, each once.
  public static let routeTopics = topics(of: .route)

  private static func topics(of reader: ChannelFormat.Readers) -> [String] {
    Set(all.filter { $0.readers.contains(reader) }.flatMap { [$0.topic] + $0.alsoOn.keys }).sorted()
  }

  static let byType: [String: ChannelFormat] = Dictionary(all.map { ($0.type, $0) }, uniquingKeysWith: { first, _ in first })
}
