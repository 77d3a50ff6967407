import Canonical
import Parsing

/// `typeform.response`: a form that somebody has filled in at Typeform.
///
/// Nobody is known there: what is typed stays a claim, and the hidden fields stand in a link that anybody can change. Source:
/// `channels.md`, section 20.
enum TypeformResponse {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let type = try root.requiredID("event_type")
      let eventID = try root.requiredID("event_id")
      let form = root["form_response"]
      guard type != "form_response" else { return try response(form, delivery, eventID) }
      var details = JSONObjectWriter()
      details.members(of: root, without: ["form_response"])
      details.member("form_response", form.rest(without: ["hidden"]))
      return delivery.event(
        delivery.key("unknown", type, eventID), sentAt: nil, .unknown(Unknown(what: type, details: details.finished)))
    }
  }

  private static func response(
    _ form: JSONValue, _ delivery: Delivery, _ eventID: String
  ) throws(Rejection) -> NormalisedElement {
    guard form.isObject else { throw Rejection(.malformedPayload, "form_response") }
    guard let token = try form.optionalID("token") else { throw Rejection(.malformedPayload, "form_response.token") }
    let answers = Answers(form, limit: delivery.limits.keys)
    let time = form["submitted_at"].time
    let hidden = form["hidden"]
    let (conversation, flags) = delivery.conversation(
      token: hidden["conversation"], id: hidden["conversation_id"],
      isBelieved: delivery.envelope.attested.contains(.business))
    var details = JSONObjectWriter()
    details.members(of: form, without: shown)
    details.member("title", form["definition"]["title"].string?.nonEmpty)
    details.member("hidden", hidden.rest(without: ["conversation"]))
    details.member("answers", answers.values.finished)
    details.member("questions", answers.questions.finished)
    if !flags.isEmpty { details.member("flags", flags) }
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(.email, answers.email, .a0)
    try identifiers.add(.phone, answers.phone, .a0)
    let isNPS = answers.metric == "nps"
    let response = SurveyResponse(
      externalID: token, metric: answers.metric ?? "form_response", score: answers.score, scaleMin: isNPS ? "0" : nil,
      scaleMax: isNPS ? "10" : nil, comment: answers.comment, answeredAt: time, updatedAt: time ?? delivery.receivedAt,
      customer: identifiers.list, language: answers.comment.flatMap(Language.detect), conversation: conversation,
      details: details.finished)
    return delivery.event(delivery.key("survey", eventID), sentAt: time, .survey(response))
  }

  private static let shown: Set<String> = [
    "token", "submitted_at", "title", "hidden", "definition", "answers", "questions", "flags",
  ]

  /// `answers[]`, which name their questions by reference, never by their place.
  private struct Answers {
    private(set) var metric: String?
    private(set) var score: String?
    private(set) var email: String?
    private(set) var phone: String?
    /// By the reference of the question.
    private(set) var values = JSONObjectWriter()
    private(set) var questions = JSONObjectWriter()
    private var long: String?
    private var short: String?

    /// A short text is often a name.
    var comment: String? { long ?? short }

    init(_ form: JSONValue, limit: Int) {
      var fields: [String: JSONValue] = [:]
      for field in form["definition"]["fields"].elements.prefix(limit) {
        guard let ref = field["ref"].id ?? field["id"].id, fields[ref] == nil else { continue }
        fields[ref] = field
      }
      var seen: Set<String> = []
      for answer in form["answers"].elements.prefix(limit) {
        let field = answer["field"]
        guard let ref = field["ref"].id ?? field["id"].id, seen.insert(ref).inserted else { continue }
        let value = answer[answer["type"].string ?? ""]
        values.member(ref, value.json)
        questions.member(ref, fields[ref]?["title"].string)
        let kind = field["type"].string ?? fields[ref]?["type"].string ?? ""
        switch kind {
        case "nps", "opinion_scale", "rating":
          guard score == nil, let number = try? answer.decimal("number") else { continue }
          (metric, score) = (kind == "nps" ? "nps" : "csat", number)
        case "long_text": long = long ?? value.string?.nonEmpty
        case "short_text": short = short ?? value.string?.nonEmpty
        case "email": email = email ?? value.string(atMost: Identifier.maximumBytes)
        case "phone_number": phone = phone ?? value.string(atMost: Identifier.maximumBytes)
        default: continue
        }
      }
    }
  }
}
