import Canonical

/// Two customers become one: what that does to their conversations and messages.
extension ThreadPlanner {
  /// The loser's conversations go to the survivor; of two live ones in a lane the older lives on.
  mutating func apply(_ merge: Merge, _ event: Event) {
    let (survivor, loser) = (InTenant(merge.tenant, merge.survivor), InTenant(merge.tenant, merge.loser))
    mergeProfiles(survivor, loser, merge, event)
    var merged: [(from: ID, into: ID)] = []
    for key in conversations(of: merge.loser, merge.tenant) { merged += move(key, to: merge.survivor, merge.at, event) }
    writes.merges.append((ids.next(), merge, merged))
  }

  /// Whoever was but a claim has one lane across channels from now on, like everybody else.
  mutating func adopt(_ customer: InTenant<ID>, _ time: Timestamp, _ event: Event) {
    for key in conversations(of: customer.value, customer.tenant) where conversations[key]?.lane != "" {
      _ = move(key, to: customer.value, time, event)
    }
  }

  /// In the order of their ids, that is of their making.
  private func conversations(of customer: ID, _ tenant: String) -> [InTenant<ID>] {
    conversations.values.filter { $0.customer == customer && $0.tenant == tenant }.map { InTenant(tenant, $0.id) }.sorted()
  }

  /// Gives the conversation to the customer, in the lane that is theirs everywhere; returns what became part of what.
  private mutating func move(
    _ key: InTenant<ID>, to customer: ID, _ time: Timestamp, _ event: Event
  ) -> [(from: ID, into: ID)] {
    guard var conversation = conversations[key] else { return [] }
    let old = conversation.laneKey
    let new = Lane(tenant: key.tenant, customer: customer, name: "")
    if conversation.status.isLive { live[old] = nil } else { ended[old]?.remove(key.value) }
    if conversation.customer != customer {
      conversation.originCustomer = conversation.originCustomer ?? conversation.customer
      conversation.customer = customer
      moveMessages(of: key, into: key.value, customer)
    }
    conversation.lane = ""
    conversations[key] = conversation
    change(key)
    guard conversation.status.isLive, let other = live[new].flatMap({ conversations[InTenant(key.tenant, $0)] }) else {
      index(conversation, key)
      return []
    }
    let isOlder = (conversation.openedAt, conversation.id) < (other.openedAt, other.id)
    let (kept, gone) = isOlder ? (conversation.id, other.id) : (other.id, conversation.id)
    join(InTenant(key.tenant, gone), into: InTenant(key.tenant, kept), new, time, event)
    return [(gone, kept)]
  }

  private mutating func join(_ gone: InTenant<ID>, into kept: InTenant<ID>, _ lane: Lane, _ time: Timestamp, _ event: Event) {
    guard var from = conversations[gone], var into = conversations[kept] else { return }
    if from.lastMessageAt > into.lastMessageAt {
      (into.lastChannel, into.lastAccount) = (from.lastChannel, from.lastAccount)
    }
    into.openedAt = min(into.openedAt, from.openedAt)
    into.lastMessageAt = max(into.lastMessageAt, from.lastMessageAt)
    into.firstResponseAt = [into.firstResponseAt, from.firstResponseAt].compactMap { $0 }.min()
    into.waitingSince = [into.waitingSince, from.waitingSince].compactMap { $0 }.min()
    into.language = into.language ?? from.language
    into.subject = into.subject ?? from.subject
    into.priority = max(into.priority, from.priority)
    into.handoff = into.handoff ?? from.handoff
    for status in [ConversationState.Status.open, .pending] where [into.status, from.status].contains(status) {
      into.status = status
      into.snoozedUntil = nil
      break
    }
    into.version += 1
    // Whoever saw the one has not seen what the other brings.
    into.customerVersion = into.version
    emit("conversation.merged", &into, event, time) { $0.member("merged_conversation_id", gone.value) }
    from.status = .closed
    from.resolvedAt = time
    from.waitingSince = nil
    from.snoozedUntil = nil
    from.mergedInto = kept.value
    from.version += 1
    emit("conversation.closed", &from, event, time) { data in
      data.member("reason", "merged")
      data.member("merged_into", kept.value)
    }
    conversations[gone] = from
    conversations[kept] = into
    change(kept)
    change(gone)
    for (key, other) in conversations where key.tenant == gone.tenant && other.mergedInto == gone.value {
      conversations[key]?.mergedInto = kept.value
      change(key)
    }
    live[lane] = kept.value
    moveMessages(of: gone, into: kept.value, into.customer)
    for (surface, route) in routes[gone] ?? [:] where routes[kept]?[surface]?.isBefore(route) ?? true {
      routes[kept, default: [:]][surface] = route
    }
  }

  /// Those of this batch here; those that are stored by a statement, to where the conversation ends up.
  private mutating func moveMessages(of key: InTenant<ID>, into conversation: ID, _ customer: ID) {
    for position in writes.messages.indices
    where writes.messages[position].tenant == key.tenant && writes.messages[position].conversation == key.value {
      if writes.messages[position].conversation != conversation {
        writes.messages[position].originConversation = writes.messages[position].originConversation ?? key.value
        writes.messages[position].conversation = conversation
      }
      if writes.messages[position].customer != customer {
        writes.messages[position].originCustomer = writes.messages[position].originCustomer ?? writes.messages[position].customer
        writes.messages[position].customer = customer
      }
    }
    moved.insert(key)
  }

  /// Rule 10: what the business said last wins, whichever of the two it said it of.
  private mutating func mergeProfiles(_ survivor: InTenant<ID>, _ loser: InTenant<ID>, _ merge: Merge, _ event: Event) {
    let mine = profiles[survivor] ?? CustomerProfile(isVerified: false)
    let theirs = profiles[loser] ?? CustomerProfile(isVerified: false)
    let lowest = Timestamp.storable.lowerBound
    let (newer, older) = (theirs.updatedAt ?? lowest) > (mine.updatedAt ?? lowest) ? (theirs, mine) : (mine, theirs)
    var profile = mine
    profile.displayName = newer.displayName ?? older.displayName
    profile.language = newer.language ?? older.language
    profile.organization = newer.organization ?? older.organization
    profile.updatedAt = newer.updatedAt ?? older.updatedAt
    profile.traits = mine.traits.merging(theirs.traits) { $0.at >= $1.at ? $0 : $1 }
    profile.isVerified = mine.isVerified || theirs.isVerified
    profile.eventSeq += 1
    profiles[survivor] = profile
    writes.changedCustomers[survivor] = profile
    var data = JSONObjectWriter()
    data.member("seq", profile.eventSeq)
    data.member("customer_id", merge.survivor)
    data.member("merged_customer_id", merge.loser)
    data.member("rule", merge.rule)
    data.member("agent_id", merge.agent)
    writes.events.append(
      .init(
        tenant: merge.tenant, id: ids.next(), topic: "conversation.events", type: "customer.merged",
        subject: merge.survivor.description, seq: profile.eventSeq, at: merge.at, traceparent: event.traceparent,
        data: data.finish()))
  }
}
