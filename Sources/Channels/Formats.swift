import Canonical
import Parsing

/// One payload format: its name, where it belongs, and how a payload becomes elements.
public struct ChannelFormat: Sendable {
  /// The `type` of the CloudEvent.
  public var type: String
  /// The topic without the configured prefix.
  public var topic: String
  /// The channel that `source` must name.
  public var channel: Channel
  var read: Read

  /// Adds the elements of a payload; throws what makes the whole record a dead letter.
  enum Read: Sendable {
    case json(@Sendable (JSONValue, Delivery, inout Elements) throws(Rejection) -> Void)
    case bytes(@Sendable ([UInt8], Delivery, inout Elements) throws(Rejection) -> Void)
  }

  init(_ type: String, topic: String, channel: Channel, _ read: Read) {
    self.type = type
    self.topic = topic
    self.channel = channel
    self.read = read
  }
}

/// The registry: a provider is one file and one line here.
public enum Formats {
  public static let all: [ChannelFormat] = [
    ChannelFormat("bot.handoff", topic: "channel.bot", channel: .bot, .json(BotHandoff.read)),
    ChannelFormat("chat.event", topic: "channel.chat", channel: .chat, .json(ChatEvent.read)),
    ChannelFormat("contact.upsert", topic: "crm.contacts", channel: .crm, .json(ContactUpsert.read)),
    ChannelFormat("email.rfc822", topic: "channel.email", channel: .email, .bytes(EmailRFC822.read)),
    ChannelFormat("form.submission", topic: "channel.form", channel: .form, .json(FormSubmission.read)),
    ChannelFormat("meta.instagram", topic: "channel.instagram", channel: .instagram, .json(MetaInstagram.read)),
    ChannelFormat("meta.messenger", topic: "channel.messenger", channel: .messenger, .json(MetaMessenger.read)),
    ChannelFormat("twilio.sms", topic: "channel.sms", channel: .sms, .bytes(TwilioSMS.read)),
    ChannelFormat("twilio.voice", topic: "channel.voice", channel: .voice, .bytes(TwilioVoice.read)),
    ChannelFormat("whatsapp.cloud", topic: "channel.whatsapp", channel: .whatsapp, .json(WhatsAppCloud.read)),
  ]

  /// The topics to consume, without prefix, each once.
  public static let topics: [String] = Set(all.map(\.topic)).sorted()

  static let byType: [String: ChannelFormat] = Dictionary(all.map { ($0.type, $0) }, uniquingKeysWith: { first, _ in first })
}
