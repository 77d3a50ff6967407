import Canonical
import Store

/// Everybody else who writes on that day: seeded, in seven languages, on every channel, with the retries and receipts of providers.
struct Background: Sendable {
  /// In the order of their times.
  private(set) var deliveries: [Delivery] = []
  private(set) var contacts = 0

  private struct Person: Sendable {
    var number: Int
    var language: String
    var channels: [Channel]
    /// What they wrote last on WhatsApp.
    var lastID: String?
    var sent = 0

    var name: String { Background.names[language].map { $0[number % $0.count] } ?? "Sam" }
    /// By Messenger's own button, in their second message; the CRM knows the number.
    var sharesPhone: Bool { channels[0] == .messenger && number % 2 == 0 }
    var email: String { "\(name.lowercased().filter { $0.isASCII && $0.isLetter })\(number)@mail.example" }
    /// Ofcom's numbers for dramas.
    var phone: String { "+447700\(String(901_000 + number))" }
    var xUser: XUser { XUser(id: "19118304712\(String(10_000_000 + number))", username: "user\(number)", name: name) }
    var user: String { "60\(String(1_000_000_000 + number * 7_919))" }
  }

  private static let names = [
    "en": ["Alice Moore", "Ben Carter", "Chloe Evans", "Dylan Hughes", "Erin Walsh", "Frank Osei"],
    "es": ["Ana Ruiz", "Carlos Vega", "Marta Gil"], "de": ["Anna Schulz", "Felix Braun", "Katrin Vogel"],
    "fr": ["Luc Petit", "Manon Roux", "Inès Faure"], "it": ["Luca Conti", "Sara Greco"], "pt": ["Rui Sousa", "Ines Pinto"],
    "ar": ["Layla Nasser", "Omar Khalil"],
  ]
  /// As they are used: some channels have several places, so that the eleven have different weights.
  private static let channels: [Channel] = [
    .email, .email, .email, .chat, .chat, .chat, .whatsapp, .whatsapp, .whatsapp, .messenger, .messenger, .instagram, .instagram,
    .sms,
    .voice, .voice, .form, .form, .x, .bot,
  ]
  private static let languages = ["en", "en", "en", "en", "en", "es", "es", "es", "de", "de", "fr", "fr", "it", "pt", "pt", "ar"]

  private var random: SplitMix64
  private var ids: ProviderIDs
  private var people: [Person] = []
  private let day: Day

  init(seed: UInt64, messages count: Int, people peopleCount: Int, day: Day) {
    random = SplitMix64(seed: seed)
    ids = ProviderIDs(seed: ~seed)
    self.day = day
    people = (0..<peopleCount).map { number in
      let channel = Self.channels[number % Self.channels.count]
      // Who has a phone in the hand uses it for more than one thing.
      let second: Channel? = number % 5 == 2 ? (channel == .whatsapp ? .sms : channel == .sms ? .voice : nil) : nil
      return Person(
        number: number, language: Self.languages[Int.random(in: 0..<Self.languages.count, using: &random)],
        channels: [channel] + (second.map { [$0] } ?? []))
    }
    for person in people where person.number % 9 == 3 || person.sharesPhone { introduce(person) }
    let span = (day.at(17, 20).microseconds - day.at(7, 30).microseconds) / 1_000_000
    let seconds = (0..<count).map { _ in Int64.random(in: 0..<span, using: &random) }.sorted()
    for (position, second) in seconds.enumerated() {
      // Everybody once, then some again.
      let index = position < peopleCount ? position : Int.random(in: 0..<peopleCount, using: &random)
      write(index, at: day.at(7, 30).advanced(by: .seconds(second)))
    }
  }

  /// What comes in when nobody is there any more.
  mutating func night(_ count: Int) -> [Delivery] {
    let first = deliveries.count
    for number in 0..<count { write(number * 20 % people.count, at: day.at(18, 5 + number * 9)) }
    defer { deliveries.removeSubrange(first...) }
    return Array(deliveries[first...])
  }

