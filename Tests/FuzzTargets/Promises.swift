import Canonical
import Channels

/// What holds of every record that was normalised, whatever was in it: what the engine, PostgreSQL and the logs rely on.
public enum Promises {
  /// Stands for a customer's text in inputs: no dead letter's detail may show it.
  public static let secret = "Zq7secretZq7"
  private static let key = TokenKey(secret: Array("the secret of the samples, not of a shop".utf8))

  /// What does not hold after reading the record, twice with one normaliser.
  public static func broken(by record: Record, promising limits: Limits = Limits()) -> [String] {
    let normaliser = Normaliser(tokenKey: key)
    let result = normaliser.normalise(record)
    let again = normaliser.normalise(record)
    let json = result.elements.map { canonicalJSON($0) }
    var broken = Broken()
    broken.unless(
      json == again.elements.map { canonicalJSON($0) } && result.tenant == again.tenant, "a record reads the same twice")
    broken.unless(!result.elements.isEmpty && result.elements.count <= limits.elements + 1, "every record has elements")
    broken.unless(json.allSatisfy(\.utf8.isJSON), "elements are JSON")
    var rejections = 0
    for element in result.elements {
      switch element {
      case .event(let event): check(event, limits, &broken)
      case .ignored(let reason): broken.unless(isSafe(reason), "a reason is ours")
      case .rejected(let rejection):
        rejections += 1
        broken.unless(isSafe(rejection.detail), "a detail is ours")
      }
    }
    broken.unless(rejections <= limits.rejections + 2, "letters are counted")
    return broken.list
  }

  private static func isSafe(_ detail: String) -> Bool {
    detail.utf8.count <= 200 && detail.utf8.allSatisfy { (0x20..<0x7f).contains($0) } && !detail.contains(secret)
  }

