import Canonical
import Testing

@testable import Channels

/// Records of calls: what their goldens do not say by themselves (traps of `channels.md`, section 21, by their numbers).
@Suite struct CallRecordTests {
  private func normalise(_ type: String, _ name: String) throws -> NormalisedRecord {
    try Sample.normalise(type, name)
  }

  private let ana = Identifier(.phone, "+34600123456")

  @Test(
    "2: a call begins when it began, in whatever unit and zone that is told",
    arguments: [
      ("asterisk.cdr", "answered", "2026-05-12T09:14:07.000000Z"), ("asterisk.cdr", "no_time_in_id", nil),
      ("asterisk.cdr", "outbound", "2026-05-12T09:30:00.000000Z"),
      ("freeswitch.cdr", "inbound", "2026-05-12T09:14:07.000000Z"),
      ("freeswitch.cdr", "agent_calls_out", "2026-05-12T09:14:07.123456Z"),
      ("connect.contact", "inbound", "2026-05-12T09:14:07.000000Z"), ("connect.contact", "nonsense_time", nil),
    ])
  func times(_ type: String, _ name: String, time: String?) throws {
    #expect(try normalise(type, name).events.first?.sentAt?.iso8601 == time)
  }

  @Test("24: the records of a call are one message, and each of them is a change of it")
  func oneCall() throws {
    let call = try #require(try normalise("asterisk.cdr", "ring_group").messages.first)
    let attempts = try normalise("asterisk.cdr", "ring_group")
    #expect(attempts.outcomes == ["event", "event", "event", "event"])
    #expect(Set(attempts.events.map(\.key)).count == 3 && attempts.messages.map(\.names) == [call.names, call.names])
    #expect(attempts.changes.map(\.target) == [call.names.first, call.names.first])
    let transfer = try normalise("asterisk.cdr", "transfer_leg")
    #expect(transfer.messages.isEmpty && transfer.changes.map(\.target) == [call.names.first])

    let leg = try #require(try normalise("freeswitch.cdr", "inbound").messages.first)
    for name in ["leg_to_agent", "leg_by_call_uuid"] {
      let other = try normalise("freeswitch.cdr", name)
      #expect(other.messages.isEmpty && other.changes.map(\.target) == [leg.names.first], "\(name)")
    }

    let contact = try #require(try normalise("connect.contact", "inbound").messages.first)
    let transferred = try normalise("connect.contact", "transfer")
    #expect(transferred.messages.isEmpty && transferred.changes.map(\.target) == [contact.names.first])
    let callback = try #require(try normalise("connect.contact", "callback").messages.first)
    #expect(callback.direction == .outbound && callback.references == contact.names && callback.session == contact.session)
  }

  @Test("24: an attempt that nobody answered is not the outcome of its call")
  func attempts() throws {
    let messages = try normalise("asterisk.cdr", "ring_group").messages
    #expect(messages.map { $0.details.string.contains("status") } == [false, true])
    let missed = try normalise("asterisk.cdr", "missed").messages
    #expect(missed.map { $0.details.string.contains(#""status":"no-answer""#) } == [true])
  }

  @Test("A record that comes again with news is the same message and another change")
  func updates() throws {
    let (first, last) = (try normalise("connect.contact", "inbound").events, try normalise("connect.contact", "updated").events)
    #expect(first.count == 4 && last.count == 4)
    #expect(first.first?.key == last.first?.key && first[1].key != last[1].key)
    #expect(try normalise("connect.contact", "kinesis").events.first?.key == first.first?.key)
  }

