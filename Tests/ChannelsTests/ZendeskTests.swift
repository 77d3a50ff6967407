import Canonical
import Testing

@testable import Channels

/// Zendesk and Sunshine Conversations: what their goldens show and do not say (traps of `channels.md`, section 21, by their
/// numbers).
@Suite struct ZendeskTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("zendesk.event", name, replacing: old, with: new)
  }

  private func name(_ id: String) -> ReferenceKey { .message(.ticket, account: "zendesk-shop", id: id) }

  @Test("3: ids of 64 bits keep every digit")
  func ids() throws {
    #expect(try normalise("comment_added").messages.map(\.externalID) == ["9007199254740993"])
  }

  @Test("5: an answer of the staff is theirs, a note stays inside, Zendesk itself says nothing")
  func echoes() throws {
    let messages = try ["comment_added", "agent_replies", "private_note", "in_copy"].flatMap { try normalise($0).messages }
    #expect(messages.map(\.direction) == [.inbound, .outbound, .internal, .inbound])
    #expect(messages.map(\.authorKind) == [.customer, .agent, .agent, .customer])
    #expect(messages.map(\.authorID) == [nil, "8447346621310", "8447346621310", nil])
    let requester = StatedIdentifier(Identifier(.contact, scope: "zendesk:22129848", "8447388090495"), .a2)
    #expect(messages.allSatisfy { $0.customer == [requester] })
    // The name of who is in copy is not the requester's.
    #expect(messages.map(\.customerName) == ["Ana Ruiz", nil, nil, nil])
    #expect(messages.map(\.flags) == [[], [], [], ["other_author"]])
    #expect(messages.last?.details.string.hasPrefix(#"{"author_name":"Pedro Ruiz""#) == true)
    #expect(try normalise("system_comment").outcomes == ["ignored system"])
    #expect(try normalise("trigger_by_system").outcomes == ["ignored system"])
    #expect(try normalise("unsigned").messages.first?.customer.map(\.assurance) == [.a0])
  }

  @Test("8: what is redacted is the comment, and the key is the redaction's")
  func redactions() throws {
    let comment = try normalise("comment_added")
    let changes = try ["comment_redacted", "attachment_linked", "attachment_redacted"].map { try normalise($0) }
    #expect(changes.flatMap(\.changes).map(\.kind) == ["delete", "attachment", "attachment"])
    #expect(changes.flatMap(\.changes).map(\.status) == [nil, nil, "removed"])
    // The staff may take back whatever anybody has written.
    #expect(changes[0].changes.first?.customer.isEmpty == true && changes[0].changes.first?.authorKind == .agent)
    #expect(changes.flatMap(\.changes).allSatisfy { $0.target == comment.messages.first?.names.first })
    #expect(Set((changes + [comment]).flatMap(\.events).map(\.key)).count == 4)
    // Of what has to go, only its id is left.
    let attachment = Attachment(kind: "image", providerID: "498483")
    #expect(changes[2].changes.first?.attachments == [attachment])
  }

  @Test("18: the first message is the description, by whoever has submitted the ticket")
  func description() throws {
    let created = try #require(try normalise("created").messages.first)
    #expect(created.externalID == "ticket:5158" && created.names == [name("ticket:5158")])
    #expect(created.direction == .inbound && created.subject == "Jarrón roto")
    #expect(created.session == (try normalise("comment_added").messages.first?.session))
    #expect(try normalise("created_by_agent").messages.map(\.direction) == [.outbound])
  }

  @Test("Status, priority, assignment and merger are the ticket's, each time with another key")
  func states() throws {
    let records = try ["solved", "closed_by_system", "priority_changed", "assigned", "merged"].map { try normalise($0) }
    let changes = records.flatMap(\.changes)
    #expect(changes.map(\.status) == ["solved", "closed", "priority_changed", "agent_assignment_changed", "merged"])
    #expect(changes.map(\.authorKind) == [nil, .system, nil, nil, nil])
    let session = ReferenceKey.session(.ticket, account: "zendesk-shop", id: "5158")
    #expect(changes.allSatisfy { $0.kind == "conversation_state" && $0.target == session })
    let again = try normalise("solved", replacing: "8e4f39c71d60", with: "8e4f39c71d99")
    #expect(Set((records + [again]).flatMap(\.events).map(\.key)).count == 6)
  }

  @Test("6 and 7: Sunshine sends batches, and a bad or new element costs none of the others")
  func batches() throws {
    let batch = try normalise("sunshine_batch")
    #expect(batch.outcomes == ["event", "malformed_payload", "event", "ignored typing", "event"])
    #expect(batch.messages.map(\.externalID) == ["6107f0a1aa01", "6107f0a1aa02"])
    #expect(try normalise("sunshine_empty").outcomes == ["ignored empty"])
  }

  @Test("9: Sunshine's receipts are of one message, but what was read is all up to then")
  func receipts() throws {
    let receipts = try normalise("sunshine_receipts")
    #expect(receipts.changes.map(\.status) == ["sent", "delivered", "failed", "read"])
    #expect(receipts.changes.map(\.targetExternalID) == ["6107f0a1aa07", "6107f0a1aa07", "6107f0a1aa08", nil])
    #expect(receipts.changes.last?.upTo?.iso8601 == "2026-05-12T09:14:07.201000Z")
    #expect(receipts.outcomes.last == "ignored own_read")
  }

  @Test("A conversation passed or offered to the desk's agents is handed over; who has it otherwise is a note")
  func switchboard() throws {
    let record = try normalise("sunshine_switchboard")
    #expect(
      record.changes.map { $0.status ?? $0.kind } == [
        "handoff", "handoff", "switchboard:passControl", "switchboard:releaseControl", "switchboard:passControl:failure",
      ])
    #expect(record.changes.first?.target == record.messages.first?.session)
    #expect(record.outcomes.last == "malformed_payload")
  }

  @Test("What a profile says is a claim; users who are merged come with both their ids")
  func identities() throws {
    let postback = try normalise("sunshine_postback_and_merge")
    let stated = postback.events.map { $0.stated.map { $0.identifier.kind.rawValue + " " + $0.assurance.label } }
    #expect(stated[0] == ["contact A2", "external_id A1", "email A0"])
    #expect(stated[1] == ["contact A2", "contact A2"])
    // Without its customer it would begin a conversation of its own.
    let echo = try #require(try normalise("sunshine_echo").changes.first)
    #expect(echo.kind == Change.said && echo.authorKind == .agent && echo.text == "Lo sentimos. Le enviamos otro.")
  }
}
