import Canonical

@testable import Engine

/// The database as the engine sees it, in dictionaries: answers the questions of `IngestReads`, applies plans as `IngestWrites` does,
/// and refuses what PostgreSQL would refuse (unique and foreign keys, lost races).
struct ModelStore {
  struct StoredIdentity: Equatable {
    var customer: ID
    var origin: ID
    var assurance: Assurance
    var isShared = false
    var firstSeenAt: Timestamp
    var lastSeenAt: Timestamp
  }
  struct StoredReference: Equatable {
    /// nil: somebody waits for the name.
    var conversation: ID?
    var message: ID?
  }
  struct Refused: Error, CustomStringConvertible {
    var description: String
  }

  var policy = Policy()
  var accounts: Set<InTenant<String>> = []
  var identities: [InTenant<Identifier>: StoredIdentity] = [:]
  /// Claims that lead to nobody any more.
  var retired: [(key: InTenant<Identifier>, customer: ID)] = []
  var customers: [InTenant<ID>: WriteSet.NewCustomer] = [:]
  var neverMerge: Set<Set<ID>> = []
  var merges: [(merge: Merge, members: Set<ID>, conversations: [(from: ID, into: ID)])] = []
  var deliveries: [InTenant<ID>: StoredMessage] = [:]
  /// What was done to messages, in its order.
  var changes: [InTenant<ID>: [WriteSet.MessageChange]] = [:]
  var reactions: [WriteSet.ReactionKey: (reaction: String?, at: Timestamp)] = [:]
  var receipts: [WriteSet.ReceiptKey: Timestamp] = [:]
  var watermarks: [WriteSet.WatermarkKey: Timestamp] = [:]
  var consents: [WriteSet.Address: Consent] = [:]
  var customerEvents: [WriteSet.CustomerEvent] = []
  var orders: [WriteSet.SourceKey: (order: Order, customer: ID?)] = [:]
  var surveys: [WriteSet.SourceKey: (response: SurveyResponse, customer: ID?, conversation: ID?)] = [:]
  var outboundSeqs: [OutboundTopic: Int64] = [:]
  /// The router's segments that are over.
  var holders: [Holding: (agent: String, until: Timestamp)] = [:]
  var organizations: [InTenant<String>: (organization: Organization, at: Timestamp)] = [:]
  var conversations: [InTenant<ID>: ConversationState] = [:]
  var messages: [WriteSet.NewMessage] = []
  var keys: Set<InTenant<MessageKey>> = []
  var references: [InTenant<ReferenceKey>: StoredReference] = [:]
  var claims: [WriteSet.NewClaim] = []
  var links: [WriteSet.NewLink: ID] = [:]
  var parked: [WriteSet.ParkedEvent] = []
  var deadLetters: [WriteSet.DeadLetter] = []
  var suggestions: [IdentityResolver.Suggestion: JSONText] = [:]
  var events: [WriteSet.DomainEvent] = []
  /// One entry per record, in the order of arrival.
  var outcomes: [[Outcome]] = []
  /// As the database counts what is taken from customers.
  private var identityVersions: [InTenant<ID>: Int64] = [:]
  /// What workers know who never forget.
  private var remembered: [Remembered: Bool] = [:]
  private struct Remembered: Hashable {
    var key: InTenant<Identifier>
    var customer: ID
    var version: Int64
  }
  private var onceLive: [Lane: ID] = [:]
  private var batches: UInt64 = 0
  private var foreseen: (() -> (ModelStore, IdentityOutlook))?

  /// Commits one batch, and what does not fit into one plan in further ones.
  mutating func commit(_ records: [NormalisedRecord]) throws {
    var rest = records
    repeat { rest = try plan(rest) } while !rest.isEmpty
  }

