import Canonical
import Testing

@testable import Engine

/// Who a sender is: rules 1 to 4, 6, 7 and 10 of identity-and-threading.md.
@Suite struct IdentityTests {
  let ana = whatsapp("ana")
  let bob = whatsapp("bob")

  // MARK: - Rules 1 and 2

  @Test("A sender whom nobody knows is a new customer with all that the record vouches for")
  func nobodyKnown() throws {
    let store = try ModelStore(message("1", from: [ana, email("ana@example.org")], at: hour(1), name: "Ana"))
    #expect(store.customers.count == 1 && store.identities.count == 2)
    #expect(store.owner(ana) == store.customer("1") && store.owner(email("ana@example.org")) == store.customer("1"))
    #expect(store.profile(ana) == CustomerProfile(displayName: "Ana", isVerified: true))
  }

  @Test("What the channel's own id finds is the customer, however strong the other identifiers are")
  func scopedIDFirst() throws {
    let store = try ModelStore(
      message("1", from: [ana], at: hour(1)), contact("2", [number("7"), phone("+441", .a3)], at: hour(2)),
      message("3", from: [ana, phone("+441", .a1)], at: hour(3)))
    #expect(store.customer("3") == store.customer("1"))
    #expect(store.owner(number("7")) != store.customer("1"), "and nobody is merged")
  }

  @Test("A bearer's cookie that comes first decides as well")
  func cookieFirst() throws {
    let store = try ModelStore(
      message("1", from: [cookie("c")], at: hour(1), on: .chat), contact("2", [email("ana@example.org", .a3)], at: hour(2)),
      message("3", from: [cookie("c"), email("ana@example.org", .a3)], at: hour(3), on: .chat))
    #expect(store.customer("3") == store.customer("1"))
  }

  @Test(
    "Where the channel's own id is new, the strongest identifier that hits decides",
    arguments: [
      ([email("a@example.org", .a1), number("2", .a3)], "2"), ([email("a@example.org", .a2), phone("+442", .a1)], "1"),
      // Equally strong: the kind that says more.
      ([phone("+442", .a1), email("a@example.org", .a1)], "1"), ([email("a@example.org", .a3), number("2", .a3)], "2"),
      // A stronger one that hits nobody decides nothing.
      ([number("99", .a3), email("a@example.org", .a1)], "1"),
    ])
  func strongestHit(_ others: [StatedIdentifier], _ expected: String) throws {
    let store = try ModelStore(
      message("1", from: [whatsapp("one"), email("a@example.org")], at: hour(1)),
      message("2", from: [whatsapp("two"), number("2"), phone("+442")], at: hour(2)),
      message("3", from: [whatsapp("new")] + others, at: hour(3)))
    #expect(store.customer("3") == store.customer(expected))
    #expect(store.owner(whatsapp("new")) == store.customer(expected), "the new id is theirs from now on")
  }

  @Test("A hit adds what else the record vouches for")
  func hitAdds() throws {
    let store = try ModelStore(
      message("1", from: [ana], at: hour(1)), message("2", from: [ana, email("ana@example.org")], at: hour(2)),
      message("3", from: [email("ana@example.org")], at: hour(3), on: .email))
    #expect(store.customers.count == 1 && store.customer("3") == store.customer("1"))
  }

  @Test("The same value on another page or of another tenant is somebody else")
  func scopes() throws {
    let store = try ModelStore(
      message("1", from: [ana], at: hour(1)),
      message("2", from: [StatedIdentifier(Identifier(.whatsapp, scope: "other", "ana"), .a2)], at: hour(1)),
      message("3", from: [ana], at: hour(1), tenant: "rival"))
    #expect(store.customers.count == 3 && store.conversations.count == 3)
  }

  @Test("A message without any identifier has a customer of its own")
  func nothingStated() throws {
    let store = try ModelStore(
      message("1", from: [], at: hour(1), on: .voice), message("2", from: [], at: hour(2), on: .voice))
    #expect(store.customers.count == 2 && store.conversations.count == 2 && store.identities.isEmpty)
    #expect(store.customers.values.allSatisfy { !$0.profile.isVerified })
  }

  // MARK: - Rules 3 and 4

