import Canonical
import Engine
import Foundation
import Testing

@testable import Workers

/// The policy as people write it.
@Suite struct RoutingPolicyFileTests {
  @Test func `the example in deploy is a policy`() throws {
    let path = URL(fileURLWithPath: #filePath).appending(path: "../../../deploy/routing.yaml").standardized
    let policy = try RoutingPolicyFile.parse(try String(contentsOf: path, encoding: .utf8))
    #expect(policy.queues.map(\.id) == ["key_accounts", "spanish", "urgent", "from_bots", "general"])
    #expect(policy.queues[0].match.organization == .any)
    #expect(policy.queues[0].prefer == [.accountManager, .lastAgent])
    #expect(policy.queues[0].hold == .seconds(120))
    #expect(policy.queues[1].skills == ["language:es": 2])
    #expect(policy.queues[2].acceptWithin == .seconds(20))
    #expect(policy.queues[2].match.channels == [.chat, .whatsapp, .messenger])
    #expect(policy.queues[3].teams == ["support"])
    #expect(policy.queues[4].acceptWithin == nil)
    #expect(policy.bots == [.init(channel: .chat, account: "w_shop", bot: "shopbot")])
    #expect(policy.units(.voice) == 100)
    #expect(policy.units(.sms) == 30)
  }

  @Test func `without a file there is one queue for everything`() throws {
    let policy = try RoutingPolicyFile.parse("{}")
    #expect(policy == RoutingPolicy())
    #expect(policy.queues.map(\.id) == ["general"])
  }

  @Test func `all problems are reported together, each with its place`() {
    let yaml = """
      version: 0
      chanels: {}
      channels: {fax: {units: 1}, chat: {units: lots, weight: 2}}
      queues:
        - {name: no id, sla: 5}
        - {id: a, match: {channel: [fax], organization: 7}, hold_seconds: -1, offer: sometimes, prefer: [nobody]}
        - {id: a, match: {language: [es]}, offer: {}}
      bots: [{channel: chat}]
      presence_lost: forget
      """
    let problems = #expect(throws: RoutingPolicyFile.Problems.self) { try RoutingPolicyFile.parse(yaml) }
    #expect(
      problems?.list == [
        "chanels: no such key; there are version, channels, queues, bots, lifecycle, presence_lost",
        "version: not a number from 1 to 2147483647",
        "channels.chat.weight: no such key; there are units",
        "channels.chat.units: not a number from 1 to 10000",
        "channels.fax: no such channel",
        "queues[0].sla: no such key; there are id, name, match, skills, agents, prefer, hold_seconds, offer",
        "queues[0].id: missing",
        "queues[1].match.channel: no such channel as fax",
        "queues[1].match.organization: neither true nor a list of ids",
        "queues[1].prefer: nobody is none of last_agent, account_manager",
        "queues[1].hold_seconds: not a number from 0 to 86400",
        "queues[1].offer: neither auto nor {accept_within_seconds: …}",
        "queues[2].offer.accept_within_seconds: missing",
        "queues: two have the id a",
        "queues[2].match: the last queue must match everything",
        "queues[0]: matches everything, so the queues after it are never used",
        "bots[0].account: missing",
        "bots[0].bot: missing",
        "presence_lost: none of requeue, keep",
      ])
  }

  @Test(arguments: ["", "[]", "a: [", "a: 1\na: 2", "just words", "queues: []", "- x: &a [*a]"])
  func `what is no policy is refused`(yaml: String) {
    #expect(throws: RoutingPolicyFile.Problems.self) { try RoutingPolicyFile.parse(yaml) }
  }
}