  /// Commits what fits into one plan, in the steps of `IngestPipeline.commit`; returns the rest.
  mutating func plan(_ records: [NormalisedRecord]) throws -> [NormalisedRecord] {
    batches += 1
    // A copy makes the next change of every table dear: of small batches one in a while.
    let before = records.count > 50 || batches.isMultiple(of: 31) ? self : nil
    // Ids grow from batch to batch, as they do with the clock.
    let ids = IDGenerator(milliseconds: 1_767_225_600_000 + batches * 1_000, seed: batches)
    var (seen, facts) = try self.facts(of: records)
    // What was read before the last batch and what its plan said are as good, wherever the conversations are the same.
    let last = foreseen?()
    if let (store, outlook) = last, case let early = try store.facts(of: records, after: outlook),
      early.facts.owners == facts.owners, early.facts.identities.mapValues(\.isShared) == facts.identities.mapValues(\.isShared)
    {
      let differs = [
        ("keys", early.seen != seen),
        ("identities", early.facts.identities.mapValues(\.foreseeable) != facts.identities.mapValues(\.foreseeable)),
        (
          "accounts",
          !early.facts.ownAccounts.isSuperset(of: facts.ownAccounts) || !early.facts.ownAccounts.isSubset(of: accounts)
        ),
        ("counts", early.facts.counts != facts.counts), ("WhatsApp", early.facts.whatsApp != facts.whatsApp),
        ("creation", early.facts.customers.mapValues(\.createdAt) != facts.customers.mapValues(\.createdAt)),
        ("never merge", early.facts.customers.mapValues(\.neverMerge) != facts.customers.mapValues(\.neverMerge)),
      ].filter(\.1).map(\.0)
      guard differs.isEmpty else { throw Refused(description: "a batch is not what it was foreseen to be: \(differs)") }
      facts = early.facts
    }
    let known = IdentityPlan(records: records, seenKeys: seen, facts: facts, policy: policy, ids: ids)
    // One that was made before some of the identities became surer is as good, where it says so.
    let earlier = IdentityPlan(records: records, seenKeys: seen, facts: lessSure(facts), policy: policy, ids: ids)
    let identity = earlier.resolver.holds(Array(facts.identities.keys), with: facts.identities) ? earlier : known
    if let (store, outlook) = last {
      let appeared = identity.needs.called.filter {
        store.row($0) == nil && outlook.names[$0] == nil && !outlook.keys.contains($0.asKey) && row($0) != nil
      }
      guard appeared.isEmpty else { throw Refused(description: "a name was not foreseen") }
    }
    try insert(identity.resolver.newIdentities)
    for event in identity.records.flatMap(\.events) where event.channel.isCustomers {
      accounts.insert(InTenant(event.tenant, event.account))
    }
    var threadFacts = threadFacts(identity)
    for key in identity.resolver.touchedCustomers.union(identity.needs.joining) {
      guard let customer = customers[key], customer.mergedInto == nil else {
        throw Refused(description: "locks a customer who is not there")
      }
      threadFacts.profiles[key] = customer.profile
      if !identity.needs.joining.contains(key) { threadFacts.profiles[key]?.traits = [:] }
      threadFacts.profiles[key]?.identitiesVersion = identityVersions[key] ?? 0
    }
    let seed = ~batches
    let plan = ThreadPlanner.plan(
      identity, facts: threadFacts, policy: policy,
      ids: IDGenerator(milliseconds: 1_767_225_600_000 + batches * 1_000, seed: seed))
    foreseen = nil
    let doubtful = Set(identity.resolver.doubtful(under: threadFacts.profiles))
    let stored = identity.resolver.stored(
      after: facts.identities.filter { doubtful.contains($0.key) }, under: threadFacts.profiles)
    remember(stored ?? [:])
    onceLive.merge(plan.liveConversations) { $1 }
    if var before, let stored {
      before.foreseen = nil
      let (store, outlook) = (before, IdentityOutlook(identity.resolver, identities: stored, writes: plan))
      foreseen = { (store, outlook) }
    }
    try apply(plan, identity)
    return identity.rest
  }

