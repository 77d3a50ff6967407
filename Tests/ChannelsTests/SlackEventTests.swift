import Canonical
import Testing

@testable import Channels

/// Slack: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct SlackEventTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("slack.event", name, replacing: old, with: new)
  }

  private let ana = StatedIdentifier(Identifier(.slack, scope: "T111", "U9EXT"), .a2)

  @Test(
    "2: a ts is seconds and microseconds, exactly",
    arguments: [
      ("1665102362.013600", "2022-10-07T00:26:02.013600Z"), ("1665102362", "2022-10-07T00:26:02.000000Z"),
      ("1665102362.1", "2022-10-07T00:26:02.100000Z"), ("1665102362.0136009", "2022-10-07T00:26:02.013600Z"),
      ("", nil), (".", nil), ("yesterday", nil), ("1665102362.0x", nil), ("99999999999999", nil), ("-1.5", nil),
    ])
  func timestamps(ts: String, iso: String?) {
    #expect(SlackEvent.time(ts)?.iso8601 == iso)
  }

  @Test("5: our app and, in a shared channel, our people are agents who answer whoever began the thread")
  func echoes() throws {
    for name in ["agent_replies", "own_app"] {
      let message = try #require(try normalise(name).messages.first)
      #expect(message.direction == .outbound && message.authorKind == .agent && message.customer == [ana], "\(name)")
      #expect(message.references == (try normalise("message").messages.first?.names), "\(name)")
    }
    #expect(try normalise("own_message_to_all").outcomes == ["ignored own_message"])
    let here = try normalise("agent_replies", replacing: #"shared_channel": true"#, with: #"shared_channel": false"#)
    #expect(here.messages.map(\.direction) == [.inbound])
    #expect(try normalise("guest_in_own_channel").messages.map(\.authorKind) == [.customer])
    let machine = try #require(try normalise("their_app").messages.first)
    #expect(machine.direction == .inbound && machine.authorKind == .system)
  }

  @Test("8: an edit, a deletion and reactions have keys of their own and point at their target")
  func keysOfChanges() throws {
    let message = try normalise("message")
    let names = ["edit", "delete", "reaction_added", "reaction_removed"]
    let changes = try names.map { try normalise($0) }
    #expect(changes.flatMap(\.changes).map(\.kind) == ["edit", "delete", "reaction", "reaction"])
    #expect(Set((changes + [message]).flatMap(\.events).map(\.key)).count == names.count + 1)
    let target = message.messages.first?.names.first
    #expect(changes.prefix(2).flatMap(\.changes).map(\.target) == [target, target])
    let answer = try normalise("agent_replies").messages.first?.names.first
    #expect(changes.suffix(2).flatMap(\.changes).map(\.target) == [answer, answer])
    // Of a message with answers something is left.
    #expect(try normalise("delete_with_replies").events.map(\.key) == changes[1].events.map(\.key))
    #expect(try normalise("unfurl").outcomes == ["ignored unfurl"])
  }

  @Test("One message is one, as a mention, in an envelope and delivered again under another event id")
  func oneMessage() throws {
    let keys = try normalise("message").events.map(\.key)
    for name in ["app_mention", "socket_mode"] { #expect(try normalise(name).events.map(\.key) == keys, "\(name)") }
    #expect(try normalise("message", replacing: "Ev0JV2M1", with: "Ev0JV2ZZ").events.map(\.key) == keys)
    #expect(try normalise("message", replacing: "C111", with: "C222").events.map(\.key) != keys)
  }

  @Test("14: interactivity is JSON inside a form, and one bad action spoils no other")
  func interactivity() throws {
    let record = try normalise("block_actions")
    #expect(record.messages.map(\.text) == ["Seguir & ver", "Talla M"])
    #expect(record.outcomes == ["event", "event", "malformed_payload"])
    #expect(record.messages.first?.references.first == (try normalise("own_app").messages.first?.names.first))
    #expect(Set(record.events.map(\.key)).count == 2)
    #expect(try normalise("legacy_button").messages.map(\.text) == ["yes"])
    #expect(try normalise("ssl_check").outcomes == ["ignored verification"])
    for name in ["block_actions", "view_submission", "legacy_button", "slash_command"] {
      let golden = try normalise(name).golden
      #expect(!golden.contains("secret-hook") && !golden.contains("Jhj5dZrVaK7Z") && !golden.contains("13345224609"), "\(name)")
    }
  }

  @Test("22: what only checks the endpoint or limits it is recognised")
  func verification() throws {
    #expect(try normalise("url_verification").outcomes == ["ignored verification"])
    #expect(try normalise("rate_limited").outcomes == ["ignored rate_limited"])
    #expect(try normalise("channel_join").outcomes == ["ignored channel_update"])
  }

  @Test(
    "mrkdwn becomes words",
    arguments: [
      ("<@U1> <@U1|ana> <#C1|general> <#C1>", "@U1 @ana #general #C1"), ("<!here> <!subteam^S1|@soporte>", "@here @soporte"),
      ("<https://a.example|a.example> <https://a.example/?x=1&amp;y=2|look>", "a.example look (https://a.example/?x=1&y=2)"),
      ("<mailto:a@example.org|a@example.org> <tel:+34600>", "a@example.org +34600"), ("1 &lt; 2 &amp;amp;", "1 < 2 &amp;"),
      ("a < b", "a < b"), ("<", "<"), ("<>", ""), ("<|>", ""), ("<<<", "<<<"),
    ])
  func text(mrkdwn: String, words: String) {
    #expect(SlackText.plain(mrkdwn) == words)
  }

  @Test("10: files are references; one that was deleted is none, one that has to be asked for has its id")
  func files() throws {
    let message = try #require(try normalise("files").messages.first)
    #expect(message.attachments.map(\.providerID) == ["F1", "F2"] && message.attachments.map(\.kind) == ["image", "file"])
  }
}