  private static func check(_ event: Event, _ limits: Limits, _ broken: inout Broken) {
    broken.unless((1...63).contains(event.tenant.utf8.count), "a tenant is a name")
    broken.unless((1...Identifier.maximumBytes).contains(event.account.utf8.count), "an account is a name")
    broken.unless(!event.account.utf8.contains(0), "no zero in an account")
    broken.unless(event.traceparent.map { $0.utf8.count == 55 } != false, "a trace is one")
    for time in [event.sentAt, event.receivedAt].compactMap(\.self) {
      broken.unless(Timestamp.storable.contains(time), "times can be stored")
    }
    func line(_ text: String?, _ limit: Int, _ what: String) {
      guard let text else { return }
      broken.unless(text.utf8.count <= limit, "\(what) is bounded")
      broken.unless(!text.utf8.contains(0), "no zero in \(what)")
    }
    func object(_ json: JSONText) {
      broken.unless(json.isEmpty || json.utf8.first == UInt8(ascii: "{") && json.utf8.isJSON, "details are an object")
      broken.unless(!hasZero(json), "no zero in details")
    }
    func customer(_ stated: [StatedIdentifier]) {
      broken.unless(stated.count <= limits.identifiers, "identifiers are counted")
      broken.unless(Set(stated.map(\.identifier)).count == stated.count, "an identifier is stated once")
      for identifier in stated.map(\.identifier) {
        broken.unless(!identifier.value.isEmpty && !identifier.kind.isClaimed, "an identifier says something")
        line(identifier.value, Identifier.maximumBytes, "an identifier")
        line(identifier.scope, Identifier.maximumBytes, "a scope")
      }
    }
    func files(_ attachments: [Attachment], _ limit: Int) {
      broken.unless(attachments.count <= limit, "attachments are counted")
      for attachment in attachments {
        for text in [attachment.name, attachment.type, attachment.providerID, attachment.url] {
          line(text, limits.lineBytes, "what is said of an attachment")
        }
      }
    }
    switch event.body {
    case .message(let message):
      customer(message.customer)
      line(message.text, limits.textBytes, "a text")
      for text in [
        message.subject, message.customerName, message.authorID, message.externalID, message.replyAddress,
        message.replyToExternalID,
      ] {
        line(text, limits.lineBytes, "a line of a message")
      }
      line(message.language, 2, "a language")
      files(message.attachments, limits.attachments)
      broken.unless(message.references.count <= limits.references && message.names.count <= 2, "references are counted")
      broken.unless(Set(message.flags).count == message.flags.count, "a flag is raised once")
      object(message.details)
    case .contact(let contact):
      customer(contact.identifiers)
      line(contact.displayName, limits.lineBytes, "a name")
      line(contact.organization?.externalID, Identifier.maximumBytes, "an organization")
      line(contact.organization?.name, limits.lineBytes, "an organization's name")
      line(contact.organization?.accountManager, limits.lineBytes, "an account manager")
      for domain in contact.organization?.domains ?? [] { line(domain, 253, "a domain") }
      broken.unless(contact.organization?.domains.count ?? 0 <= limits.traits, "domains are counted")
      broken.unless(contact.traits.count <= limits.traits, "traits are counted")
      for (name, value) in contact.traits {
        line(name, limits.keyBytes, "a trait's name")
        broken.unless(value.utf8.isJSON && !hasZero(value), "a trait is JSON")
      }
      broken.unless(Timestamp.storable.contains(contact.updatedAt), "times can be stored")
    case .order(let order):
      customer(order.customer)
      line(order.externalID, Identifier.maximumBytes, "an order's id")
      for text in [order.number, order.status, order.currency, order.customerName] {
        line(text, limits.lineBytes, "a line of an order")
      }
      line(order.total, 32, "a total")
      line(order.language, 3, "a language")
      broken.unless(order.items.count <= limits.attachments, "items are counted")
      for item in order.items { line(item.title, limits.lineBytes, "an item") }
      broken.unless(
        [order.placedAt, order.updatedAt].allSatisfy { $0.map(Timestamp.storable.contains) ?? true }, "times can be stored")
      object(order.details)
    case .survey(let response):
      customer(response.customer)
      line(response.externalID, Identifier.maximumBytes, "an answer's id")
      line(response.metric, limits.lineBytes, "a metric")
      for number in [response.score, response.scaleMin, response.scaleMax] { line(number, 32, "a score") }
      line(response.comment, limits.textBytes, "a comment")
      line(response.customerName, limits.lineBytes, "a name")
      line(response.language, 3, "a language")
      broken.unless(
        [response.answeredAt, response.updatedAt].allSatisfy { $0.map(Timestamp.storable.contains) ?? true },
        "times can be stored")
      object(response.details)
    case .change(let change):
      customer(change.customer)
      line(change.targetExternalID, limits.lineBytes, "a target")
      for text in [change.status, change.error, change.reaction] { line(text, limits.lineBytes, "a line of a change") }
      line(change.text, limits.textBytes, "a text")
      files(change.attachments ?? [], limits.attachments)
      object(change.details)
    case .unknown(let unknown):
      line(unknown.what, limits.lineBytes, "what is unknown")
      broken.unless(unknown.details.isEmpty || unknown.details.utf8.isJSON, "details are JSON")
      broken.unless(!hasZero(unknown.details), "no zero in details")
    case .action(let action):
      customer(action.identifiers)
      line(action.id, limits.attributeBytes, "an action's id")
      line(action.text, limits.replyBytes, "a reply")
      line(action.reason, limits.lineBytes, "a reason")
      for id in [action.agent, action.toQueue, action.toAgent] { line(id, Identifier.maximumBytes, "an agent") }
      files(action.attachments, limits.replyAttachments)
      broken.unless(!action.agent.isEmpty && action.identifiers.isEmpty == (action.kind != .identify), "an action is whole")
      broken.unless(action.priority.map { (0...9).contains($0) } != false, "a priority is one")
      broken.unless(action.until.map { Timestamp.storable.contains($0) } != false, "times can be stored")
    case .result(let result):
      line(result.externalID, limits.lineBytes, "an id of the provider")
      line(result.error, limits.lineBytes, "an error")
      broken.unless(result.names.count == (result.externalID == nil ? 0 : 1), "a result has its name")
    case .presence(let presence):
      line(presence.agent, Identifier.maximumBytes, "an agent")
      line(presence.name, limits.lineBytes, "an agent's name")
      for word in presence.teams + presence.skills.keys { line(word, Identifier.maximumBytes, "a skill or team") }
      broken.unless(presence.skills.count <= 64 && presence.teams.count <= 32, "skills and teams are counted")
      broken.unless((0...10_000).contains(presence.capacity) && (5...3_600).contains(presence.leaseSeconds), "a report is sane")
      broken.unless(presence.channels.values.allSatisfy { (0...1_000).contains($0) }, "a channel's number is sane")
      broken.unless(presence.skills.values.allSatisfy { (0...10).contains($0) }, "a skill's level is sane")
    }
  }

  /// Whether a string of the JSON holds U+0000, which jsonb refuses.
  private static func hasZero(_ json: JSONText) -> Bool {
    var rest = json.utf8[...]
    while let position = rest.firstIndex(of: UInt8(ascii: "\\")) {
      if rest[position...].starts(with: #"\u0000"#.utf8) { return true }
      rest = rest[position...].dropFirst(2)
    }
    return json.utf8.contains(0)
  }
}