  /// What a plan of the records is made from, as `IngestPipeline.draft` reads it.
  private func facts(
    of records: [NormalisedRecord], after outlook: IdentityOutlook? = nil
  ) throws -> (seen: Set<InTenant<MessageKey>>, facts: IdentityFacts) {
    let seen = keys.union(outlook?.keys ?? []).intersection(IdentityPlan.keys(of: records))
    let lookups = IdentityLookups(records, policy: policy)
    var facts = identityFacts(lookups.identifiers)
    for key in lookups.identifiers { facts.identities[key] = outlook?.identities[key] ?? facts.identities[key] }
    outlook?.addAccounts(to: &facts)
    for key in lookups.named {
      facts.owners[key] = conversations[key].map {
        .init(customer: $0.customer, epoch: $0.owner.epoch, isMerged: $0.mergedInto != nil)
      }
    }
    let gaining = lookups.customersThatMayGain(facts)
    facts.counts = counts(gaining)
    for key in gaining {
      guard let customer = customers[key] else {
        if outlook == nil { throw Refused(description: "an identity of nobody") }
        continue
      }
      facts.customers[key] = (
        customer.createdAt, Set(neverMerge.filter { $0.contains(key.value) }.joined()).subtracting([key.value])
      )
    }
    for (key, identity) in identities
    where key.value.isBusinessScoped && gaining.contains(InTenant(key.tenant, identity.customer)) {
      facts.whatsApp[InTenant(key.tenant, identity.customer), default: []].insert(key.value)
    }
    outlook?.addGains(of: gaining, to: &facts)
    return (seen, facts)
  }

  private func lessSure(_ facts: IdentityFacts) -> IdentityFacts {
    var earlier = facts
    var random = SplitMix64(seed: batches << 16 | UInt64(facts.identities.count))
    for key in facts.identities.keys.sorted() where Bool.random(using: &random) {
      let assurances = Assurance.allCases.filter { $0 <= facts.identities[key]?.assurance ?? .a0 }
      earlier.identities[key]?.assurance = assurances.randomElement(using: &random) ?? .a0
    }
    return earlier
  }

  /// What is known of the batch's identities from now on, as long as nothing is taken from their customers.
  private mutating func remember(_ stored: [InTenant<Identifier>: IdentityFacts.Stored]) {
    for (key, known) in stored {
      guard let version = known.version else { continue }
      remembered[Remembered(key: key, customer: known.customer, version: version)] = known.isShared
    }
  }

  /// As the trigger in the database does.
  private mutating func change(
    _ key: InTenant<Identifier>, _ change: (inout StoredIdentity?) -> Void
  ) {
    if let owner = identities[key]?.customer { identityVersions[InTenant(key.tenant, owner), default: 0] += 1 }
    change(&identities[key])
  }

  // MARK: - Reads

  private func identityFacts(_ identifiers: Set<InTenant<Identifier>>) -> IdentityFacts {
    var facts = IdentityFacts()
    for key in identifiers {
      if let stored = identities[key] {
        facts.identities[key] = .init(
          customer: stored.customer, assurance: stored.assurance, isShared: stored.isShared, lastSeenAt: stored.lastSeenAt)
      }
      if !key.value.kind.isChannelScoped && !key.value.kind.isClaimed {
        let value = InTenant(key.tenant, key.value.value)
        if accounts.contains(value) { facts.ownAccounts.insert(value) }
      }
    }
    return facts
  }

  private func counts(_ customers: Set<InTenant<ID>>) -> [InTenant<ID>: [IdentifierKind: Int]] {
    var counts: [InTenant<ID>: [IdentifierKind: Int]] = [:]
    for (key, identity) in identities where customers.contains(InTenant(key.tenant, identity.customer)) {
      counts[InTenant(key.tenant, identity.customer), default: [:]][key.value.kind, default: 0] += 1
    }
    return counts
  }

  /// Names and keys are one table: what is but a key leads nowhere.
  private func row(_ name: InTenant<ReferenceKey>) -> StoredReference? {
    references[name] ?? (keys.contains(name.asKey) ? StoredReference(conversation: nil, message: nil) : nil)
  }