  @Test("What nobody vouches for is kept as a claim, and its true owner can still take it")
  func claimTakesNoPlace() throws {
    let claimed = email("boss@example.org", .a0)
    let store = try ModelStore(
      message("1", from: [ana, claimed], at: hour(1)), message("2", from: [bob, email("boss@example.org")], at: hour(2)))
    #expect(store.owner(claimed) == store.customer("2") && store.customer("1") != store.customer("2"))
    #expect(store.claims(of: store.customer("1")) == [claimed.identifier])
    #expect(store.claims.first?.message == store.row("1")?.id)
  }

  @Test("A claim finds nobody, not even beside a sender who is new")
  func claimFindsNobody() throws {
    let store = try ModelStore(
      message("1", from: [ana, email("ana@example.org")], at: hour(1)),
      message("2", from: [bob, email("ana@example.org", .a0), number("1", .a0)], at: hour(2)))
    #expect(store.customer("2") != store.customer("1") && store.owner(number("1")) == nil && store.suggestions.isEmpty)
  }

  @Test("A sender who is nothing but a claim is one unverified customer in each channel account")
  func claimedSender() throws {
    let typed = email("ana@example.org", .a0)
    let store = try ModelStore(
      message("1", from: [typed], at: hour(1), on: .form, account: "es"),
      message("2", from: [typed], at: hour(2), on: .form, account: "es"),
      message("3", from: [typed], at: hour(3), on: .form, account: "de"),
      message("4", from: [typed], at: hour(4), on: .chat, account: "es"))
    #expect(store.customer("1") == store.customer("2") && store.conversation("1")?.id == store.conversation("2")?.id)
    #expect(store.customers.count == 3 && store.conversations.count == 3)
    #expect(Set(store.identities.keys.map(\.value.kind)) == [typed.identifier.kind.claimed])
    #expect(Set(store.identities.keys.map(\.value.scope)) == ["form/es", "form/de", "chat/es"])
    #expect(store.conversation("1")?.lane == "form/es" && store.customers.values.allSatisfy { !$0.profile.isVerified })
  }

  @Test("A claimed address never joins its verified customer, whichever comes first", arguments: [true, false])
  func claimedAndVerified(_ claimFirst: Bool) throws {
    let typed = message("typed", from: [email("ana@example.org", .a0)], at: hour(1), on: .email, account: "desk")
    let vouched = message("vouched", from: [email("ana@example.org")], at: hour(2), on: .email, account: "desk")
    var store = ModelStore()
    try store.receive(claimFirst ? typed : vouched)
    try store.receive(claimFirst ? vouched : typed)
    try store.receive(message("again", from: [email("ana@example.org", .a0)], at: hour(3), on: .email, account: "desk"))
    #expect(store.customer("typed") != store.customer("vouched") && store.customer("again") == store.customer("typed"))
    #expect(store.conversations.count == 2 && store.suggestions.isEmpty)
  }

  // MARK: - Rule 6

  @Test("Over the limit of a kind the weakest identifier of the record is left out, as a claim")
  func limitDropsTheWeakest() throws {
    let store = try ModelStore(
      contact("1", [number("7"), email("ana@example.org", .a3)], at: hour(1)),
      message("2", from: [ana, email("ana@example.org", .a3), number("8", .a2)], at: hour(2)))
    #expect(store.customer("2") == store.owner(number("7")) && store.owner(ana) == store.owner(number("7")))
    #expect(store.owner(number("8")) == nil && store.claims(of: store.customer("2")) == [number("8").identifier])
  }

  @Test("What is left is resolved again: the customer over their limit may have been found by what was left out")
  func limitResolvesAgain() throws {
    let store = try ModelStore(
      contact("1", [number("7"), email("ana@example.org", .a3)], at: hour(1)),
      message("2", from: [ana, email("ana@example.org"), number("8")], at: hour(2)))
    #expect(store.customer("2") != store.owner(number("7")))
    #expect(store.owner(number("8")) == store.customer("2") && store.owner(ana) == store.customer("2"))
    #expect(store.claims(of: store.customer("2")) == [email("ana@example.org").identifier])
  }

