extension Cluster {
  /// What must hold whatever happened; returns the sentences that do not.
  public func violations() async throws -> [String] {
    let checks = [
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
    var found: [String] = []
    for (sentence, sql) in checks where try await number(sql) != 0 { found.append(sentence) }
    return found
  }
}