  private func threadFacts(_ identity: IdentityPlan) -> ThreadFacts {
    var facts = ThreadFacts()
    let needs = identity.needs
    for key in needs.named { facts.conversations[key] = conversations[key] }
    for key in needs.references {
      guard let reference = row(key) else { continue }
      guard let id = reference.conversation else {
        facts.awaited.insert(key)
        continue
      }
      facts.references[key] = (id, reference.message)
      let conversation = InTenant(key.tenant, id)
      facts.conversations[conversation] = conversations[conversation]
    }
    let about = needs.watched.compactMap { key in facts.references[key]?.message.map { InTenant(key.tenant, $0) } }
    for key in needs.sent.union(about) {
      guard let message = messages.first(where: { $0.id == key.value && $0.tenant == key.tenant }) else { continue }
      let done = changes[key] ?? []
      facts.messages[key] = StoredMessage(
        conversation: message.conversation, direction: message.message.direction, orderedAt: message.orderedAt,
        address: message.address, addressKind: message.addressKind,
        status: message.deliveryStatus, error: message.deliveryError, externalID: message.message.externalID,
        editedAt: done.compactMap(\.edits.last?.at).last,
        isDeleted: message.deletedAt != nil || done.contains { $0.deletion != nil })
      let conversation = InTenant(key.tenant, message.conversation)
      facts.conversations[conversation] = conversations[conversation]
    }
    func readParked(_ names: Set<InTenant<ReferenceKey>>) {
      for name in names where references[name]?.message == nil {
        let waiting = parked.filter { $0.target == name.value && $0.tenant == name.tenant }
        if !waiting.isEmpty { facts.parked[name] = waiting }
      }
    }
    readParked(needs.brought.union(needs.sessions))
    // What was said brings a name of its own.
    var known: Set<InTenant<ReferenceKey>> = []
    while true {
      let said = facts.namesOfParked.subtracting(known)
      guard !said.isEmpty else { break }
      known.formUnion(said)
      for key in said {
        guard let reference = row(key) else { continue }
        if let id = reference.conversation {
          facts.references[key] = (id, reference.message)
          facts.conversations[InTenant(key.tenant, id)] = conversations[InTenant(key.tenant, id)]
        } else {
          facts.awaited.insert(key)
        }
      }
      readParked(said)
    }
    for customer in needs.joining {
      for conversation in conversations.values
      where conversation.customer == customer.value && conversation.tenant == customer.tenant && conversation.status.isLive {
        facts.conversations[InTenant(customer.tenant, conversation.id)] = conversation
      }
    }
    for (lane, span) in needs.lanes {
      let known = onceLive[lane].map { InTenant(lane.tenant, $0) }
      if let known, span.needsOnly(conversations[known], in: lane) {
        facts.conversations[known] = conversations[known]
        continue
      }
      let inLane = conversations.values.filter { $0.laneKey == lane && $0.mergedInto == nil }
      // As `ORDER BY resolved_at DESC` has it: no time is the latest.
      let ended = inLane.filter { !$0.status.isLive }.sorted {
        ($0.resolvedAt ?? Timestamp(microseconds: .max), $0.id) < ($1.resolvedAt ?? Timestamp(microseconds: .max), $1.id)
      }
      let live = inLane.filter(\.status.isLive)
      let needsEnded = live.first.map { span.earliest < $0.openedAt || $0.lastMessageAt < span.silentSince } ?? true
      for conversation in live + (needsEnded ? ended.suffix(2) : []) {
        facts.conversations[InTenant(lane.tenant, conversation.id)] = conversation
      }
    }
    for conversation in facts.conversations.values {
      guard let root = conversation.mergedInto.map({ InTenant(conversation.tenant, $0) }) else { continue }
      facts.conversations[root] = conversations[root]
    }
    facts.holders = holders
    guard !needs.answered.isEmpty else { return facts }
    // More than a batch asks for changes nothing.
    for message in messages.sorted(by: { ($0.orderedAt, $0.id) < ($1.orderedAt, $1.id) }) {
      guard message.message.isSaidByCustomer || message.message.isHandoff,
        message.channel != .ticket || message.message.replyAddress != nil,
        let address = message.address ?? message.message.replyAddress
      else { continue }
      let conversation = InTenant(message.tenant, message.conversation)
      let surface = Surface(message.channel, message.message.visibility)
      let isHeard = !message.message.isHandoff
      if !isHeard, facts.routes[conversation]?[surface]?.isHeard ?? false { continue }
      facts.routes[conversation, default: [:]][surface] = Route(
        account: message.account, address: address, replyAddress: message.message.replyAddress,
        externalID: isHeard ? message.message.externalID : nil, orderedAt: message.orderedAt, message: message.id,
        isHeard: isHeard)
    }
    facts.outboundSeqs = outboundSeqs
    let routed = facts.routes.flatMap { key, routes in
      routes.map { surface, route in
        WriteSet.Address(tenant: key.tenant, channel: surface.channel, account: route.account, address: route.address)
      }
    }
    facts.consents = consents.filter { identity.senders.union(routed).contains($0.key) }
    return facts
  }