  @Test("Two customer numbers on one record are one too many; the channel's own id stays")
  func limitWithinARecord() throws {
    let store = try ModelStore(message("1", from: [ana, number("7", .a3), number("8", .a2)], at: hour(1)))
    #expect(store.owner(ana) == store.customer("1") && store.owner(number("7")) == store.customer("1"))
    #expect(store.owner(number("8")) == nil)
  }

  @Test("The limit counts what the customer has, one record after the other")
  func limitCounts() throws {
    var policy = Policy()
    policy.otherIdentityLimit = 2
    var store = ModelStore()
    store.policy = policy
    for address in 1...4 { try store.receive(message("\(address)", from: [ana, email("\(address)@example.org")], at: hour(1))) }
    #expect(
      store.identities.count == 3 && store.owner(email("2@example.org")) != nil && store.owner(email("3@example.org")) == nil)
    #expect(store.claims(of: store.customer("1")).map(\.value) == ["3@example.org", "4@example.org"])
  }

  // MARK: - Rule 7

  @Test("Addresses of our people never match")
  func ownMailboxes() throws {
    var store = ModelStore()
    store.policy.ownMailboxes.insert("@shop.example", of: "shop")
    let ours = email("x@shop.example", .a1)
    try store.receive(message("1", from: [ana, ours], at: hour(1)), message("2", from: [bob, ours], at: hour(2)))
    #expect(store.customer("1") != store.customer("2") && store.owner(ours) == nil)
    try store.receive(
      message("3", from: [ours], at: hour(3), on: .email, tenant: "rival"),
      message("4", from: [ours], at: hour(4), on: .email, tenant: "rival"))
    #expect(store.customer("3") == store.customer("4"))
  }

  @Test(
    "Values that stand for nobody never match: two anonymous callers are two customers",
    arguments: ["anonymous", "Restricted", "0000"])
  func blockedValues(_ value: String) throws {
    for assurance in [Assurance.a0, .a1] {
      let store = try ModelStore(
        message("1", from: [phone(value, assurance)], at: hour(1), on: .voice),
        message("2", from: [phone(value, assurance)], at: hour(2), on: .voice))
      #expect(store.customer("1") != store.customer("2") && store.conversations.count == 2)
      #expect(store.identities.isEmpty && store.claims.isEmpty)
    }
    let store = try ModelStore(
      message("1", from: [ana, phone(value)], at: hour(1)), message("2", from: [bob, phone(value)], at: hour(2)))
    #expect(store.customer("1") != store.customer("2") && store.identities.count == 2 && store.suggestions.isEmpty)
  }

  @Test("A role address threads in its mailbox and never matches a person")
  func roleAddress() throws {
    let role = email("info@example.org", .a3)
    let store = try ModelStore(
      contact("1", [number("7"), role], at: hour(1)), message("2", from: [role], at: hour(2), on: .email, account: "desk"),
      message("3", from: [role], at: hour(3), on: .email, account: "desk"), message("4", from: [ana, role], at: hour(4)))
    #expect(store.owner(role) == nil && store.claims(of: store.owner(number("7"))) == [role.identifier])
    #expect(store.conversation("2")?.id == store.conversation("3")?.id && store.customer("2") != store.owner(number("7")))
    #expect(store.customer("4") != store.customer("2") && store.suggestions.isEmpty)
  }

  @Test("An account of ours is nobody's identity")
  func ownAccount() throws {
    let desk = email("desk@shop.example")
    let store = try ModelStore(
      message("1", from: [ana], at: hour(1), on: .email, account: "desk@shop.example"),
      message("2", from: [bob, desk], at: hour(2)),
      message("3", from: [desk], at: hour(3), on: .email, account: "other@shop.example"))
    #expect(store.owner(desk) == nil && store.customer("3") != store.customer("2"))
    #expect(store.claims(of: store.customer("2")) == [desk.identifier])
    // Of another tenant it is an address like any other.
    let rival = try ModelStore(
      message("1", from: [ana], at: hour(1), on: .email, account: "desk@shop.example"),
      message("2", from: [desk], at: hour(2), on: .email, account: "desk@rival.example", tenant: "rival"))
    #expect(rival.owner(desk, tenant: "rival") == rival.customer("2"))
  }

  @Test("An identity that is shared by many is matched no more")
  func sharedIdentity() throws {
    let line = phone("+441")
    var store = try ModelStore(message("1", from: [line], at: hour(1), on: .voice))
    store.markShared(line.identifier, tenant: "shop")
    try store.receive(message("2", from: [line], at: hour(2), on: .voice), message("3", from: [ana, line], at: hour(3)))
    #expect(Set([store.customer("1"), store.customer("2"), store.customer("3")]).count == 3 && store.suggestions.isEmpty)
    #expect(store.claims(of: store.customer("3")) == [line.identifier])
  }

  @Test("Order numbers help to find a customer, they never define one", arguments: [Assurance.a0, .a1, .a3])
  func orderNumbers(_ assurance: Assurance) throws {
    let store = try ModelStore(
      message("1", from: [ana, order("1001", assurance)], at: hour(1)),
      message("2", from: [bob, order("1001", assurance)], at: hour(2)))
    #expect(store.customer("1") != store.customer("2") && store.identities.count == 2 && store.suggestions.isEmpty)
    #expect(store.claims.map(\.identifier.value) == ["1001", "1001"])
  }

  @Test("A sender who is known by an order number alone is stored, again and again", arguments: [Assurance.a0, .a1, .a3])
  func orderNumberAlone(_ assurance: Assurance) throws {
    let store = try ModelStore(
      contact("1", [order("1001", assurance)], at: hour(1)), contact("2", [order("1001", assurance)], at: hour(2)))
    #expect(store.outcomes == [[.stored], [.stored]])
  }

  // MARK: - Rule 5, as suggestions

  /// A record that reaches two customers, and what the pair is suggested by.
  struct Pair: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var first: StatedIdentifier
    var second: StatedIdentifier
    var stated: [StatedIdentifier]
    var rule: String?
  }

  @Test(
    "A record that reaches two customers by weaker words suggests that they are one, and merges nobody",
    arguments: [
      Pair(
        testDescription: "mail at A1 against A1", first: whatsapp("ana"), second: email("ana@example.org", .a1),
        stated: [whatsapp("ana"), email("ana@example.org", .a1)], rule: "weaker_evidence"),
      Pair(
        testDescription: "an unattested caller", first: whatsapp("ana"), second: phone("+441", .a3),
        stated: [whatsapp("ana"), phone("+441", .a1)], rule: "weaker_evidence"),
      Pair(
        testDescription: "A2 against a stored A1", first: whatsapp("ana"), second: phone("+441", .a1),
        stated: [whatsapp("ana"), phone("+441", .a2)], rule: "weaker_evidence"),
      // Somebody else signs in at a shared computer.
      Pair(
        testDescription: "a cookie and a signed-in number", first: cookie("c"), second: number("7"),
        stated: [cookie("c"), number("7")],
        rule: "weaker_evidence"),
      Pair(
        testDescription: "a cookie and a signed-in address", first: cookie("c"), second: email("ana@example.org", .a3),
        stated: [cookie("c"), email("ana@example.org", .a3)], rule: "weaker_evidence"),
      // What decided was stored at A1 alone.
      Pair(
        testDescription: "an SMS sender's customer", first: phone("+441", .a1), second: number("7"),
        stated: [phone("+441", .a1), number("7")], rule: "weaker_evidence"),
      Pair(testDescription: "a claim", first: whatsapp("ana"), second: number("7"), stated: [whatsapp("ana"), number("7", .a0)]),
    ])
  func suggestions(_ pair: Pair) throws {
    let store = try ModelStore(
      message("1", from: [pair.first], at: hour(1)), message("2", from: [pair.second], at: hour(2)),
      message("3", from: pair.stated, at: hour(3)), message("4", from: pair.stated, at: hour(4)))
    #expect(store.customers.count == 2 && store.customer("3") == store.customer("1"))
    #expect(store.suggestions.keys.map(\.rule) == [pair.rule].compactMap { $0 })
    for suggestion in store.suggestions.keys {
      #expect(suggestion.customer < suggestion.other)
      #expect(Set([suggestion.customer, suggestion.other]) == Set([store.customer("1"), store.customer("2")].compactMap { $0 }))
    }
  }

  @Test("The evidence names kinds and assurances, never a value")
  func evidence() throws {
    let store = try ModelStore(
      message("1", from: [ana], at: hour(1)), contact("2", [phone("+441", .a3)], at: hour(2)),
      message("3", from: [ana, phone("+441")], at: hour(3)))
    #expect(store.suggestions.values.map(\.string) == [#"{"kind":"phone","stated":"A1","stored":"A3"}"#])
  }

  // MARK: - What is kept of an identity

  @Test("A better word for an identity is kept, a weaker one changes nothing")
  func assuranceUpgrade() throws {
    var store = try ModelStore(message("1", from: [ana, email("ana@example.org", .a1)], at: hour(1)))
    try store.receive(contact("2", [email("ana@example.org", .a3)], at: hour(2)))
    #expect(store.assurance(email("ana@example.org")) == .a3)
    try store.receive(message("3", from: [email("ana@example.org", .a1)], at: hour(3), on: .email))
    #expect(store.assurance(email("ana@example.org")) == .a3)
    // Within one record as well.
    let twice = try ModelStore(message("1", from: [email("ana@example.org", .a1), email("ana@example.org", .a2)], at: hour(1)))
    #expect(twice.assurance(email("ana@example.org")) == .a2 && twice.identities.count == 1)
  }

  @Test("A customer is verified from the first identifier at A1 or better, and stays so")
  func verified() throws {
    var store = try ModelStore(message("1", from: [cookie("c")], at: hour(1), on: .chat))
    #expect(store.profile(cookie("c"))?.isVerified == false)
    try store.receive(message("2", from: [cookie("c"), email("ana@example.org", .a0)], at: hour(2), on: .chat))
    #expect(store.profile(cookie("c"))?.isVerified == false)
    try store.receive(message("3", from: [cookie("c"), email("ana@example.org", .a3)], at: hour(3), on: .chat))
    #expect(store.profile(cookie("c"))?.isVerified == true)
    try store.receive(message("4", from: [cookie("c")], at: hour(4), on: .chat))
    #expect(store.profile(cookie("c"))?.isVerified == true)
  }

  @Test("Last seen is kept to the day and never goes back; first seen is the first time")
  func lastSeen() throws {
    var store = try ModelStore(message("1", from: [ana], at: hour(29.7)))
    func seen() -> [Timestamp?] {
      let identity = store.identities[InTenant("shop", ana.identifier)]
      return [identity?.firstSeenAt, identity?.lastSeenAt]
    }
    #expect(seen() == [hour(29.7), hour(24)])
    try store.receive(message("2", from: [ana], at: hour(47.9)))
    #expect(seen() == [hour(29.7), hour(24)])
    try store.receive(message("3", from: [ana], at: hour(80.2)), message("4", from: [ana], at: hour(2)))
    #expect(seen() == [hour(29.7), hour(72)])
  }

  // MARK: - Rule 10

  @Test("The newest word of the business wins, whatever the order of arrival", arguments: [true, false])
  func newestContact(_ inOrder: Bool) throws {
    let organization = Organization(externalID: "acme")
    let older = contact(
      "1", [number("7")], at: hour(1), received: hour(9), name: "A. Lopez", language: "es", organization: organization,
      traits: ["tier": "silver"])
    let newer = contact("2", [number("7")], at: hour(2), received: hour(9), name: "Ana Lopez", traits: ["tier": "gold"])
    var store = ModelStore()
    try store.receive(inOrder ? older : newer)
    try store.receive(inOrder ? newer : older)
    #expect(store.profile(number("7"))?.displayName == "Ana Lopez" && store.profile(number("7"))?.updatedAt == hour(2))
    #expect(store.profile(number("7"))?.traits["tier"]?.value.string.contains("gold") == true)
    // What the newer contact says nothing about stays; an older one adds nothing.
    #expect(store.profile(number("7"))?.language == (inOrder ? "es" : nil))
    #expect(store.profile(number("7"))?.organization == (inOrder ? "acme" : nil))
  }

  @Test("Every trait keeps its source and its time")
  func traits() throws {
    let store = try ModelStore(
      contact("1", [number("7")], at: hour(1), traits: ["tier": "gold", "city": "Vigo"]),
      contact("2", [number("7")], at: hour(2), traits: ["tier": "silver"]))
    let traits = store.profile(number("7"))?.traits.mapValues(\.json.string)
    #expect(
      traits == [
        "tier": #"{"value":"silver","source":"crm","at":"2026-01-01T02:00:00.000000Z"}"#,
        "city": #"{"value":"Vigo","source":"crm","at":"2026-01-01T01:00:00.000000Z"}"#,
      ])
  }

  @Test("A sender's own name is taken where the business has given none")
  func names() throws {
    var store = try ModelStore(
      message("1", from: [ana], at: hour(1), name: "ana :)"), message("2", from: [ana], at: hour(2), name: "A."))
    #expect(store.profile(ana)?.displayName == "ana :)")
    try store.receive(
      contact("3", [number("7"), ana], at: hour(3), name: "Ana Lopez"), message("4", from: [ana], at: hour(4), name: "A."))
    #expect(store.profile(ana)?.displayName == "Ana Lopez")
  }

  @Test("What contacts say of an organization comes to the same in one batch or in two")
  func organizations() throws {
    let words = [
      (day(1), Organization(externalID: "acme", name: "Acme", accountManager: "mia")),
      (day(3), Organization(externalID: "acme", domains: ["acme.example"])),
      (day(2), Organization(externalID: "acme", name: "Acme Ltd")),
      (day(3), Organization(externalID: "acme", name: "Acme Group")), (day(4), Organization(externalID: "acme")),
    ]
    let contacts = words.enumerated().map { contact("\($0)", [number("7")], at: $1.0, received: day(9), organization: $1.1) }
    var oneByOne = ModelStore()
    for contact in contacts { try oneByOne.receive(contact) }
    for cut in 0..<contacts.count {
      var store = ModelStore()
      for part in [contacts[..<cut], contacts[cut...]] { try store.commit(part.map { record([.event($0)]) }) }
      #expect(Snapshot(store) == Snapshot(oneByOne), "cut at \(cut)")
    }
  }

  // MARK: - One batch

  @Test("What one record makes known, the next record of the batch knows")
  func withinABatch() throws {
    var store = ModelStore()
    try store.commit([
      record([.event(message("1", from: [ana, email("ana@example.org")], at: hour(1)))]),
      record([.event(message("2", from: [email("ana@example.org")], at: hour(2), on: .email))]),
      record([.event(message("3", from: [bob], at: hour(3))), .event(message("4", from: [ana], at: hour(4)))]),
    ])
    #expect(
      store.customer("1") == store.customer("2") && store.customer("4") == store.customer("1") && store.customers.count == 2)
    #expect(store.conversations.count == 2)
  }

  @Test("A duplicate shows an account of ours as well: one mail to two of our addresses", arguments: [true, false])
  func accountOfADuplicate(_ together: Bool) throws {
    let desk = email("desk@shop.example")
    let events = [
      message("1", from: [ana], at: hour(1), on: .email, account: "info@shop.example"),
      message("2", from: [ana], at: hour(1), on: .email, account: "desk@shop.example", key: "1"),
      message("3", from: [bob, desk], at: hour(2)),
    ]
    var store = ModelStore()
    if together {
      try store.commit(events.map { record([.event($0)]) })
    } else {
      for event in events { try store.receive(event) }
    }
    #expect(store.owner(desk) == nil && store.claims(of: store.customer("3")) == [desk.identifier])
  }

  @Test("An account is ours from the record on that shows it, not from the start of its batch", arguments: [true, false])
  func accountInTheBatch(_ together: Bool) throws {
    let desk = email("desk@shop.example")
    let before = message("1", from: [desk], at: hour(1), on: .email, account: "info@shop.example")
    let after = message("2", from: [ana], at: hour(2), on: .email, account: "desk@shop.example")
    var store = ModelStore()
    if together {
      try store.commit([record([.event(before)]), record([.event(after)])])
    } else {
      try store.receive(before, after)
    }
    #expect(store.owner(desk) == store.customer("1"))
  }
}
