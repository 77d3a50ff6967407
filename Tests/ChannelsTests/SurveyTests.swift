import Canonical
import Testing

@testable import Channels

/// Answers to surveys: what their goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct SurveyTests {
  private static let conversation = "01a205c3-931a-7002-87e1-15aaf866b8e9"

  private func normalise(_ type: String, _ name: String) throws -> NormalisedRecord {
    Normaliser(tokenKey: Sample.tokenKey).normalise(try Sample.named(type, name).record())
  }

  private func response(_ type: String, _ name: String) throws -> SurveyResponse {
    let event = try #require(try normalise(type, name).events.first)
    guard case .survey(let response) = event.body else { throw Unexpected(what: canonicalJSON(event).string) }
    return response
  }

  private struct Unexpected: Error { let what: String }

  private func stated(_ response: SurveyResponse) -> [String] {
    response.customer.map { $0.identifier.kind.rawValue + " " + $0.identifier.value + " " + $0.assurance.label }
  }

  @Test("13: nought is a score, and no score is none")
  func scores() throws {
    #expect(try response("delighted.survey", "created").score == "0")
    #expect(try response("typeform.response", "nps").score == "0")
    #expect(try response("survey.response", "nps_zero").score == "0")
    #expect(try response("chat.event", "csat").score == "0")
    #expect(try response("survey.response", "only_a_comment").score == nil)
    #expect(try normalise("survey.response", "score_in_words").outcomes == ["malformed_payload"])
  }

  @Test("A comment that comes later is a newer version of the same answer")
  func versions() throws {
    let (created, updated) = (try response("delighted.survey", "created"), try response("delighted.survey", "updated"))
    #expect(created.externalID == updated.externalID && created.updatedAt < updated.updatedAt)
    #expect(created.answeredAt == updated.answeredAt && created.comment == nil && updated.comment != nil)
    let keys = try ["created", "updated"].flatMap { try normalise("delighted.survey", $0).events }.map(\.key)
    #expect(Set(keys).count == 2)
  }

  @Test("2: Delighted's seconds and our milliseconds")
  func timestamps() throws {
    #expect(try response("delighted.survey", "updated").updatedAt.iso8601 == "2026-05-12T09:14:02.000000Z")
    #expect(try response("survey.response", "nps_zero").answeredAt?.iso8601 == "2026-05-12T09:14:02.120000Z")
  }

  @Test("Answers are joined by their reference, whatever their order")
  func references() throws {
    let (one, other) = (try response("typeform.response", "nps"), try response("typeform.response", "answers_in_another_order"))
    #expect(one.metric == "nps" && other.metric == "nps" && one.score == other.score && one.comment == other.comment)
    #expect(one.scaleMin == "0" && one.scaleMax == "10" && stated(one) == ["email ana.ruiz@example.org A0"])
    let rating = try response("typeform.response", "rating")
    #expect(rating.metric == "csat" && rating.score == "4" && rating.scaleMax == nil && rating.comment == "Muy amables")
    #expect(try response("typeform.response", "types_in_the_definition").score == "3")
    #expect(try response("typeform.response", "no_rating").metric == "form_response")
  }

  @Test("A conversation is named by our token, or by its id on the word of who may say so")
  func conversations() throws {
    let named = [
      ("delighted.survey", "csat_with_token"), ("delighted.survey", "ces_with_id"), ("typeform.response", "with_token"),
      ("survey.response", "with_token"), ("survey.response", "with_id"), ("survey.response", "token_not_attested"),
      ("chat.event", "csat_with_comment"),
    ]
    for (type, name) in named {
      #expect(try response(type, name).conversation?.description == Self.conversation, "\(type) \(name)")
    }
    // What stands in a link may be anybody's.
    let unnamed = [
      ("delighted.survey", "unsigned"), ("delighted.survey", "id_of_a_link"), ("delighted.survey", "foreign_token"),
      ("typeform.response", "with_id"),
      ("typeform.response", "foreign_token"), ("survey.response", "id_not_attested"), ("survey.response", "foreign_token"),
      ("chat.event", "csat_with_foreign_token"),
    ]
    for (type, name) in unnamed { #expect(try response(type, name).conversation == nil, "\(type) \(name)") }
    for (type, name) in named + unnamed + [("typeform.response", "partial")] {
      let json = try normalise(type, name).events.map { canonicalJSON($0).string }.joined()
      #expect(!json.contains("agralq4tdj") && !json.contains("aaaaaaaa"), "\(type) \(name)")
    }
  }

  @Test("Who answers is known as far as somebody vouches for them")
  func people() throws {
    #expect(
      try stated(response("delighted.survey", "csat_with_token")) == [
        "contact 5976 A2", "email eva@example.net A1", "phone +34600777666 A1",
      ])
    #expect(try stated(response("delighted.survey", "unsigned")) == ["contact 5975 A0", "email ana.ruiz@example.org A0"])
    #expect(try response("delighted.survey", "created").customer.first?.identifier.scope == "delighted:shop-nps")
    #expect(try stated(response("survey.response", "nps_zero")) == ["external_id 10042 A3"])
    #expect(
      try stated(response("survey.response", "token_not_attested")) == ["external_id 10042 A0", "email ana.ruiz@example.org A0"])
  }

  @Test("What a caller presses at the end of a call is an answer about it, however often its record comes")
  func call() throws {
    let record = try normalise("connect.contact", "inbound")
    let call = try #require(record.messages.first)
    guard case .survey(let answer)? = record.events.last?.body else { throw Unexpected(what: "no survey") }
    #expect(answer.metric == "csat" && answer.score == "4" && answer.scaleMax == nil)
    #expect(answer.session == call.session && answer.customer == call.customer && answer.externalID == call.externalID)
    let later = try normalise("connect.contact", "updated").events
    guard case .survey(let changed)? = later.last?.body else { throw Unexpected(what: "no survey") }
    #expect(changed.score == "5" && changed.externalID == answer.externalID && later.last?.key != record.events.last?.key)
    #expect(try normalise("connect.contact", "kinesis").events[2].key == record.events.last?.key)
  }

  @Test("An answer in the chat belongs to its session")
  func chat() throws {
    let answer = try response("chat.event", "csat_with_comment")
    #expect(answer.session == .session(.chat, account: "w_shop", id: "c_71") && answer.metric == "csat")
    #expect(stated(answer) == ["visitor v_5f0 bearer"] && answer.language == "es" && answer.score == "4")
  }
}