  // MARK: - Writes

  private mutating func insert(_ new: [InTenant<Identifier>: IdentityResolver.NewIdentity]) throws {
    for (key, identity) in new {
      guard identities[key] == nil else { throw Refused(description: "inserts an identity that is there: replans for ever") }
      identities[key] = StoredIdentity(
        customer: identity.customer, origin: identity.origin, assurance: identity.assurance, firstSeenAt: identity.firstSeenAt,
        lastSeenAt: identity.lastSeenAt)
    }
  }

  private mutating func apply(_ writes: WriteSet, _ identity: IdentityPlan) throws {
    for (key, new) in writes.organizations {
      if let known = organizations[key], known.at > new.at { continue }
      organizations[key] = new
    }
    for (key, profile) in writes.changedCustomers {
      guard var customer = customers[key] else { throw Refused(description: "changes a customer who is not there") }
      let traits = customer.profile.traits.merging(profile.traits) { $0.at <= $1.at ? $1 : $0 }
      customer.profile = profile
      customer.profile.traits = traits
      customers[key] = customer
    }
    for customer in writes.customers {
      let key = InTenant(customer.tenant, customer.id)
      guard customers.updateValue(customer, forKey: key) == nil else { throw Refused(description: "inserts a customer twice") }
    }
    for (key, seen) in identity.resolver.seenIdentities {
      guard var stored = identities[key] else { throw Refused(description: "changes an identity that is not there") }
      stored.assurance = max(stored.assurance, seen.assurance)
      stored.lastSeenAt = max(stored.lastSeenAt, seen.lastSeenAt)
      identities[key] = stored
    }
    try applyMerges(writes, identity.resolver)
    for identity in identities { try require(InTenant(identity.key.tenant, identity.value.customer), "an identity") }
    for customer in customers.values {
      guard let organization = customer.profile.organization else { continue }
      guard organizations[InTenant(customer.tenant, organization)] != nil else {
        throw Refused(description: "a customer of an organization that is not there")
      }
    }
    for (suggestion, new) in identity.resolver.suggestions where suggestions[suggestion] == nil {
      try require(InTenant(suggestion.tenant, suggestion.customer), "a suggestion")
      try require(InTenant(suggestion.tenant, suggestion.other), "a suggestion")
      suggestions[suggestion] = new.evidence
    }
    try applyConversations(writes)
    applyMoves(writes, identity.resolver)
    try applyMessages(writes)
    outboundSeqs.merge(writes.outboundSeqs) { $1 }
    for (key, delivery) in writes.deliveries {
      guard let index = messages.firstIndex(where: { $0.id == key.value }) else {
        throw Refused(description: "a result of nothing")
      }
      deliveries[key] = delivery
      messages[index].deliveryStatus = delivery.status
      messages[index].deliveryError = delivery.error
      messages[index].message.externalID = delivery.externalID
    }
    for (key, time) in writes.deletedEchoes {
      for index in messages.indices where messages[index].id == key.value { messages[index].deletedAt = time }
    }
    parked.removeAll { parked in writes.unparked.contains { $0.value == parked.id } }
    for (key, change) in writes.messageChanges {
      guard messages.contains(where: { $0.id == key.value }) else {
        throw Refused(description: "changes a message that is not there")
      }
      changes[key, default: []].append(change)
    }
    reactions.merge(writes.reactions) { $0.at <= $1.at ? $1 : $0 }
    receipts.merge(writes.receipts) { min($0, $1) }
    watermarks.merge(writes.watermarks) { max($0, $1) }
    consents.merge(writes.consents) { $0.at <= $1.at ? $1 : $0 }
    for event in writes.customerEvents { try require(InTenant(event.tenant, event.customer), "a customer's event") }
    customerEvents += writes.customerEvents
    for (key, new) in writes.orders {
      if let known = orders[key], known.order.updatedAt > new.order.updatedAt { continue }
      orders[key] = new
    }
    for (key, new) in writes.surveys {
      if let known = surveys[key], known.response.updatedAt > new.response.updatedAt { continue }
      surveys[key] = new
    }
  }

