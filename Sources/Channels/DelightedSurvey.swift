import Canonical
import Parsing

/// `delighted.survey`: an answer to a survey of Delighted, whose comment comes minutes after its score, as a newer version of it.
///
/// Source: `channels.md`, section 20.
enum DelightedSurvey {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let type = try root.requiredID("event_type")
      let eventID = try root.requiredID("event_id")
      let data = root["event_data"]
      switch type {
      case "survey_response.created", "survey_response.updated": return try response(data, delivery, eventID)
      default:
        var details = JSONObjectWriter()
        details.members(of: root, without: ["event_data"])
        details.member("event_data", data.rest(without: ["person_properties"]))
        return delivery.event(
          delivery.key("unknown", type, eventID), sentAt: nil, .unknown(Unknown(what: type, details: details.finished)))
      }
    }
  }

  private static func response(
    _ data: JSONValue, _ delivery: Delivery, _ eventID: String
  ) throws(Rejection) -> NormalisedElement {
    guard data.isObject else { throw Rejection(.malformedPayload, "event_data") }
    guard let id = try data.optionalID("id") else { throw Rejection(.malformedPayload, "event_data.id") }
    let metric = try data.requiredID("survey_type", in: "event_data.")
    let scale = scales[metric]
    let comment = data["comment"].string?.nonEmpty
    let answeredAt = data["created_at"].time
    let updatedAt = data["updated_at"].time ?? answeredAt
    // Where a survey is a link, its properties stand in it.
    let properties = data["person_properties"]
    let (conversation, flags) = delivery.conversation(
      token: properties["conversation"], id: properties["conversation_id"],
      isBelieved: delivery.envelope.attested.contains(.business))
    var details = JSONObjectWriter()
    details.members(of: data, without: shown)
    details.member("person_properties", properties.rest(without: ["conversation"]))
    if !flags.isEmpty { details.member("flags", flags) }
    let response = SurveyResponse(
      externalID: id, metric: metric, score: try? data.decimal("score"), scaleMin: scale?.first, scaleMax: scale?.last,
      comment: comment, answeredAt: answeredAt, updatedAt: updatedAt ?? delivery.receivedAt,
      customer: try identifiers(data["person"], delivery), customerName: data["person"]["name"].personName,
      language: comment.flatMap(Language.detect), conversation: conversation, details: details.finished)
    return delivery.event(delivery.key("survey", eventID), sentAt: updatedAt, .survey(response))
  }

  private static let scales = ["nps": ["0", "10"], "csat": ["1", "5"]]

  private static let shown: Set<String> = [
    "id", "person", "survey_type", "score", "comment", "created_at", "updated_at", "person_properties", "flags",
  ]

  private static func identifiers(_ person: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    let stated: Assurance = delivery.isVouchedFor ? .a1 : .a0
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(
      .contact, scope: "delighted:" + delivery.account, person["id"].id ?? person.id, delivery.recordAssurance)
    try identifiers.add(.email, person["email"].string(atMost: Identifier.maximumBytes), stated)
    try identifiers.add(.phone, person["phone_number"].string(atMost: Identifier.maximumBytes), stated)
    return identifiers.list
  }
}
