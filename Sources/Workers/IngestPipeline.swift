import Canonical
import Engine
import Postgres
import Store

/// The way of a batch from normalised records to committed rows.
///
/// Poll, decode and normalise come before it (`IngestWorker`), the report to Kafka and the outbox after it. Everything here is one
/// transaction with a constant number of statements; the plans are pure and live in `Engine`.
public struct IngestPipeline: Sendable {
  let claims: OffsetClaims
  let policy: Policy
  /// In front of every topic's name.
  let topicPrefix: String
  /// A statement that takes longer is cancelled, and the batch halved.
  let statementTimeoutMilliseconds: Int
  /// Who waits longer for a lock, or stands still for longer with some in its hand, is cancelled: a stopped worker must not hold up the
  /// others, who can not claim its partitions before their own batches have ended.
  let lockTimeoutMilliseconds: Int
  /// So often is the first half of a plan made, whoever else inserts identities meanwhile; then everything begins anew.
  private static let identityAttempts = 5
  /// So many fit, with a batch more, into a dictionary of 32,768 places.
  private let knownIdentities = Known<InTenant<Identifier>, IdentityFacts.Stored>(limit: 22_000)
  private let liveConversations = Known<Lane, ID>(limit: 20_000)

  public init(
    claims: OffsetClaims, policy: Policy, topicPrefix: String, statementTimeoutMilliseconds: Int = 30_000,
    lockTimeoutMilliseconds: Int = 5_000
  ) {
    self.claims = claims
    self.policy = policy
    self.topicPrefix = topicPrefix
    self.statementTimeoutMilliseconds = statementTimeoutMilliseconds
    self.lockTimeoutMilliseconds = lockTimeoutMilliseconds
  }

  var transactionSettings: [String] {
    [
      "statement_timeout = \(statementTimeoutMilliseconds)", "lock_timeout = \(lockTimeoutMilliseconds)",
      "idle_in_transaction_session_timeout = \(lockTimeoutMilliseconds)",
    ]
  }

  /// Another server may not have what was committed last.
  func forget() {
    knownIdentities.forget()
    liveConversations.forget()
  }

  /// What a committed batch left behind.
  public struct Commit: Sendable {
    /// Where each partition goes on, stored with the rows.
    public var advanced: [OffsetClaim] = []
    /// Claims that somebody else has taken over: their records were left out.
    public var fenced: [OffsetClaim] = []
    /// One entry per element that was committed.
    public var outcomes: [(channel: String, outcome: Outcome)] = []
    /// Records that need a transaction of their own, after this one.
    public var rest: [NormalisedRecord] = []
  }

  /// The first half of a batch's plan, and what it was made from.
  struct Draft: Sendable {
    let recordCount: Int
    let facts: IdentityFacts
    let plan: IdentityPlan
    /// Those of the plan that are new.
    let identities: IngestWrites.Identities
    /// The conversations that its tokens and actions name.
    let named: Set<InTenant<ID>>
    /// They are registered after the look-up: an account is ours from the record on that shows it.
    let accounts: Set<ChannelAccount>
    /// What its messages are called, where nobody had that name.
    var absent: Set<InTenant<ReferenceKey>> = []
  }