  private mutating func applyMerges(_ writes: WriteSet, _ resolver: IdentityResolver) throws {
    for (_, merge, conversations) in writes.merges {
      let (survivor, loser) = (InTenant(merge.tenant, merge.survivor), InTenant(merge.tenant, merge.loser))
      try require(survivor, "a merge")
      try require(loser, "a merge")
      let parts = customers.values.filter { $0.tenant == merge.tenant && $0.mergedInto == merge.loser }.map(\.id)
      let earlier = merges.last { $0.merge.survivor == merge.loser }.map { _ in
        merges.filter { $0.merge.survivor == merge.loser }.reduce(into: Set<ID>()) { $0.formUnion($1.members) }
      }
      merges.append((merge, Set(parts + [merge.loser]).union(earlier ?? []), conversations))
      let root = resolver.survivor(of: loser)
      for part in parts + [merge.loser] { customers[InTenant(merge.tenant, part)]?.mergedInto = root }
      for (key, identity) in identities where key.tenant == merge.tenant && identity.customer == merge.loser {
        change(key) { $0?.customer = root }
      }
    }
    for (key, former) in resolver.retired {
      guard identities[key]?.customer == former.owner else { throw Refused(description: "retires what is not theirs") }
      change(key) { $0 = nil }
      retired.append((key, former.owner))
    }
    for customer in resolver.identified.keys {
      for (key, identity) in identities
      where key.tenant == customer.tenant && identity.customer == customer.value && key.value.kind.isClaimed {
        change(key) { $0 = nil }
        retired.append((key, customer.value))
      }
    }
  }

  /// What the statements do beyond the conversations that the plan knew.
  private mutating func applyMoves(_ writes: WriteSet, _ resolver: IdentityResolver) {
    var moves = writes.moves
    var pairs = writes.merges.map {
      (InTenant($0.merge.tenant, $0.merge.loser), resolver.survivor(of: InTenant($0.merge.tenant, $0.merge.loser)))
    }
    pairs += resolver.identified.keys.map { ($0, $0.value) }
    for (customer, root) in pairs {
      for (key, conversation) in conversations
      where conversation.tenant == customer.tenant && conversation.customer == customer.value && !conversation.status.isLive {
        if customer.value != root {
          conversations[key]?.originCustomer = conversation.originCustomer ?? conversation.customer
          conversations[key]?.customer = root
          moves.append(.init(tenant: key.tenant, from: key.value, into: key.value, customer: root))
        }
        conversations[key]?.lane = ""
      }
    }
    for move in moves {
      for (key, conversation) in conversations where conversation.mergedInto == move.from && move.from != move.into {
        conversations[key]?.mergedInto = move.into
      }
      for index in messages.indices where messages[index].conversation == move.from && messages[index].tenant == move.tenant {
        if messages[index].conversation != move.into {
          messages[index].originConversation = messages[index].originConversation ?? move.from
          messages[index].conversation = move.into
        }
        if messages[index].customer != move.customer {
          messages[index].originCustomer = messages[index].originCustomer ?? messages[index].customer
          messages[index].customer = move.customer
        }
      }
    }
  }

