import Canonical
import Testing

@testable import Channels

/// Salesforce: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct SalesforceChangeTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("salesforce.change", name, replacing: old, with: new)
  }

  private func contacts(_ name: String) throws -> [Contact] {
    try normalise(name).events.compactMap { event -> Contact? in
      if case .contact(let contact) = event.body { contact } else { nil }
    }
  }

  @Test("A name is one when it is whole; what was taken away is null")
  func names() throws {
    #expect(try contacts("contact_created").map(\.displayName) == ["Ana Ruiz"])
    #expect(try contacts("lead_created").map(\.displayName) == ["Yılmaz"])
    let updated = try #require(try contacts("contact_updated").first)
    #expect(updated.displayName == nil)
    #expect(
      updated.traits.mapValues(\.string) == [
        "Name.LastName": "\"Ruiz Gil\"", "MailingAddress.City": "\"Alicante\"", "MailingAddress.Street": "null",
        "Tier__c": "null",
      ])
  }

  @Test("Null is no change where all fields are written, and a bitmap names none")
  func bitmaps() throws {
    let contact = try #require(try contacts("contact_pubsub").first)
    #expect(contact.traits.mapValues(\.string) == ["MailingAddress.City": "\"Madrid\""])
    #expect(contact.identifiers.map(\.identifier.value) == ["0033j00001BvYtKAAV", "+34600999888"])
  }

  @Test("15: a number as dialled in the country is one there alone")
  func phones() throws {
    let numbers = try contacts("contact_created").flatMap(\.identifiers).filter { $0.identifier.kind == .phone }
    #expect(numbers.map(\.identifier.value) == ["+34963123456", "+34600123456"])
    #expect(numbers.allSatisfy { $0.assurance == .a1 })
  }

  @Test("A lead has typed what is known of it, and a company is nobody")
  func people() throws {
    #expect(try contacts("lead_created").map { $0.identifiers.map(\.assurance) } == [[.a2, .a0]])
    #expect(try contacts("business_account").isEmpty && normalise("business_account").outcomes == ["event"])
    #expect(try contacts("person_account").map(\.displayName) == ["Juan Gil"])
  }

  @Test("Records that were changed alike have keys of their own, and a wildcard is no record")
  func records() throws {
    let several = try normalise("several_records")
    #expect(several.outcomes == ["event", "event"] && Set(several.events.map(\.key)).count == 2)
    #expect(try contacts("wildcard").isEmpty)
    #expect(try normalise("wildcard").outcomes == ["event"])
    let next = try normalise("several_records", replacing: #""sequenceNumber": 1"#, with: #""sequenceNumber": 2"#)
    #expect(Set(next.events.map(\.key)).isDisjoint(with: several.events.map(\.key)))
  }

  @Test("5: what we changed ourselves comes back and is passed over")
  func ownChanges() throws {
    #expect(try normalise("own_change").outcomes == ["ignored own_change"])
    #expect(try normalise("own_change", replacing: "client=Throughline", with: "client=Throughline2").outcomes == ["event"])
  }

  @Test("7: one bad element costs no other, in an envelope or without")
  func elements() throws {
    #expect(try normalise("one_bad_element").outcomes == ["event", "malformed_payload", "malformed_payload", "event"])
    #expect(try normalise("case_created_cometd").golden == normalise("case_created").golden)
  }

  @Test("8 and 18: a case is its own first message; an edit and a deletion have keys of their own")
  func cases() throws {
    let ticket = try #require(try normalise("case_created").messages.first)
    #expect(ticket.direction == .inbound && ticket.authorKind == .customer && ticket.subject == "Jarrón roto")
    let mail = try #require(try normalise("mail_incoming").messages.first)
    #expect(mail.direction == .inbound && mail.session == ticket.session && mail.customer.map(\.assurance) == [.a0])
    #expect(try normalise("mail_outgoing").messages.map(\.direction) == [.outbound])
    let both = try normalise("case_status_and_words")
    #expect(both.changes.map(\.kind) == ["conversation_state", "edit"] && Set(both.events.map(\.key)).count == 2)
    #expect(both.changes.map(\.target) == [ticket.session, ticket.names.first])
    #expect(both.changes.first?.details.string.contains(#""Description":"#) == false)
    let comment = try normalise("comment")
    #expect(comment.changes.map(\.kind) == [Change.said] && comment.changes.map(\.target) == [ticket.session])
    #expect(comment.changes.map(\.status) == ["internal"])
    let edit = try normalise("comment_edited")
    #expect(edit.changes.map(\.target) == [comment.changes.first?.name])
    #expect(edit.events.map(\.key) != comment.events.map(\.key))
  }

  @Test("19: a gap says that something is to be asked for")
  func gaps() throws {
    let gaps = try normalise("gap")
    #expect(gaps.changes.map(\.kind) == ["enrichment", "enrichment", "enrichment"])
    #expect(Set(gaps.events.map(\.key)).count == 3)
  }

  @Test("A copied contact that nobody vouches for takes nothing's place")
  func copiedContact() throws {
    #expect(try normalise("unsigned").events.map(\.key) != normalise("contact_created").events.map(\.key))
  }
}
