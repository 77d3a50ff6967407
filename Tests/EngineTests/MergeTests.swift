import Canonical
import Testing

@testable import Engine

/// Rules 5 and 6 of identity-and-threading.md and what a merge does to threads.
@Suite struct MergeTests {
  private let shared = [whatsapp("w1"), phone("+441", .a2)]

  @Test func `A record that reaches two customers by the provider's word makes them one, with one thread`() throws {
    let store = try ModelStore(
      message("a", from: [whatsapp("w1")], at: hour(1)), message("b", from: [phone("+441", .a2)], at: hour(2), on: .voice),
      message("c", from: shared, at: hour(3)))
    #expect(Set(["a", "b", "c"].map { store.customer($0) }).count == 1)
    #expect(Set(["a", "b", "c"].map { store.conversation($0)?.id }).count == 1)
    #expect(store.conversation("a")?.openedAt == hour(1))
    let moved = try #require(store.row("b"))
    #expect(moved.originCustomer != nil && moved.originConversation != nil)
    #expect(store.merges.map(\.merge.rule) == ["record_evidence"])
    #expect(store.merges.first?.conversations.count == 1)
    let evidence = try #require(store.merges.first?.merge.evidence.string)
    #expect(evidence.matches(of: #/"kind":"(whatsapp|phone)","stated":"A2","stored":"A2"/#).count == 2)
    #expect(store.suggestions.isEmpty)
  }

  @Test func `The survivor is the older, whichever the record reaches first`() throws {
    let store = try ModelStore(
      message("b", from: [phone("+441", .a2)], at: hour(1), on: .voice), message("a", from: [whatsapp("w1")], at: hour(2)),
      message("c", from: shared, at: hour(3)))
    let survivor = store.customers.values.first { $0.mergedInto == nil }
    #expect(survivor?.createdAt == hour(1))
    #expect(store.customer("a") == survivor?.id)
  }

  @Test(arguments: [Assurance.a0, .a1])
  func `Weaker words on either side never merge: a suggestion, and nobody's thread moves`(_ weak: Assurance) throws {
    let stated = try ModelStore(
      message("a", from: [whatsapp("w1")], at: hour(1)), message("b", from: [phone("+441", .a2)], at: hour(2), on: .voice),
      message("c", from: [whatsapp("w1"), phone("+441", weak)], at: hour(3)))
    #expect(stated.merges.isEmpty && stated.customer("a") != stated.customer("b"))
    let stored = try ModelStore(
      message("a", from: [whatsapp("w1")], at: hour(1)), message("b", from: [phone("+441", .a1)], at: hour(2), on: .sms),
      message("c", from: shared, at: hour(3)))
    #expect(stored.merges.isEmpty && stored.customer("a") != stored.customer("b"))
    #expect(stored.suggestions.keys.map(\.rule) == ["weaker_evidence"])
  }

  @Test func `One e-mail address, by protocol here and by the business there, merges`() throws {
    let store = try ModelStore(
      message("mail", from: [email("a@x.org")], at: hour(1), on: .email, account: "desk@shop.example"),
      message("call", from: [phone("+441", .a2)], at: hour(2), on: .voice),
      contact("crm", [number("k1"), email("a@x.org", .a3), phone("+441", .a3)], at: hour(3)))
    #expect(store.customer("mail") == store.customer("call"))
    #expect(store.owner(number("k1")) == store.customer("mail"))
  }