  private mutating func applyConversations(_ writes: WriteSet) throws {
    for new in writes.changedConversations.filter({ !$0.status.isLive }) + writes.changedConversations.filter(\.status.isLive) {
      let key = InTenant(new.tenant, new.id)
      guard let old = conversations[key] else { throw Refused(description: "changes a conversation that is not there") }
      var changed = new
      // What the statement does not name stays.
      changed.previous = old.previous
      changed.owner = old.owner
      conversations[key] = changed
      try requireOneLive(in: changed.laneKey)
    }
    for new in writes.newConversations {
      let key = InTenant(new.tenant, new.id)
      guard conversations.updateValue(new, forKey: key) == nil else { throw Refused(description: "inserts a conversation twice") }
      try require(InTenant(new.tenant, new.customer), "a conversation")
      try requireOneLive(in: new.laneKey)
    }
    for new in writes.newConversations {
      if let previous = new.previous { try requireConversation(new.tenant, previous, "a conversation's previous one") }
    }
    events += writes.events
  }

  private mutating func applyMessages(_ writes: WriteSet) throws {
    for message in writes.messages { try requireConversation(message.tenant, message.conversation, "a message") }
    messages += writes.messages
    for (key, new) in writes.references {
      if let conversation = new.conversation { try requireConversation(key.tenant, conversation, "a reference") }
      let isAsExpected = row(key).map { $0.message == new.was }
      guard isAsExpected == (new.replaces ? true : nil) else { throw Refused(description: "takes a reference that is not free") }
      references[key] = StoredReference(conversation: new.conversation, message: new.message)
    }
    for (link, new) in writes.links where links[link] == nil {
      try requireConversation(link.tenant, link.conversation, "a link")
      try requireConversation(link.tenant, link.linked, "a link")
      links[link] = new.message
    }
    for claim in writes.claims { try require(InTenant(claim.tenant, claim.customer), "a claim") }
    claims += writes.claims
    parked += writes.parked
    deadLetters += writes.deadLetters
    for key in writes.keys {
      guard keys.insert(key).inserted else { throw Refused(description: "inserts a message key twice") }
    }
    outcomes += writes.outcomes
  }

  private func require(_ customer: InTenant<ID>, _ what: String) throws {
    guard customers[customer] != nil else { throw Refused(description: what + " of a customer who is not there") }
  }

  private func requireConversation(_ tenant: String, _ id: ID, _ what: String) throws {
    guard conversations[InTenant(tenant, id)] != nil else { throw Refused(description: what + " leads nowhere") }
  }

  private func requireOneLive(in lane: Lane) throws {
    guard conversations.values.count(where: { $0.status.isLive && $0.laneKey == lane }) <= 1 else {
      throw Refused(description: "two live conversations in one lane")
    }
  }

  // MARK: - What must hold

