extension Cluster {
  /// What must hold whatever happened; returns the sentences that do not.
  ///
  /// - Parameter isRouted: routers raise versions as well, and nobody can count these by messages alone.
  public func violations(isRouted: Bool = false) async throws -> [String] {
    var checks = [
      "a lane with two live conversations": """
      SELECT count(*) FROM (SELECT 1 FROM throughline.conversation WHERE status IN ('open', 'pending', 'snoozed')
      GROUP BY tenant_id, customer_id, lane HAVING count(*) > 1) x
      """,
      "a message stored twice": """
      SELECT count(*) FROM (SELECT 1 FROM throughline.message WHERE external_id IS NOT NULL
      GROUP BY tenant_id, channel, account, external_id HAVING count(*) > 1) x
      """,
      "a message of another customer than its conversation": """
      SELECT count(*) FROM throughline.message m JOIN throughline.conversation v ON v.tenant_id = m.tenant_id AND v.id = m.conversation_id
      WHERE v.customer_id <> m.customer_id
      """,
      "a conversation whose version does not count its messages": """
      SELECT count(*) FROM throughline.conversation v WHERE v.version <> 1 + (SELECT count(*) FROM throughline.message m
      WHERE m.tenant_id = v.tenant_id AND m.conversation_id = v.id)
      AND NOT EXISTS (SELECT FROM throughline.conversation o WHERE v.id IN (o.merged_into) OR v.merged_into = o.id)
      """,
      "something left with a customer who has become part of another": """
      SELECT count(*) FROM throughline.customer c WHERE c.merged_into IS NOT NULL AND (
      EXISTS (SELECT FROM throughline.customer r WHERE r.id = c.merged_into AND r.merged_into IS NOT NULL)
      OR EXISTS (SELECT FROM throughline.identity i WHERE i.customer_id = c.id)
      OR EXISTS (SELECT FROM throughline.conversation v WHERE v.customer_id = c.id)
      OR NOT EXISTS (SELECT FROM throughline.merge_event e WHERE e.loser_id = c.id))
      """,
      "something left in a conversation that has become part of another": """
      SELECT count(*) FROM throughline.conversation v WHERE v.merged_into IS NOT NULL AND (
      EXISTS (SELECT FROM throughline.conversation r WHERE r.id = v.merged_into AND r.merged_into IS NOT NULL)
      OR EXISTS (SELECT FROM throughline.message m WHERE m.conversation_id = v.id))
      """,
    ]
    if isRouted { checks["a conversation whose version does not count its messages"] = nil }
    return try await broken(checks)
  }

  /// What must hold at any moment of assignments, loads and owners; returns the sentences that do not.
  public func routingViolations() async throws -> [String] {
    try await broken([
      "an agent is over capacity": "SELECT count(*) FROM throughline.agent WHERE load > capacity + overcommit",
      "a load is not what the agent holds": """
      SELECT count(*) FROM throughline.agent a WHERE a.load <> (SELECT coalesce(sum(s.units), 0) FROM throughline.assignment s
      WHERE s.tenant_id = a.tenant_id AND s.agent_id = a.id AND s.ended_at IS NULL)
      """,
      "more chats than the agent takes": """
      SELECT count(*) FROM throughline.agent_channel c WHERE c.load > c.capacity + c.overcommit OR c.load <> (
      SELECT count(*) FROM throughline.assignment s WHERE s.tenant_id = c.tenant_id AND s.agent_id = c.agent_id
      AND s.channel = c.channel AND s.ended_at IS NULL)
      """,
      "two open assignments of one conversation": """
      SELECT count(*) FROM (SELECT FROM throughline.assignment WHERE ended_at IS NULL GROUP BY tenant_id, conversation_id
      HAVING count(*) > 1) x
      """,
      "an owner without an assignment, or another one": """
      SELECT count(*) FROM throughline.conversation c LEFT JOIN throughline.assignment s ON s.tenant_id = c.tenant_id
      AND s.conversation_id = c.id AND s.ended_at IS NULL
      WHERE (c.owner_kind = 'agent') <> (s.id IS NOT NULL) OR c.owner_kind = 'agent' AND c.owner_id <> s.agent_id
      """,
    ])
  }

  private func broken(_ checks: [String: String]) async throws -> [String] {
    var found: [String] = []
    for (sentence, sql) in checks where try await number(sql) != 0 { found.append(sentence) }
    return found
  }
}
