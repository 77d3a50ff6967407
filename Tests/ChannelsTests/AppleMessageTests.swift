import Canonical
import Testing

@testable import Channels

/// Apple: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct AppleMessageTests {
  private func normalise(_ name: String) throws -> NormalisedRecord {
    try Sample.normalise("apple.message", name)
  }

  private let customer = StatedIdentifier(Identifier(.apple, scope: "93f0-business-id", "urn:mbid:AQAAY45PVG4jg"), .a2)

  @Test("1: what is in the headers alone is read there")
  func headers() throws {
    let record = try normalise("ids_in_headers")
    #expect(record.messages.map(\.customer) == [[customer]] && record.events.map(\.account) == ["93f0-business-id"])
    #expect(record.messages.map(\.externalID) == ["5f0d9b1c-0000-4d1a-9a7c-3d1f0c1f2b13"])
    #expect(try normalise("no_id").outcomes == ["malformed_payload"])
  }

  @Test("10: placeholders of attachments are no text, and what is needed to fetch them is kept")
  func attachments() throws {
    let message = try #require(try normalise("text").messages.first)
    #expect(message.text == "llegó roto" && message.attachments.map(\.sizeBytes) == [27_654])
    #expect(message.details.string.contains(#""key":"00c0d1827fdc""#))
    #expect(try normalise("only_attachments").messages.map(\.text) == [nil])
  }

  @Test("What was picked is what the customer says")
  func answers() throws {
    let names = ["list_picked", "quick_reply", "time_picked", "answer_by_reference"]
    #expect(
      try names.flatMap { try normalise($0).messages }.map(\.text) == ["Devolver", "No", "Cita en la tienda", "Formulario"])
  }

  @Test("Who deletes the conversation takes their consent back")
  func close() throws {
    let change = try #require(try normalise("close").changes.first)
    #expect(change.kind == "consent" && change.status == "opt_out" && change.customer == [customer])
    #expect(try normalise("typing_start").outcomes + normalise("typing_end").outcomes == ["ignored typing", "ignored typing"])
  }
}
