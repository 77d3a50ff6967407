import Canonical

/// Rule 5: who becomes one.
extension IdentityResolver {
  /// Rule 5: the customers that the record reaches by evidence of merge grade become one, the oldest; `owner` is reached by an
  /// agent's word.
  mutating func merge(
    _ usable: [StatedIdentifier], with owner: ID? = nil, agent: String? = nil, tenant: String, at time: Timestamp
  ) -> [Merge] {
    var reached = owner.map { [$0] } ?? []
    var first = owner
    for candidate in usable {
      guard let known = stored(candidate.identifier, tenant) else { continue }
      if let first, known.customer != first { weigh(usable, tenant) }
      first = first ?? known.customer
      guard Self.isMergeGrade(candidate, known.assurance), !reached.contains(known.customer) else { continue }
      reached.append(known.customer)
    }
    guard reached.count > 1 else { return [] }
    reached.sort { (createdAt($0, tenant), $0) < (createdAt($1, tenant), $1) }
    var done: [Merge] = []
    for loser in reached.dropFirst() {
      let survivor = reached[0]
      guard mayMerge(survivor, loser, with: usable, tenant) else { continue }
      let merge = Merge(
        tenant: tenant, survivor: survivor, loser: loser, rule: agent == nil ? "record_evidence" : "agent_identify",
        evidence: evidence(usable, of: [survivor, loser], tenant), agent: agent, at: time)
      carryOut(merge)
      done.append(merge)
    }
    return done
  }

  /// The record leads to several customers: what becomes of them depends on how sure its identities are.
  mutating func weigh(_ stated: [StatedIdentifier], _ tenant: String) {
    weighed.formUnion(stated.map { InTenant(tenant, $0.identifier) })
  }

  /// Strong on the record and in the store; or one e-mail address, vouched for by the protocol here and by the business there.
  static func isMergeGrade(_ stated: StatedIdentifier, _ stored: Assurance) -> Bool {
    let weaker = min(stated.assurance, stored)
    return weaker >= .a2 || stated.identifier.kind == .email && weaker >= .a1 && max(stated.assurance, stored) == .a3
  }

  private func createdAt(_ customer: ID, _ tenant: String) -> Timestamp {
    newCustomers[InTenant(tenant, customer)] ?? facts.customers[InTenant(tenant, customer)]?.createdAt
      ?? Timestamp.storable.upperBound
  }

  /// No limit is broken (two different numbers of the business are one of them), also with what the record adds, and nobody has said
  /// that they are two people.
  private func mayMerge(_ survivor: ID, _ loser: ID, with usable: [StatedIdentifier], _ tenant: String) -> Bool {
    let (one, other) = (InTenant(tenant, survivor), InTenant(tenant, loser))
    var both = (facts.counts[one] ?? [:]).merging(facts.counts[other] ?? [:]) { $0 + $1 }
    for new in usable where stored(new.identifier, tenant) == nil { both[new.identifier.kind, default: 0] += 1 }
    return both.allSatisfy { $0.key.isClaimed || $0.value <= policy.identityLimit($0.key) }
      && facts.customers[one]?.neverMerge.contains(loser) != true && facts.customers[other]?.neverMerge.contains(survivor) != true
  }

  private func evidence(_ usable: [StatedIdentifier], of customers: [ID], _ tenant: String) -> JSONText {
    let parts = usable.compactMap { candidate -> [UInt8]? in
      guard let known = stored(candidate.identifier, tenant), customers.contains(known.customer) else { return nil }
      var part = JSONObjectWriter()
      part.member("customer_id", known.customer)
      part.member("kind", candidate.identifier.kind.rawValue)
      part.member("stated", candidate.assurance.label)
      part.member("stored", known.assurance.label)
      return part.finish().utf8
    }
    return JSONText(utf8: [UInt8(ascii: "[")] + parts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")])
  }

  private mutating func carryOut(_ merge: Merge) {
    let (loser, survivor) = (InTenant(merge.tenant, merge.loser), InTenant(merge.tenant, merge.survivor))
    merges.append(merge)
    survivors[loser] = merge.survivor
    facts.counts[survivor, default: [:]].merge(facts.counts[loser] ?? [:]) { $0 + $1 }
    facts.whatsApp[survivor, default: []].formUnion(facts.whatsApp[loser] ?? [])
    let forbidden = (facts.customers[survivor]?.neverMerge ?? []).union(facts.customers[loser]?.neverMerge ?? [])
    facts.customers[survivor] = (createdAt(merge.survivor, merge.tenant), forbidden)
    for (key, identity) in newIdentities where key.tenant == merge.tenant && identity.customer == merge.loser {
      newIdentities[key]?.customer = merge.survivor
    }
    assurances[survivor] = max(assurances[survivor] ?? .a0, assurances[loser] ?? .a0)
  }
}
