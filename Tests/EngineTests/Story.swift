import Canonical

@testable import Engine

/// A seeded run of records through a small world, where everybody meets everybody: the same identifiers on other people's records,
/// forged and unseen references, the same delivery twice, claims beside vouched words, late and impossible times.
///
/// Between its chapters agents resolve, close and snooze conversations, and identities are marked shared.
struct Story {
  private(set) var chapters: [[NormalisedRecord]] = []
  private let seed: UInt64
  private var random: SplitMix64
  private var earlier: [Event] = []
  private var count = 0

  /// Every twentieth story is long.
  init(seed: UInt64) {
    let (chapters, recordsPerChapter) = seed % 20 == 19 ? (2, 60) : (3, 9)
    self.seed = seed
    random = SplitMix64(seed: seed)
    for chapter in 0..<chapters {
      self.chapters.append([])
      for _ in 0..<recordsPerChapter {
        let elements = (0..<pick([1, 1, 1, 2, 3])).map { _ in element(chapter) }
        self.chapters[chapter].append(record(elements, offset: Int64(count), tenant: "shop"))
      }
    }
  }

  /// What is left in the store when the records are committed `batchRecords` at a time.
  func told(batchRecords: Int) throws -> ModelStore {
    var store = Self.beginning
    for (number, chapter) in chapters.enumerated() {
      for start in stride(from: 0, to: chapter.count, by: batchRecords) {
        try store.commit(Array(chapter[start..<min(start + batchRecords, chapter.count)]))
      }
      interlude(number, &store)
    }
    return store
  }

  /// The store before anything has happened.
  static var beginning: ModelStore {
    var store = ModelStore()
    store.policy.otherIdentityLimit = 2
    store.policy.idleWindow = .seconds(10 * 86_400)
    for account in ["desk@shop.example", "+49900"] { store.accounts.insert(InTenant("shop", account)) }
    return store
  }

  var longestChapter: Int { chapters.map(\.count).max() ?? 0 }

  /// The story without one of its records.
  func without(_ chapter: Int, _ record: Int) -> Story {
    var shorter = self
    shorter.chapters[chapter].remove(at: record)
    return shorter
  }

  /// What agents do meanwhile; decided by what the conversations hold, because ids differ from run to run.
  func interlude(_ chapter: Int, _ store: inout ModelStore) {
    var names: [ID: String] = [:]
    for message in store.messages.reversed() { names[message.conversation] = message.message.externalID }
    for conversation in store.conversations.values.sorted(by: { (names[$0.id] ?? "") < (names[$1.id] ?? "") }) {
      var dice = SplitMix64(seed: seed ^ hash("\(chapter) \(names[conversation.id] ?? "")").high)
      let time = conversation.lastMessageAt.advanced(by: .seconds(Int64.random(in: 0...48, using: &dice) * 3_600))
      guard conversation.status.isLive else { continue }
      switch Int.random(in: 0..<8, using: &dice) {
      case 0...2: store.set(.resolved, conversation.id, at: time)
      case 3: store.set(.closed, conversation.id, at: time)
      case 4: store.set(.snoozed, conversation.id, at: time)
      default: break
      }
    }
    for key in store.identities.keys.sorted() where hash("\(seed) \(chapter) " + key.value.value).low % 20 == 0 {
      store.markShared(key.value, tenant: key.tenant)
    }
  }

  // MARK: - The dice

  private mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  private mutating func element(_ chapter: Int) -> NormalisedElement {
    if chance(2) { return .ignored(reason: "typing") }
    if chance(2) { return .rejected(Rejection(.malformedPayload, "field")) }
    if chance(8), let again = earlier.randomElement(using: &random) { return .event(again) }
    let event = event(chapter)
    earlier.append(event)
    return .event(event)
  }