  private mutating func introduce(_ person: Person) {
    contacts += 1
    deliveries.append(
      .contact("C-\(5_000 + person.number)", name: person.name, email: person.email, phone: person.phone, at: day.at(5, 0)))
  }

  private mutating func write(_ index: Int, at time: Timestamp) {
    let person = people[index]
    let channel = person.channels[person.sent % person.channels.count]
    let sentences = Sentences.of(person.language)
    let choices = person.sent == 0 ? sentences.openings : sentences.more
    let text = choices[Int.random(in: 0..<choices.count, using: &random)]
      .replacing("#", with: "\(60_000 + Int.random(in: 0..<9_999, using: &random))")
    people[index].sent += 1
    let new = message(on: channel, from: person, text, at: time)
    deliveries.append(new)
    // A provider that got no answer in time sends the same again.
    if Int.random(in: 0..<16, using: &random) == 0 { deliveries.append(new) }
    react(index, channel, new, at: time.advanced(by: .seconds(30)))
  }

  private mutating func message(on channel: Channel, from person: Person, _ text: String, at: Timestamp) -> Delivery {
    let id = channel == .x ? ids.x(isDirect: person.sent > 0) : ids.next(channel)
    let visitor = Delivery.Visitor(id: "v_\(person.user)", name: person.name, locale: person.language)
    switch channel {
    case .messenger where person.sent == 1 && person.sharesPhone:
      return .messenger(id, from: person.user, person.phone, isShared: true, at: at)
    case .messenger: return .messenger(id, from: person.user, text, at: at)
    case .instagram: return .instagram(id, from: person.user, text, at: at)
    case .whatsapp: return .whatsapp(id, from: String(person.phone.dropFirst()), name: person.name, text, at: at)
    case .sms: return .sms(id, from: person.phone, text, at: at)
    case .voice: return .call(id, customer: person.phone, seconds: 40 + text.count * 3, isAttested: person.number % 3 > 0, at: at)
    case .email: return .mail(id, from: (person.name, person.email), subject: String(text.prefix(40)), text, at: at)
    case .form:
      return .form(id, fields: [("name", person.name), ("email", person.email), ("message", text)], at: at)
    case .x where person.sent == 0: return .mention(id, from: person.xUser, "@shop " + text, at: at)
    case .x: return .direct(id, with: person.xUser, text, at: at)
    case .bot:
      return .bot(
        Shop.faqBot, id, in: (.bot, Shop.faqBot, "c_\(person.user)"), visitor: visitor, text, isFromCustomer: true, at: at)
    default: return .chat(id, session: "c_\(person.user)", visitor: visitor, text, at: at)
    }
  }

  /// Receipts and reactions, and what bots do.
  private mutating func react(_ index: Int, _ channel: Channel, _ message: Delivery, at: Timestamp) {
    let person = people[index]
    switch channel {
    case .whatsapp:
      if let last = person.lastID, person.sent % 2 == 0 {
        deliveries.append(
          .whatsappReaction(
            ids.next(.whatsapp), from: String(person.phone.dropFirst()), name: person.name, to: last, "👍", at: at))
      }
      people[index].lastID = message.externalID
    case .messenger where person.sent == 2: deliveries.append(.messengerRead(by: person.user, until: at, at: at))
    case .bot where person.sent == 1:
      let visitor = Delivery.Visitor(id: "v_\(person.user)", name: person.name, locale: person.language)
      let session: Delivery.BotSession = (.bot, Shop.faqBot, "c_\(person.user)")
      deliveries.append(
        .bot(
          Shop.faqBot, ids.next(.bot), in: session, visitor: visitor, Sentences.of(person.language).answers[0],
          isFromCustomer: false, at: at))
      // Every other customer wants a human.
      guard person.number % 40 < 20 else { return }
      deliveries.append(
        .handoff(
          Shop.faqBot, ids.next(.bot), in: session, visitor: visitor, epoch: nil, reason: "customer_asked", intent: "order.other",
          language: person.language, transcript: [], at: at.advanced(by: .seconds(20))))
    default: break
    }
  }
}