  /// Commits the records under the claims, all or nothing.
  ///
  /// - Parameters:
  ///   - seed: fresh random bits for the ids of this attempt.
  ///   - isProbe: rolls back at the end, with the fault `PostgresFault.probed` when nothing else failed.
  ///   - draft: of the same records.
  ///   - foresee: is told what this batch will leave behind; nil when it is about to be committed.
  func commit(
    _ records: [NormalisedRecord], under held: [OffsetClaim], milliseconds: UInt64, seed: UInt64, isProbe: Bool = false,
    draft: Draft? = nil, foresee: (IdentityOutlook?) -> Void = { _ in }, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Commit {
    for record in records where record.isRejected { try IngestWrites.insertPieces(of: record.record, on: db) }
    var isTaught = false
    do {
      return try write(
        records, under: held, milliseconds, seed, isProbe: isProbe, draft: draft, foresee: foresee, isTaught: &isTaught, on: db)
    } catch {
      if isTaught { forget() } else { knownIdentities.forget(IdentityLookups(records, policy: policy).identifiers) }
      throw error
    }
  }

  private func write(
    _ records: [NormalisedRecord], under held: [OffsetClaim], _ milliseconds: UInt64, _ seed: UInt64, isProbe: Bool,
    draft: Draft?, foresee: (IdentityOutlook?) -> Void, isTaught: inout Bool, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Commit {
    let written = try db.transaction(settings: transactionSettings) { () throws(PostgresFault) -> Written in
      var commit = Commit()

      // The fence: whoever finds no row under its epoch has lost the partition.
      let locked = try claims.lock(held, on: db)
      let next = Dictionary(uniqueKeysWithValues: locked.map { ($0.key, $0.nextOffset ?? 0) })
      commit.fenced = held.filter { next[$0.key] == nil }
      let live = records.filter { $0.record.offset >= next[$0.record.topicAndPartition] ?? .max }

      // Look up, and lock in the global order: accounts, identities in key order, customers and conversations by tenant and id.
      let ids = IDGenerator(milliseconds: milliseconds, seed: seed)
      var first: Draft
      // One whose conversations have been opened or have changed hands since would fail, after the locks.
      if let draft, draft.recordCount == live.count,
        try IngestReads.owners(draft.named, on: db) == draft.facts.owners
      {
        first = draft
      } else {
        first = try self.draft(live, ids: ids, on: db)
      }
      // Who loses a race to an identifier looks again, and finds what the winner has made.
      var attempt = 1
      while try !IngestWrites.insert(first.identities, registering: first.accounts, on: db) {
        guard attempt < Self.identityAttempts else { throw .replan("identities are inserted by somebody else") }
        attempt += 1
        first = try self.draft(live, isFirst: false, ids: ids, on: db)
      }
      let (identity, facts) = (first.plan, first.facts)
      let records = identity.records
      commit.rest = identity.rest
      let joining = identity.needs.joining
      let profiles = try IngestReads.lockCustomers(
        identity.resolver.touchedCustomers.union(joining), joining: joining, on: db)
      // What ends leaves nothing behind.
      let lanes = identity.needs.lanes.filter(\.value.mayNeedOnly).keys
      let onceLive = liveConversations.find(lanes).known
      liveConversations.forget(lanes)
      var threadFacts = try IngestReads.threads(identity, absent: first.absent, live: onceLive, on: db)
      threadFacts.profiles = profiles
      // What an agent did was judged before the conversation was locked.
      for key in identity.needs.named where facts.owners[key]?.epoch != threadFacts.conversations[key]?.owner.epoch {
        throw .replan("an owner changed")
      }
      let found = try verify(identity, facts, profiles, on: db)
      // While the server works on it, the rest of the plan is made.
      try IngestWrites.update(identity.resolver, on: db)
      let plan = ThreadPlanner.plan(
        identity, facts: threadFacts, policy: policy, ids: IDGenerator(milliseconds: milliseconds, seed: ~seed))
      try IngestReads.verify(first.absent, in: plan, on: db)
      let learned = identity.resolver.stored(after: found, under: profiles)
      if !isProbe, identity.rest.isEmpty, let learned {
        foresee(IdentityOutlook(identity.resolver, identities: learned, writes: plan))
      }

      // Write, and the offsets with it.
      try IngestWrites.write(plan, identity: identity, topicPrefix: topicPrefix, on: db)
      commit.advanced = advanced(locked, records)
      try claims.advance(commit.advanced.map { ($0.topic, $0.partition, $0.nextOffset ?? 0) }, on: db)
      if isProbe {
        try db.settle()
        throw .probed
      }
      // Before COMMIT is sent: the snapshot of a draft that counts this batch's effects in must not have them.
      foresee(nil)
      return Written(commit: commit, records: records, plan: plan, learned: learned)
    } meanwhile: { written in
      isTaught = true
      if let learned = written.learned { knownIdentities.put(learned) } else { knownIdentities.forget() }
      liveConversations.put(written.plan.liveConversations)
      for (record, outcomes) in zip(written.records, written.plan.outcomes) {
        let channel = record.channel(topicPrefix)
        written.commit.outcomes += outcomes.map { (channel, $0) }
      }
    }
    return written.commit
  }

  /// What is gone through while the server commits.
  private struct Written {
    var commit: Commit
    let records: [NormalisedRecord]
    let plan: WriteSet
    let learned: [InTenant<Identifier>: IdentityFacts.Stored]?
  }

  /// Makes the first half of the plan, from who the identifiers belong to and what else it needs to know of them.
  ///
  /// - Parameters:
  ///   - outlook: what else will be stored by the time when it is used.
  ///   - isFirst: whether what this worker knows will do instead of the rows.
  func draft(
    _ records: [NormalisedRecord], after outlook: IdentityOutlook? = nil, isFirst: Bool = true, ids: IDGenerator,
    on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Draft {
    let keys = IdentityPlan.keys(of: records)
    let (stored, (lookups, found)) = try IngestReads.keys(keys, on: db) {
      let lookups = IdentityLookups(records, policy: policy)
      let known = isFirst ? knownIdentities.find(lookups.identifiers, outlook?.identities ?? [:]) : nil
      return (lookups, known ?? (known: [:], unknown: Array(lookups.identifiers)))
    }
    let seenKeys = (outlook?.keys ?? []).union(stored.lazy.filter(\.value).map(\.key))
    var facts = IdentityFacts()
    facts.identities = found.known
    facts.identities.merge(try IngestReads.identities(found.unknown, on: db)) { $1 }
    facts.ownAccounts = try IngestReads.ownAccounts(lookups.identifiers, on: db)
    outlook?.addAccounts(to: &facts)
    facts.owners = try IngestReads.owners(lookups.named, on: db)
    let gaining = lookups.customersThatMayGain(facts)
    facts.counts = try IngestReads.identityCounts(gaining, on: db)
    facts.customers = try IngestReads.customers(gaining, on: db)
    if lookups.identifiers.contains(where: { $0.value.kind == .whatsapp }) {
      facts.whatsApp = try IngestReads.whatsApp(gaining, on: db)
    }
    outlook?.addGains(of: gaining, to: &facts)
    let plan = IdentityPlan(records: records, seenKeys: seenKeys, facts: facts, policy: policy, ids: ids)
    var draft = Draft(
      recordCount: records.count, facts: facts, plan: plan, identities: .init(plan.resolver.newIdentities), named: lookups.named,
      accounts: accounts(of: plan.records))
    if let outlook {
      draft.absent = try IngestReads.absentNames(draft.plan.needs.called, after: outlook, keys: keys, stored: stored, on: db)
    }
    return draft
  }

  /// Reads the doubtful identities under the locks of their customers, in a new snapshot: what the plan was made from must still hold.
  private func verify(
    _ identity: IdentityPlan, _ facts: IdentityFacts, _ profiles: [InTenant<ID>: CustomerProfile],
    on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<Identifier>: IdentityFacts.Stored] {
    let doubtful = identity.resolver.doubtful(under: profiles)
    let found = try IngestReads.identities(doubtful, on: db)
    guard identity.resolver.holds(doubtful, with: found) else { throw .replan("an identity changed hands") }
    let owners = try IngestReads.owners(Set(facts.owners.keys), on: db)
    guard owners == facts.owners else { throw .replan("a conversation changed hands") }
    // What the batch has inserted is there already.
    var expected = facts.counts
    let merging = identity.resolver.merging
    var gaining = merging
    for (key, new) in identity.resolver.newIdentities {
      let customer = InTenant(key.tenant, new.customer)
      gaining.insert(customer)
      expected[customer, default: [:]][key.value.kind, default: 0] += 1
    }
    gaining.formIntersection(facts.counts.keys)
    // Whether they are but a claim decides where a token's holder threads.
    gaining.formUnion(facts.owners.map { InTenant($0.key.tenant, $0.value.customer) })
    let counts = try IngestReads.identityCounts(gaining, on: db)
    guard gaining.allSatisfy({ counts[$0] == expected[$0] }) else { throw .replan("a customer gained an identity") }
    let customers = try IngestReads.customers(merging.intersection(facts.customers.keys), on: db)
    guard merging.allSatisfy({ customers[$0]?.neverMerge == facts.customers[$0]?.neverMerge }) else {
      throw .replan("customers must not be merged")
    }
    return found
  }

  private func accounts(of records: [NormalisedRecord]) -> Set<ChannelAccount> {
    var accounts: Set<ChannelAccount> = []
    for case .event(let event) in records.lazy.flatMap(\.elements) where event.channel.isCustomers {
      accounts.insert(ChannelAccount(tenant: event.tenant, channel: event.channel, account: event.account))
    }
    return accounts
  }

  private func advanced(_ locked: [OffsetClaim], _ records: [NormalisedRecord]) -> [OffsetClaim] {
    var last: [TopicAndPartition: Int64] = [:]
    for record in records {
      last[record.record.topicAndPartition] = max(last[record.record.topicAndPartition] ?? 0, record.record.offset)
    }
    return locked.compactMap { claim in
      guard let offset = last[claim.key] else { return nil }
      var claim = claim
      claim.nextOffset = offset + 1
      return claim
    }
  }
}

extension PostgresFault {
  /// Nothing failed: the probe was rolled back.
  static let probed = PostgresFault(sqlState: "00000", message: "probed")
}

extension NormalisedRecord {
  var isRejected: Bool {
    elements.contains { if case .rejected = $0 { true } else { false } }
  }
  /// The channel as metrics and logs call it: the topic without the prefix.
  func channel(_ prefix: String) -> String { String(record.topic.dropFirst(prefix.count)) }
}

extension Record {
  var topicAndPartition: TopicAndPartition { TopicAndPartition(topic, partition) }
}
