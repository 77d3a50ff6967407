import Canonical
import Channels
import Testing
import Workers

@testable import Demo

/// What the sample day publishes, as the workers read it.
@Suite struct PayloadTests {
  private static let key = TokenKey(secret: Array("a secret for the tests of the sample day".utf8))
  private static let conversation = ID(Bytes16(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001))
  private static let token = key.continuation(of: conversation, tenant: "default")
  private let day = Day()

  private func events(_ deliveries: [Delivery]) throws -> [Event] {
    let normaliser = Normaliser(tokenKey: Self.key)
    return try deliveries.enumerated().map { number, delivery in
      let record = Record(
        topic: delivery.topic, partition: 0, offset: Int64(number), timestamp: .now, key: Array(delivery.key.utf8),
        headers: delivery.headers(id: "d\(number)"), value: delivery.value)
      let elements = normaliser.normalise(record).elements
      // A hand-off brings the lines of its transcript along.
      guard elements.count == 1 || delivery.type == "bot.handoff", case .event(let event)? = elements.first else {
        throw Unexpected(what: "\(delivery.type): \(elements.map { canonicalJSON($0).string })")
      }
      return event
    }
  }

  private struct Unexpected: Error { let what: String }

  private func message(_ delivery: Delivery) throws -> Message {
    let event = try events([delivery])[0]
    guard case .message(let message) = event.body else { throw Unexpected(what: delivery.type) }
    #expect(event.receivedAt == delivery.at)
    // Some state no time, most to the second.
    #expect(event.sentAt.map { ($0.microseconds - delivery.at.microseconds).magnitude < 1_000_000 } ?? true)
    #expect(message.externalID == delivery.externalID || delivery.externalID == nil)
    return message
  }

  /// Kind and assurance of what a message states about its customer, in its order.
  private func stated(_ delivery: Delivery) throws -> [String] {
    try message(delivery).customer.map { "\($0.identifier.kind.rawValue) \($0.assurance.label)" }
  }

  @Test func `each scene brings the evidence that it names, and no other`() throws {
    let at = day.at(12, 0)
    #expect(try stated(WrongShoes.first(at)) == ["messenger A2"])
    #expect(try stated(WrongShoes.shared(at)) == ["messenger A2", "phone A2"])
    #expect(try stated(WrongShoes.call(at)) == ["phone A2"])
    #expect(try stated(WrongShoes.mail(at)) == ["email A1"])
    #expect(try stated(SocialToPhone.first(at)) == ["instagram A2"])
    #expect(try stated(SocialToPhone.opens(Self.token, at)) == ["visitor bearer"])
    #expect(try stated(SocialToPhone.call(Self.token, at)) == ["phone A1"])
    #expect(try stated(AccountManager.ticket(at)) == ["external_id A3", "email A3"])
    #expect(try stated(AccountManager.mail(at)) == ["email A1"])
    #expect(try stated(AccountManager.call(at)) == ["phone A2"])
    #expect(try stated(BotGivesUp.first(at)) == ["visitor bearer"])
    #expect(try stated(PublicComplaint.mention(at)) == ["x A2"])
    #expect(try stated(PublicComplaint.direct(at)) == ["x A2"])
    #expect(try stated(Impostor.form(at)) == ["email A0", "phone A0"])
    #expect(try stated(Impostor.chat(at)) == ["visitor bearer", "external_id A0", "email A0", "phone A0"])
    #expect(try stated(Impostor.mail(at)) == ["email A0"])
  }

  @Test func `what was shared, typed and forged is what the CRM knows`() throws {
    let at = day.at(12, 0)
    let contacts = try events([WrongShoes.contact(day), AccountManager.contact(day)])
    guard case .contact(let nora) = contacts[0].body, case .contact(let elif) = contacts[1].body else {
      throw Unexpected(what: "no contacts")
    }
    let known = nora.identifiers.map(\.identifier)
    #expect(nora.identifiers.map(\.assurance) == [.a3, .a3, .a3])
    #expect(elif.identifiers.map(\.assurance) == [.a3, .a3, .a3])
    #expect(elif.organization?.accountManager == DeskStaff.accountManager)
    #expect(known.contains(try message(WrongShoes.shared(at)).customer[1].identifier))
    #expect(known.contains(try message(WrongShoes.call(at)).customer[0].identifier))
    #expect(known.contains(try message(WrongShoes.mail(at)).customer[0].identifier))
    for forged in [Impostor.form(at), Impostor.chat(at), Impostor.mail(at)] {
      #expect(try message(forged).customer.filter { !$0.identifier.kind.isBearer }.allSatisfy { known.contains($0.identifier) })
    }
    #expect(try message(Impostor.mail(at)).references == message(WrongShoes.mail(at)).names)
    #expect(elif.identifiers.map(\.identifier).contains(try message(AccountManager.call(at)).customer[0].identifier))
  }

  @Test func `a signed link leads chat and call into their conversation`() throws {
    let at = day.at(12, 0)
    for delivery in [SocialToPhone.opens(Self.token, at), SocialToPhone.call(Self.token, at)] {
      let message = try message(delivery)
      #expect(message.continuation == Self.conversation)
      #expect(!message.details.string.contains(Self.token))
    }
    #expect(try message(SocialToPhone.call(Self.token, at)).authorKind == .agent)
  }

