import Canonical
import Testing

@testable import Channels

/// HubSpot: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct HubSpotEventTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("hubspot.event", name, replacing: old, with: new)
  }

  private func keys(_ record: NormalisedRecord) -> Set<MessageKey> { Set(record.events.map(\.key)) }

  @Test("Either topic is read, with its own source, and gives the same events")
  func topics() throws {
    var sample = try Sample.named("hubspot.event", "batch")
    let record = Normaliser().normalise(sample.record())
    #expect(record.events.map(\.channel) == [.ticket, .crm])
    var other = sample.record()
    other.topic = "channel.ticket"
    #expect(Normaliser().normalise(other).outcomes == ["topic_mismatch"])
    sample.headers["ce_source"] = "/channels/ticket/789"
    other = sample.record(prefix: "shop.")
    #expect(Normaliser(topicPrefix: "shop.").normalise(other).outcomes == ["topic_mismatch"])
    other.topic = "shop.channel.ticket"
    #expect(Normaliser(topicPrefix: "shop.").normalise(other).golden == record.golden)
    other.topic = "shop.channel.chat"
    #expect(Normaliser(topicPrefix: "shop.").normalise(other).outcomes == ["topic_mismatch"])
    #expect(Set(Formats.topics).isSuperset(of: ["crm.contacts", "channel.ticket"]))
  }

  @Test("3: an id keeps every digit")
  func longID() throws {
    #expect(try normalise("contact_created").events.flatMap(\.stated).map(\.identifier.value) == ["9007199254740993"])
  }

  @Test("6 and 7: a call holds many events in any order, and a bad one costs no other")
  func batches() throws {
    let batch = try normalise("batch")
    #expect(keys(batch).count == 2)
    #expect(keys(try normalise("batch_again")) == keys(batch))
    let record = try normalise("one_bad_element")
    #expect(record.outcomes == ["event", "malformed_payload", "malformed_payload", "malformed_payload", "event"])
    #expect(keys(record) == keys(batch))
  }

  @Test("An event's id is unique neither across portals nor across subscriptions", arguments: ["789", "335", "1778577243000"])
  func identity(_ part: String) throws {
    let key = try normalise("batch").events.last?.key
    #expect(try normalise("batch", replacing: part, with: "790").events.last?.key != key)
  }

  @Test("19: that something was said is a note to ask for it, and nobody's message")
  func thin() throws {
    let record = try normalise("batch")
    let change = try #require(record.changes.first)
    #expect(record.messages.isEmpty && change.kind == "enrichment" && change.customer.isEmpty)
    #expect(change.target == .message(.ticket, account: "789", id: "555f1c0e9d3b4c7a8e6f2d1b"))
  }

  @Test("A property is what an identifier or a trait is made of, and half a name is no name")
  func properties() throws {
    let contacts = try normalise("properties").events.compactMap { event -> Contact? in
      if case .contact(let contact) = event.body { contact } else { nil }
    }
    #expect(contacts.count == 6)
    #expect(contacts.allSatisfy { $0.displayName == nil && $0.identifiers.first?.identifier.value == "151" })
    #expect(contacts.map(\.identifiers.count) == [2, 1, 1, 1, 1, 1])
    #expect(contacts.flatMap(\.traits.keys) == ["firstname", "lastname", "lifecyclestage", "jobtitle"])
    #expect(contacts[4].traits["jobtitle"]?.string == "null")
    let phone = try normalise("local_phone").events.flatMap(\.stated).last
    #expect(phone == StatedIdentifier(Identifier(.phone, "+34600123456"), .a1))
  }

  @Test("What was typed into a form or a chat is a claim, and so is what comes from nobody knows where")
  func typed() throws {
    let assurances = try normalise("typed_by_visitor").events.map { $0.stated.map(\.assurance) }
    #expect(assurances == [[.a2, .a0], [.a2, .a0], [.a2, .a0]])
  }

  @Test("19: what was fetched is what the thin event waits for; a ticket is its own first message")
  func fetched() throws {
    let thin = try Sample.normalise("hubspot.event", "batch").changes.first { $0.kind == "enrichment" }
    let said = try #require(try Sample.normalise("hubspot.event", "fetched_message").messages.first)
    #expect(said.names == [thin?.target].compactMap { $0 } && said.direction == .inbound && said.attachments.count == 1)
    #expect(said.customer.map(\.assurance) == [.a2, .a0])
    let reply = try #require(try Sample.normalise("hubspot.event", "fetched_reply").messages.first)
    #expect(reply.direction == .outbound && reply.customer.first == said.customer.first && reply.session == said.session)
    let comment = try #require(try Sample.normalise("hubspot.event", "fetched_comment").changes.first)
    #expect(comment.kind == Change.said && comment.status == "internal" && comment.target == said.session)
    let ticket = try #require(try Sample.normalise("hubspot.event", "fetched_ticket").messages.first)
    let events = try Sample.normalise("hubspot.event", "ticket_events").changes
    #expect(ticket.subject == "Jarrón roto" && ticket.customer.first == said.customer.first && ticket.session != said.session)
    #expect(events.map(\.kind) == ["enrichment"] + Array(repeating: Change.conversationState, count: 3))
    #expect(events.map(\.target) == [ticket.names.first] + Array(repeating: ticket.session, count: 3))
    #expect(events.map(\.status) == [nil, "4", "hubspot_owner_id", "deletion"])
  }

  @Test("6 and 7: a page of fetched messages is read one by one")
  func page() throws {
    let page = try Sample.normalise("hubspot.event", "fetched_page")
    #expect(page.outcomes == ["event", "ignored no_text", "event", "event", "malformed_payload"])
    #expect(page.messages.map(\.authorKind) == [.customer, .bot] && page.messages.map(\.direction) == [.inbound, .outbound])
    #expect(page.messages.map(\.flags) == [["text_truncated"], []] && page.messages.allSatisfy(\.attachments.isEmpty))
  }
}