  @Test func `Two numbers of the business, a limit or a never-merge pair forbid it, and the pair is suggested`() throws {
    let numbers = try ModelStore(
      contact("k1", [number("k1"), whatsapp("w1", .a3)], at: hour(1)),
      contact("k2", [number("k2"), phone("+441", .a3)], at: hour(2)), message("c", from: shared, at: hour(3)))
    #expect(numbers.merges.isEmpty)
    #expect(numbers.suggestions.keys.map(\.rule) == ["merge_evidence"])

    var forbidden = try ModelStore(
      message("a", from: [whatsapp("w1")], at: hour(1)), message("b", from: [phone("+441", .a2)], at: hour(2), on: .voice))
    forbidden.neverMerge = [[try #require(forbidden.customer("a")), try #require(forbidden.customer("b"))]]
    try forbidden.receive(message("c", from: shared, at: hour(3)))
    #expect(forbidden.merges.isEmpty && forbidden.customer("a") != forbidden.customer("b"))
    #expect(forbidden.suggestions.keys.map(\.rule) == ["merge_evidence"])
  }

  /// The first half of a plan for one record that states `shared`, where this is stored.
  private func plan(_ stored: [InTenant<Identifier>: IdentityFacts.Stored]) -> IdentityResolver {
    var facts = IdentityFacts()
    facts.identities = stored
    let records = [record([.event(message("c", from: shared, at: hour(3)))])]
    return IdentityPlan(
      records: records, seenKeys: [], facts: facts, policy: Policy(), ids: IDGenerator(milliseconds: 0, seed: 1)
    ).resolver
  }
  private let one = ID(Bytes16(high: 1, low: 0))
  private let other = ID(Bytes16(high: 2, low: 0))
  private var keys: [InTenant<Identifier>] { shared.map { InTenant("shop", $0.identifier) } }

  /// Its first identifier is `one`'s.
  private func stored(
    _ phoneOwner: ID, _ assurance: Assurance, isShared: Bool = false
  ) -> [InTenant<Identifier>: IdentityFacts.Stored] {
    [
      keys[0]: .init(customer: one, assurance: .a2, isShared: false, lastSeenAt: hour(1)),
      keys[1]: .init(customer: phoneOwner, assurance: assurance, isShared: isShared, lastSeenAt: hour(2)),
    ]
  }

  @Test func `A plan holds when an identity became surer meanwhile, unless its record leads to several customers`() {
    let same = plan(stored(one, .a1))
    #expect(same.holds(keys, with: stored(one, .a1)) && same.holds(keys, with: stored(one, .a2)))
    #expect(!same.holds(keys, with: stored(one, .a0)))
    #expect(!same.holds(keys, with: stored(other, .a1)))
    #expect(!same.holds(keys, with: stored(one, .a1, isShared: true)))
    #expect(!same.holds(keys, with: stored(one, .a1).filter { $0.value.assurance == .a2 }))
    // A suggestion that would be a merge.
    let several = plan(stored(other, .a1))
    #expect(several.merges.isEmpty && several.suggestions.count == 1)
    #expect(several.holds(keys, with: stored(other, .a1)) && !several.holds(keys, with: stored(other, .a2)))
    #expect(several.touchedCustomers == [InTenant("shop", one), InTenant("shop", other)])
    // What is known from now on is what is stored, not what the plan was made from.
    #expect(same.stored(after: stored(one, .a3), under: [:])?.values.map(\.assurance).sorted() == [.a2, .a3])
  }

  @Test func `An identity is in doubt until its customer is the one that it was seen with, and where it is weighed`() {
    func profiles(_ version: Int64) -> [InTenant<ID>: CustomerProfile] {
      var profile = CustomerProfile(isVerified: true)
      profile.identitiesVersion = version
      return [InTenant("shop", one): profile, InTenant("shop", other): profile]
    }
    let fresh = plan(stored(one, .a1))
    #expect(Set(fresh.doubtful(under: profiles(4))) == Set(keys))
    #expect(Set(fresh.doubtful(under: [:])) == Set(keys))
    let known = fresh.stored(after: stored(one, .a1), under: profiles(4)) ?? [:]
    #expect(known.count == 2 && known.values.allSatisfy { $0.version == 4 })
    #expect(plan(known).doubtful(under: profiles(4)).isEmpty)
    #expect(Set(plan(known).doubtful(under: profiles(5))) == Set(keys))
    #expect(Set(plan(known).doubtful(under: [:])) == Set(keys))
    let several = plan(stored(other, .a1)).stored(after: stored(other, .a1), under: profiles(4)) ?? [:]
    #expect(Set(plan(several).doubtful(under: profiles(4))) == Set(keys))
    // New ones are known as they are written: of a customer who is there, and of one who comes with them. What stays is not told again.
    let half = known.filter { $0.key == keys[0] }
    #expect(plan(half).stored(after: [:], under: profiles(4))?.mapValues(\.version) == [keys[1]: 4])
    #expect(plan([:]).stored(after: [:], under: [:])?.values.map(\.version) == [0, 0])
  }

  @Test func `An answer to a message that was moved finds the conversation it moved to`() throws {
    let store = try ModelStore(
      message("a", from: [whatsapp("w1")], at: hour(1)), message("b", from: [phone("+441", .a2)], at: hour(2), on: .voice),
      message("c", from: shared, at: hour(3)),
      message("d", from: [phone("+441", .a2)], at: hour(4), on: .voice, to: ["b"]))
    #expect(store.conversation("d")?.id == store.conversation("a")?.id)
    #expect(!store.flags("d").contains("reference_refused"))
  }

  @Test func `A third customer joins the root, and everybody points at it`() throws {
    let store = try ModelStore(
      message("a", from: [cookie("c1"), email("a@x.org", .a3)], at: hour(3), on: .chat, account: "widget"),
      message("b", from: [whatsapp("w1")], at: hour(2)), message("c", from: [phone("+441", .a2)], at: hour(1), on: .voice),
      message("ab", from: [whatsapp("w1"), email("a@x.org", .a3)], at: hour(4)), message("bc", from: shared, at: hour(5)))
    #expect(Set(["a", "b", "c", "ab", "bc"].map { store.conversation($0)?.id }).count == 1)
    #expect(store.customers.values.filter { $0.mergedInto == store.customer("c") }.count == 2)
    #expect(store.merges.last?.members.count == 2)
  }

  /// P2: whatever the order of arrival and the cuts, components of evidence are customers and threads.
  @Test func `Every order of arrival leaves the same customers and threads (P2)`() throws {
    for seed in UInt64(0)..<300 {
      var random = SplitMix64(seed: seed)
      var events: [Event] = []
      var truth: [String: Int] = [:]
      for person in 0..<4 {
        let all = [
          whatsapp("w\(person)"), phone("+44\(person)", .a2), email("e\(person)@x.org", .a3), number("k\(person)"),
        ]
        for count in 0..<Int.random(in: 2...4, using: &random) {
          let id = "p\(person)-\(count)"
          // The last of everybody links all; the others speak for one or two identifiers, or come by mail.
          var stated = count == 0 ? all : Array(all.shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random)))
          if Int.random(in: 0..<4, using: &random) == 0, count > 0 { stated = [email("e\(person)@x.org", .a1)] }
          truth[id] = person
          events.append(
            message(
              id, from: stated, at: hour(1 + Double(person) / 10), received: hour(Double(Int.random(in: 2...40, using: &random))),
              on: .chat, account: "widget"))
        }
        // The impostor: all of hers, and nobody vouches.
        truth["i\(person)"] = 100 + person
        events.append(
          message(
            "i\(person)", from: all.map { StatedIdentifier($0.identifier, .a0) }, at: hour(2), on: .form,
            account: "es\(person)", to: ["p\(person)-0"]))
      }
      events.shuffle(using: &random)
      var store = ModelStore()
      let size = Int.random(in: 1...5, using: &random)
      for start in stride(from: 0, to: events.count, by: size) {
        try store.commit(events[start..<min(start + size, events.count)].map { record([.event($0)]) })
      }
      for (one, person) in truth {
        for (other, another) in truth {
          let isOne = person == another
          #expect((store.customer(one) == store.customer(other)) == isOne, "seed \(seed): customers of \(one) and \(other)")
          #expect(
            (store.conversation(one)?.id == store.conversation(other)?.id) == isOne,
            "seed \(seed): threads of \(one) and \(other)")
        }
      }
    }
  }
}