  @Test func `a bot speaks under its ownership, and hands over with intent, language and transcript`() throws {
    let at = day.at(12, 0)
    let first = try message(BotGivesUp.first(at))
    let late = try message(BotGivesUp.late(1, at))
    #expect(late.authorKind == .bot && late.ownershipEpoch == 1 && late.session == first.session)
    guard case .change(let handoff) = try events([BotGivesUp.handoff(1, at)])[0].body else { throw Unexpected(what: "no change") }
    #expect(handoff.kind == Change.handoff && handoff.ownershipEpoch == 1 && handoff.target == first.session)
    let details = try #require(JSON(handoff.details.utf8))
    #expect(details["intent"]?.string == "billing.double_charge" && details["language"]?.string == "en")
    guard case .array(let transcript)? = details["transcript"] else { throw Unexpected(what: "no transcript") }
    #expect(transcript.count == 3)
  }

  @Test(arguments: [1, 20_260_512] as [UInt64])
  func `everybody else's day is read whole, on every channel`(seed: UInt64) throws {
    var background = Background(seed: seed, messages: 420, people: 180, day: day)
    let night = background.night(6)
    let deliveries = background.deliveries + night
    let events = try events(deliveries)
    var channels: Set<Channel> = []
    var ids: Set<String> = []
    for (delivery, event) in zip(deliveries, events) {
      channels.insert(event.channel)
      guard case .message(let message) = event.body else {
        #expect(delivery.externalID == nil)
        continue
      }
      #expect(message.externalID == delivery.externalID || delivery.externalID == nil)
      if let id = delivery.externalID { ids.insert(id) }
    }
    #expect(
      channels == [.email, .chat, .form, .whatsapp, .messenger, .instagram, .sms, .voice, .x, .bot, .crm])
    #expect(Set(night.map(\.key)).count == 6)
    // Providers repeat some, with the same id.
    let messages = deliveries.count { $0.externalID != nil }
    #expect(ids.count > 420 && messages > ids.count + 10)
    #expect(Set(events.map(\.key)).count < events.count)
  }

  @Test func `one seed is one day`() {
    let days = (0..<2).map { _ in Background(seed: 7, messages: 60, people: 40, day: day).deliveries.map(\.value) }
    #expect(days[0] == days[1])
    #expect(Background(seed: 8, messages: 60, people: 40, day: day).deliveries.map(\.value) != days[0])
  }

  @Test(arguments: Sentences.languages)
  func `what customers say is recognised as their language`(language: String) throws {
    let sentences = Sentences.of(language)
    let visitor = Delivery.Visitor(id: "v_1")
    for (number, text) in sentences.openings.enumerated() {
      let text = text.replacing("#", with: "64711")
      let message = try message(.chat("m\(number)", session: "s", visitor: visitor, text, at: day.at(9, 0)))
      #expect(message.language == language, "\(text)")
    }
  }

  @Test func `agents report, act and get results in the desk's own formats`() throws {
    for member in DeskStaff.members {
      guard case .presence(let presence) = try events([DeskStaff.report(member, .online, at: .now)])[0].body else {
        throw Unexpected(what: "no presence")
      }
      #expect(presence.agent == member.id && presence.teams == member.teams && presence.skills.count == member.skills.count)
    }
    let accept = Delivery.action(.accept, on: Self.conversation, by: "a_1", at: day.at(9, 0)) {
      $0.member("ownership_epoch", Int64(4))
    }
    guard case .action(let action) = try events([accept])[0].body else { throw Unexpected(what: "no action") }
    #expect(action.kind == .accept && action.conversation == Self.conversation && action.ownershipEpoch == 4)
    let result = Delivery.result(
      of: Self.conversation.description, on: .sms, account: Shop.sms, externalID: "SM1", status: "sent", at: day.at(9, 0))
    let event = try events([result])[0]
    guard case .result(let sent) = event.body else { throw Unexpected(what: "no result") }
    #expect(event.account == Shop.sms && sent.externalID == "SM1" && sent.message == Self.conversation)
  }

  @Test func `an echo and the result of what was sent have one name`() throws {
    let at = day.at(9, 0)
    let pairs: [(Delivery, Delivery)] = [
      (
        .messengerEcho("m_1", to: "70", page: Shop.page, "Hello", at: at),
        .result(of: Self.conversation.description, on: .messenger, account: Shop.page, externalID: "m_1", status: "sent", at: at)
      ),
      (
        .direct("2054", with: XUser(id: "90", username: "", name: ""), "Hello", isSent: true, at: at),
        .result(of: Self.conversation.description, on: .x, account: Shop.x, externalID: "2054", status: "sent", at: at)
      ),
    ]
    for (echo, result) in pairs {
      guard case .result(let sent) = try events([result])[0].body else { throw Unexpected(what: "no result") }
      #expect(try message(echo).names == sent.names)
    }
  }

  @Test func `the routing policy of the day has no problems, and knows every team and skill that it asks for`() throws {
    let policy = try RoutingPolicyFile.parse(SampleDay.routingPolicy)
    #expect(policy.bots.map(\.bot) == [BotGivesUp.bot, Shop.faqBot])
    for queue in policy.queues {
      #expect(
        DeskStaff.members.contains { member in
          (queue.teams.isEmpty || !queue.teams.isDisjoint(with: member.teams))
            && queue.skills.allSatisfy { skill, level in member.skills[skill] ?? 0 >= Int64(level) }
        }, "\(queue.id)")
    }
  }
}