  @Test("14: form, base64 and percent-encoded values are the same call")
  func encodings() throws {
    let call = try normalise("freeswitch.cdr", "inbound")
    for name in ["as_form", "as_base64"] { #expect(try normalise("freeswitch.cdr", name).golden == call.golden, "\(name)") }
    #expect(try normalise("freeswitch.cdr", "uuid_in_query").events.map(\.key) == call.events.map(\.key))
    for name in ["inbound", "plain_values"] {
      let record = try normalise("freeswitch.cdr", name)
      #expect(record.messages.map(\.customerName) == ["Ana Díaz"], "\(name)")
      #expect(record.golden.contains("gold 1") && !record.golden.contains("geheim"), "\(name)")
    }
    #expect(try normalise("freeswitch.cdr", "zero_in_value").outcomes == ["nul_in_text"])
    #expect(try normalise("freeswitch.cdr", "no_uuid").outcomes == ["malformed_payload"])
  }

  @Test("Lines, events and JSON of Asterisk are the same call")
  func shapes() throws {
    let line = try normalise("asterisk.cdr", "answered")
    let event = try normalise("asterisk.cdr", "manager_event")
    #expect(line.events.map(\.key) == event.events.map(\.key))
    #expect(line.messages.map(\.customerName) == ["Ana"] && event.messages.map(\.customerName) == ["Ana"])
    #expect(try normalise("asterisk.cdr", "manager_json").messages.map(\.customerName) == ["Ana, de Soria"])
    #expect(line.messages.first?.attachments.map(\.name) == ["1778577247.161.wav"])
    #expect(try normalise("asterisk.cdr", "other_columns").outcomes == ["malformed_payload"])
    #expect(try normalise("asterisk.cdr", "not_utf8").outcomes == ["invalid_utf8"])
    #expect(
      try normalise("asterisk.cdr", "busy_list").outcomes == [
        "event", "event", "malformed_payload", "malformed_payload", "event", "event",
      ])
  }

  @Test(
    "15: a local number is a number where its country is known, and a hidden one is nobody's",
    arguments: [
      ("asterisk.cdr", "answered", ["+34600123456"]), ("asterisk.cdr", "no_region", []), ("asterisk.cdr", "anonymous", []),
      ("asterisk.cdr", "outbound", ["+34600999888"]), ("freeswitch.cdr", "agent_calls_out", ["+34600999888"]),
      ("freeswitch.cdr", "originated", ["+34600999888"]), ("freeswitch.cdr", "anonymous", []),
      ("connect.contact", "anonymous", []), ("connect.contact", "web_call", []),
    ])
  func numbers(_ type: String, _ name: String, numbers: [String]) throws {
    let message = try #require(try normalise(type, name).messages.first)
    #expect(message.customer.map(\.identifier.value) == numbers)
    #expect(message.flags.contains("caller_unknown") == numbers.isEmpty)
  }

  @Test("Who calls is as sure as what the adapter checked; a call among ourselves is no customer's")
  func parties() throws {
    for type in ["asterisk.cdr", "freeswitch.cdr", "connect.contact"] {
      #expect(try normalise(type, "unsigned").messages.first?.customer == [StatedIdentifier(ana, .a0)], "\(type)")
    }
    #expect(try normalise("connect.contact", "inbound").messages.first?.customer == [StatedIdentifier(ana, .a1)])
    #expect(try normalise("connect.contact", "full_attestation").messages.first?.customer == [StatedIdentifier(ana, .a2)])
    for type in ["asterisk.cdr", "freeswitch.cdr"] {
      #expect(try normalise(type, "internal").outcomes == ["ignored internal"], "\(type)")
    }
    for (type, name) in [("asterisk.cdr", "outbound"), ("freeswitch.cdr", "agent_calls_out"), ("connect.contact", "outbound")] {
      let message = try #require(try normalise(type, name).messages.first)
      #expect(message.direction == .outbound && message.authorKind == .agent, "\(type)")
    }
  }

  @Test("The token of a conversation is not kept")
  func tokens() throws {
    let samples = [("asterisk.cdr", "agent_calls_back"), ("freeswitch.cdr", "originated"), ("connect.contact", "outbound")]
    for (type, name) in samples {
      let record = try normalise(type, name)
      #expect(record.messages.map { $0.flags.contains("continuation_invalid") } == [true], "\(type)")
      #expect(!record.golden.contains("tlc1"), "\(type)")
    }
  }

  @Test("6 and 7: every record of a Kinesis event is read, and a bad one spoils no other")
  func kinesis() throws {
    #expect(
      try normalise("connect.contact", "kinesis").outcomes == [
        "event", "event", "event", "malformed_json", "malformed_payload", "malformed_payload", "nul_in_text", "event", "event",
        "event",
      ])
    #expect(
      try normalise("connect.contact", "list").outcomes == [
        "event", "event", "event", "malformed_payload", "malformed_payload", "malformed_payload",
      ])
    #expect(try normalise("connect.contact", "monitor").messages.isEmpty)
    for name in ["chat", "contact_event"] {
      #expect(try normalise("connect.contact", name).outcomes == ["event"], "\(name)")
      #expect(try normalise("connect.contact", name).messages.isEmpty, "\(name)")
    }
  }
}
