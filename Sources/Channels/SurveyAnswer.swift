import Canonical
import Parsing

/// `survey.response`: an answer to a survey of the business's own (`schemas/payloads/survey.response.json`), one a record.
///
/// Whoever holds the token of a conversation speaks about it; its bare id needs `signature` or `business` attested.
enum SurveyAnswer {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      guard let id = try payload.optionalID("event_id") else { throw Rejection(.malformedPayload, "event_id") }
      let metric = try payload.requiredID("metric")
      let answeredAt = payload["answered_at"].time
      guard payload["answered_at"].timeFlags.isEmpty else { throw Rejection(.malformedPayload, "answered_at") }
      let comment = try payload.text("comment")
      let (conversation, flags) = delivery.conversation(
        token: payload["token"], id: payload["conversation_id"], isBelieved: delivery.isVouchedFor)
      var details = JSONObjectWriter()
      details.members(of: payload, without: shown, or: conversation == nil ? nil : "conversation_id")
      if !flags.isEmpty { details.member("flags", flags) }
      let response = SurveyResponse(
        externalID: id, metric: metric, score: try payload.decimal("score"), scaleMin: try payload.decimal("scale_min"),
        scaleMax: try payload.decimal("scale_max"), comment: comment, answeredAt: answeredAt,
        updatedAt: answeredAt ?? delivery.receivedAt, customer: try OrderUpsert.identifiers(payload, delivery),
        customerName: payload["customer"]["name"].personName,
        language: payload["language"].string?.languageOfLocale ?? comment.flatMap(Language.detect), conversation: conversation,
        details: details.finished)
      return delivery.event(delivery.key("survey", id), sentAt: answeredAt, .survey(response))
    }
  }

  /// What has a place of its own; tokens are never stored.
  private static let shown: Set<String> = [
    "event_id", "metric", "score", "scale_min", "scale_max", "comment", "answered_at", "language", "token", "flags",
  ]
}

extension Delivery {
  /// The conversation that an answer is about, by our token, else by its id where that is believed; and the flag for a token that
  /// is not ours.
  func conversation(token: JSONValue, id: JSONValue, isBelieved: Bool) -> (conversation: ID?, flags: [String]) {
    let (named, flags) = continuation(token.id)
    return (named ?? (isBelieved ? id.id.flatMap { ID($0) } : nil), flags)
  }
}