  /// What must hold in every store, and does not, after these records were committed.
  func flaw(after records: [NormalisedRecord]) -> String? {
    if outcomes.map(\.count) != records.map(\.elements.count) { return "an element has not one outcome" }
    let deliveries = records.flatMap(\.events)
    let all = outcomes.flatMap { $0 }
    if Set(deliveries.map { InTenant($0.tenant, $0.key) }) != keys { return "a delivery is not remembered" }
    for (known, isShared) in remembered {
      guard known.version == identityVersions[InTenant(known.key.tenant, known.customer)] ?? 0 else { continue }
      let stored = identities[known.key]
      if stored?.customer != known.customer || stored?.isShared != isShared { return "an identity changed and nobody was told" }
    }
    // What is ignored although it is an event (a loop, an edit by somebody else) leaves its key as well.
    let heeded = zip(records.flatMap(\.elements), all).count { element, outcome in
      if case .event = element { outcome != .duplicate && outcome.label != "dead_letter" } else { false }
    }
    if heeded != keys.count { return "a delivery was heeded twice, or never" }
    if all.count(where: { $0 == .duplicate }) != deliveries.count - keys.count { return "a duplicate is not told apart" }

    for customer in customers.values {
      guard let root = customer.mergedInto else { continue }
      if customers[InTenant(customer.tenant, root)]?.mergedInto != nil {
        return "a merged customer does not point at the root"
      }
      if identities.contains(where: { $0.value.customer == customer.id }) { return "a merged customer has an identity" }
      if conversations.values.contains(where: { $0.customer == customer.id }) {
        return "a merged customer has a conversation"
      }
    }
    for conversation in conversations.values {
      guard let root = conversation.mergedInto else { continue }
      if conversations[InTenant(conversation.tenant, root)]?.mergedInto != nil {
        return "a merged conversation does not point at the root"
      }
      if messages.contains(where: { $0.conversation == conversation.id }) { return "a merged conversation has a message" }
    }
    if Dictionary(grouping: conversations.values.filter(\.status.isLive), by: \.laneKey).contains(where: { $1.count > 1 }) {
      return "two conversations are live in one lane"
    }
    for message in messages
    where conversations[InTenant(message.tenant, message.conversation)]?.customer != message.customer {
      return "a message is in another customer's conversation"
    }
    for conversation in conversations.values {
      let seqs = events.filter { $0.subject == conversation.id.description }.map(\.seq)
      if seqs != Array(1...max(1, conversation.eventSeq)) { return "a conversation's events are not numbered one by one" }
      if conversation.openedAt > conversation.lastMessageAt { return "a conversation ends before it begins" }
      if conversation.status.isLive == (conversation.resolvedAt != nil) {
        return "a live conversation has an end, or an ended one none"
      }
    }
    for (customer, kinds) in Dictionary(grouping: identities, by: { InTenant($0.key.tenant, $0.value.customer) }) {
      let claimed = kinds.count(where: { $0.key.value.kind.isClaimed })
      if claimed > 0 && kinds.count > 1 { return "a claim leads to a customer who is known otherwise" }
      if claimed > 0 && customers[customer]?.profile.isVerified == true { return "a claim leads to a verified customer" }
      for (kind, count) in Dictionary(grouping: kinds, by: \.key.value.kind).mapValues(\.count)
      where count > policy.identityLimit(kind) {
        return "a customer is over their limit of \(kind.rawValue)"
      }
    }
    // Ids are unique, so whatever belongs to two tenants has an id in both.
    let owners = customers.keys.map { ($0.value, $0.tenant) } + conversations.keys.map { ($0.value, $0.tenant) }
    if Dictionary(grouping: owners, by: \.0).contains(where: { $1.count > 1 }) { return "two tenants share something" }
    return nil
  }

  // MARK: - What others do to the database

  /// An agent, or a timer, gives the conversation another status.
  mutating func set(_ status: ConversationState.Status, _ conversation: ID, at time: Timestamp) {
    guard let key = conversations.keys.first(where: { $0.value == conversation }), var changed = conversations[key] else {
      return
    }
    changed.status = status
    changed.resolvedAt = status.isLive ? nil : time
    changed.version += 1
    changed.eventSeq += 1
    conversations[key] = changed
    events.append(
      .init(
        tenant: key.tenant, id: conversation, topic: "conversation.events", type: "conversation." + status.rawValue,
        subject: conversation.description, seq: changed.eventSeq, at: time, traceparent: nil, data: JSONText()))
  }

  /// The router gives it to somebody.
  mutating func own(_ conversation: ID, _ owner: ConversationState.Owner) {
    for key in conversations.keys where key.value == conversation { conversations[key]?.owner = owner }
  }

  mutating func markShared(_ identifier: Identifier, tenant: String) {
    change(InTenant(tenant, identifier)) { $0?.isShared = true }
  }
}

extension NormalisedRecord {
  var events: [Event] {
    elements.compactMap { element in
      guard case .event(let event) = element else { return nil }
      return event
    }
  }
}

extension IdentityFacts.Stored {
  /// When somebody was last seen decides nothing, and what is shared is said by operators, at any time.
  fileprivate var foreseeable: Self {
    .init(customer: customer, assurance: assurance, isShared: false, lastSeenAt: .storable.lowerBound)
  }
}