  private mutating func event(_ chapter: Int) -> Event {
    count += 1
    // Most of a day from record to record, and ten days of silence between the chapters.
    let received = hour(Double(count * 17 + chapter * 240))
    var sentAt: Timestamp? = received.advanced(by: .seconds(-3_600 * pick([0, 0, 0, 1, 30, 120, 300, 500, 900])))
    if chance(10) { sentAt = pick([nil, received.advanced(by: .seconds(200_000)), Timestamp(seconds: 0)]) }
    let (channel, account): (Channel, String) = pick([
      (.whatsapp, "page"), (.whatsapp, "page"), (.email, "desk@shop.example"), (.form, "es"), (.chat, "widget"),
      (.voice, "+49900"),
    ])
    let tenant = chance(20) ? "rival" : "shop"
    var event = message(
      "m\(count)", from: customer(), at: sentAt, received: received, on: channel, account: account, tenant: tenant,
      named: chance(85) ? [chance(80) ? "m\(count)" : name()] : [], to: (0..<pick([0, 0, 1, 2])).map { _ in name() },
      session: chance(10) ? pick(["s1", "s2"]) : nil, name: chance(30) ? pick(["Ana", "Bob"]) : nil)
    if chance(6), case .message(var message) = event.body {
      let part = Part(of: ReferenceKey(hash(pick(["album", "text"]))), number: chance(50) ? Int64(pick([1, 2, 3])) : nil)
      message.part = part
      message.names.append(part.whole)
      message.text = "piece \(count)"
      message.attachments = [Attachment(kind: "image", providerID: "f\(count)")]
      event.body = .message(message)
    }
    if case .message(var message) = event.body {
      switch Int.random(in: 0..<30, using: &random) {
      case 0: (message.direction, message.authorKind, message.isHandoff) = (.internal, .bot, true)
      case 1...2:
        message.isTranscript = true
        if chance(50) { (message.direction, message.authorKind) = (.outbound, .bot) }
      case 3: message.isStandby = true
      case 4...6: message.stand(in: pick(["g1", "g2"]), pick([.group, .public]))
      case 7: message.replyAddress = "whatsapp:\(count)"
      default: break
      }
      event.body = .message(message)
    }
    // A delivery of another text under a key that is taken.
    if chance(3), let taken = earlier.randomElement(using: &random) { event.key = taken.key }
    switch Int.random(in: 0..<20, using: &random) {
    case 0...1: event.body = contactBody(updatedAt: sentAt ?? received)
    case 2: event.body = .change(aboutMessage())
    case 8: event.body = .change(aboutMessage())
    case 9:
      var change = Change(kind: pick(["identity_change", "consent", "consent", "erasure"]), customer: customer())
      if change.kind == "consent" { change.status = pick(["opt_in", "opt_out"]) }
      if change.kind == "identity_change", chance(50) { change.former = [whatsapp(pick(["w1", "w2"])).identifier] }
      event.body = .change(change)
    case 10:
      var order = Order(
        externalID: pick(["1", "2"]), status: "\(count)", updatedAt: sentAt ?? received, customer: customer(),
        customerName: chance(30) ? "Ana" : nil)
      order.isAttested = chance(80)
      event.body = .order(order)
    case 11:
      var response = SurveyResponse(
        externalID: pick(["1", "2"]), metric: "csat", comment: "\(count)", updatedAt: sentAt ?? received, customer: customer(),
        session: chance(50) ? ReferenceKey(hash(pick(["s1", "s2"]))) : nil)
      response.isAttested = chance(50)
      event.body = .survey(response)
    default: break
    }
    return event
  }

  /// Something about a message near by, or a session; by its author or by somebody else, vouched for or not.
  private mutating func aboutMessage() -> Change {
    let target = name()
    var change = Change(
      kind: pick([
        "edit", "edit", "delete", "reaction", "receipt", "receipt", "call", "conversation_state", "bot_message", "said",
        "attachment",
      ]),
      target: ReferenceKey(hash(target)), targetExternalID: target, customer: customer(),
      authorKind: pick([nil, .customer, .customer, .agent]))
    change.isAttested = chance(60)
    switch change.kind {
    case "edit": change.text = pick([nil, "", "edit \(count)"])
    case "reaction": (change.status, change.reaction) = pick([("add", "+1"), ("add", "<3"), ("remove", nil)])
    case "receipt":
      change.status = pick(["sent", "delivered", "read", "failed"])
      if chance(20) { (change.target, change.upTo) = (nil, hour(Double(count * 17))) }
    case "call":
      (change.text, change.attachments) = (pick([nil, "said \(count)"]), [Attachment(kind: "audio", providerID: "r\(count)")])
    case "said":
      (change.text, change.target) = ("said \(count)", ReferenceKey(hash(pick(["s1", "s2", "s3"]))))
      if chance(40) { change.status = Change.transcript }
      // Below a message, as pages answer comments.
      if chance(40) { change.target = ReferenceKey(hash(name())) }
      if chance(60) { (change.name, change.targetExternalID) = (ReferenceKey(hash(target)), "m\(count)") }
    case "attachment": change.attachments = [Attachment(kind: "image", providerID: "a\(count)")]
    case "conversation_state": (change.status, change.target) = ("solved", ReferenceKey(hash(pick(["s1", "s2", "s3"]))))
    default: break
    }
    return change
  }

  /// Mostly names of messages that are, or will be, somewhere near.
  private mutating func name() -> String {
    chance(15) ? pick(["n1", "n2"]) : "m\(max(1, count + Int.random(in: -12...4, using: &random)))"
  }

  private mutating func contactBody(updatedAt: Timestamp) -> Event.Body {
    .contact(
      Contact(
        identifiers: customer(), displayName: chance(50) ? pick(["Ana Lopez", "Bob Hill"]) : nil,
        language: chance(30) ? pick(["es", "de"]) : nil,
        organization: chance(40)
          ? Organization(externalID: pick(["acme", "blue"]), name: chance(50) ? pick(["Acme", "Blue"]) : nil) : nil,
        traits: chance(60) ? [pick(["tier", "city"]): JSONText(utf8: Array("\(count)".utf8))] : [:], updatedAt: updatedAt))
  }

  private mutating func customer() -> [StatedIdentifier] {
    var stated: [StatedIdentifier] = []
    for _ in 0..<pick([0, 1, 1, 1, 2, 2, 3, 4]) {
      let assurance = pick([Assurance.a0, .a0, .a1, .a1, .a2, .a2, .a3])
      stated.append(
        pick([
          whatsapp(pick(["w1", "w2", "w3"]), assurance), whatsapp(pick(["w1", "w2", "w3"]), assurance),
          email(pick(["e1@example.org", "e2@example.org"]), assurance),
          email(pick(["info@example.org", "desk@shop.example", "e1@example.org"]), assurance),
          phone(pick(["+441", "+442", "anonymous", "+49900"]), assurance), number(pick(["k1", "k2"]), assurance),
          cookie(pick(["c1", "c2"])), order(pick(["o1", "o2"]), assurance),
        ]))
    }
    return stated
  }
}
