import Canonical
import Testing

@testable import Channels

/// What agents do, where they are, and what became of what they sent.
@Suite struct DeskTests {
  private func normalise(_ type: String, _ body: String, _ headers: [String: String?] = [:]) -> NormalisedRecord {
    let isResult = type == "outbound.result"
    let headers = ["ce_id": "d1", "ce_type": type, "ce_source": isResult ? "/channels/sms/%2B1" : "/channels/desk/main"]
      .merging(headers) { _, own in own }
    let sample = Sample(
      type: type, name: "body", payload: Array(body.utf8), headers: headers.compactMapValues { $0 }, golden: Sample.folder)
    return Normaliser(tokenKey: Sample.tokenKey).normalise(sample.record())
  }

  private func rejections(_ record: NormalisedRecord) -> [String] {
    record.elements.compactMap {
      if case .rejected(let rejection) = $0 { rejection.reason.rawValue + " " + rejection.detail } else { nil }
    }
  }

  private func action(_ record: NormalisedRecord) throws -> Action {
    guard case .action(let action) = try #require(record.events.first).body else { throw Missing() }
    return action
  }

  private func presence(_ body: String) throws -> Presence {
    guard case .presence(let presence) = try #require(normalise("agent.presence", body).events.first).body else {
      throw Missing()
    }
    return presence
  }

  private func result(_ body: String, source: String = "/channels/sms/%2B1") throws -> SendResult {
    let record = normalise("outbound.result", body, ["ce_source": source])
    guard case .result(let result) = try #require(record.events.first).body else { throw Missing() }
    return result
  }

  private struct Missing: Error {}

  private static let conversation = "01a205c3-931a-7002-87e1-15aaf866b8e9"
  /// The members that every action has, and more.
  private static func body(_ more: String = "", epoch: String? = "4") -> String {
    "{\"conversation_id\":\"\(conversation)\",\"agent_id\":\"ag_3\"" + (epoch.map { ",\"ownership_epoch\":\($0)" } ?? "") + more
      + "}"
  }

  // MARK: Readers

  @Test("Ingest reads actions and results, the router actions and presence, and nothing else of the desk")
  func readers() {
    let desk: Set = ["agent.actions", "agent.presence", "outbound.results"]
    #expect(Set(Formats.topics).intersection(desk) == ["agent.actions", "outbound.results"])
    #expect(Formats.routeTopics == ["agent.actions", "agent.presence"])
    #expect(Set(Formats.topics).isSuperset(of: ["channel.chat", "channel.email", "crm.contacts"]))
    #expect(Set(Action.Kind.allCases.map { "agent." + $0.rawValue }).isSubset(of: Formats.byType.keys))
  }

  // MARK: Envelopes

  @Test(
    "A desk may have any source; who it is, is the account",
    arguments: [
      ("/channels/desk/main", "main"), ("/channels/desk/a%2Fb", "a/b"), ("/channels/desk/", "/channels/desk/"),
      ("/channels/desk/%4", "/channels/desk/%4"), ("/channels/chat/w_shop", "/channels/chat/w_shop"),
      ("urn:desk:7", "urn:desk:7"),
      ("https://desk.shop.example/?a=%00", "https://desk.shop.example/?a=%00"), ("x", "x"),
      (String(repeating: "é", count: 300), String(repeating: "é", count: 256)),
      ("/channels/desk/" + String(repeating: "a", count: 513), "/channels/desk/" + String(repeating: "a", count: 497)),
    ])
  func sources(_ source: String, account: String) {
    for type in ["agent.take", "agent.presence"] {
      let body = type == "agent.take" ? Self.body() : #"{"agent_id":"a","state":"online"}"#
      let record = normalise(type, body, ["ce_source": source])
      #expect(record.events.map(\.account) == [account] && record.events.map(\.channel) == [.desk])
    }
    #expect(rejections(normalise("agent.take", Self.body(), ["ce_source": nil])) == ["envelope_invalid source"])
    #expect(rejections(normalise("agent.take", Self.body(), ["ce_source": "a\0"])) == ["nul_in_text source"])
  }

  @Test("Source and id say which delivery it is, whatever the body and the time say")
  func keys() {
    let bodies = [
      ("agent.note", Self.body(#","text":"a""#)), ("agent.presence", #"{"agent_id":"a","state":"online"}"#),
      ("outbound.result", #"{"message_id":"\#(Self.conversation)","status":"sent"}"#),
    ]
    var keys: [MessageKey] = []
    for (type, body) in bodies {
      func key(_ headers: [String: String?] = [:], body: String = body) -> MessageKey? {
        normalise(type, body, headers).events.first?.key
      }
      let first = key()
      #expect(first != nil && key(["ce_time": "2026-05-13T09:14:05Z"]) == first)
      #expect(key(body: body.replacing("}", with: ",\"more\":1}")) == first)
      #expect(key(["ce_id": "d2"]) != first && key(["ce_source": "/channels/sms/%2B2"]) != first)
      keys += [first, key(["ce_id": "d2"]), key(["ce_source": "/channels/sms/%2B2"])].compactMap(\.self)
    }
    #expect(Set(keys).count == 9)
  }

  @Test("What is done has no time but that of its arrival")
  func times() {
    let event = normalise("agent.take", Self.body(#","sent_at":"1999-01-01T00:00:00Z""#), ["ce_time": "2026-05-12T09:14:05Z"])
      .events.first
    #expect(event?.sentAt == nil && event?.receivedAt.iso8601 == "2026-05-12T09:14:05.000000Z")
  }

  // MARK: Actions

  @Test(
    "What changes an owner or a status says which ownership its agent saw",
    arguments: [
      ("reply", #","text":"a""#), ("resolve", #","seen_version":3"#), ("snooze", #","until":1778738400,"seen_version":3"#),
      ("accept", ""), ("decline", ""),
      ("take", ""),
      ("release", ""), ("transfer", #","to_queue":"q""#),
    ])
  func epochIsRequired(_ kind: String, more: String) throws {
    let type = "agent." + kind
    #expect(try action(normalise(type, Self.body(more))).ownershipEpoch == 4)
    for epoch in [nil, "null", "\"4\"", "4.5", "9223372036854775808"] {
      #expect(rejections(normalise(type, Self.body(more, epoch: epoch))) == ["malformed_payload ownership_epoch"])
    }
  }

  @Test(
    "The others need none",
    arguments: [
      ("note", #","text":"a""#), ("reopen", ""), ("priority", #","priority":0"#), ("invite", #","channel":"chat""#),
      ("identify", #","identifiers":[{"kind":"email","value":"a@example.org"}]"#),
    ])
  func epochIsOptional(_ kind: String, more: String) throws {
    for epoch in [nil, "null"] {
      #expect(try action(normalise("agent." + kind, Self.body(more, epoch: epoch))).ownershipEpoch == nil)
    }
    #expect(try action(normalise("agent." + kind, Self.body(more))).ownershipEpoch == 4)
    #expect(rejections(normalise("agent." + kind, Self.body(more, epoch: "{}"))) == ["malformed_payload ownership_epoch"])
  }

  @Test(
    "An action that lacks what it is about is a dead letter that names the member",
    arguments: [
      ("reply", "", "text"), ("reply", #","text":"""#, "text"), ("reply", #","text":1"#, "text"), ("note", "", "text"),
      ("reply", #","text":"a","attachments":{}"#, "attachments"), ("reply", #","attachments":[1,null]"#, "text"),
      ("reply", #","text":"a","channel":"fax""#, "channel"), ("snooze", #","seen_version":3"#, "until"),
      ("snooze", #","until":"soon""#, "until"),
      ("snooze", #","until":1778738400"#, "seen_version"), ("resolve", "", "seen_version"),
      ("snooze", #","until":99999999999999999"#, "until"), ("priority", "", "priority"),
      ("priority", #","priority":-1"#, "priority"),
      ("priority", #","priority":10"#, "priority"), ("priority", #","priority":"1""#, "priority"),
      ("priority", #","priority":1.5"#, "priority"), ("identify", "", "identifiers"),
      ("identify", #","identifiers":{}"#, "identifiers"),
      ("identify", #","identifiers":[{"kind":"phone","value":"12"}]"#, "identifiers"),
      ("identify", #","identifiers":[{"kind":"email","value":"nobody"}]"#, "identifiers"),
      ("identify", #","identifiers":[{"kind":"order","value":"1004"}]"#, "identifiers[].kind"),
      ("identify", #","identifiers":[{"kind":"claimed_email","value":"a@example.org"}]"#, "identifiers[].kind"),
      ("identify", #","identifiers":[{"kind":"line","value":"U1"}]"#, "identifiers[].scope"),
      ("identify", #","identifiers":[{"kind":"email"}]"#, "identifiers[].value"),
      ("identify", #","identifiers":[7]"#, "identifiers[].kind"),
      ("invite", "", "channel"), ("invite", #","channel":"fax""#, "channel"), ("invite", #","channel":7"#, "channel"),
      ("transfer", "", "to_queue or to_agent"), ("transfer", #","to_queue":"a","to_agent":"b""#, "to_queue or to_agent"),
      ("transfer", #","to_queue":{},"to_agent":"b""#, "to_queue"),
      ("transfer", #","to_queue":"","to_agent":"""#, "to_queue or to_agent"),
      ("take", #","seen_version":"1""#, "seen_version"), ("take", #","reason":[]"#, "reason"),
    ])
  func incomplete(_ kind: String, more: String, member: String) {
    #expect(rejections(normalise("agent." + kind, Self.body(more))) == ["malformed_payload " + member])
  }

  @Test("Every action is about a conversation of ours and by somebody")
  func common() {
    for kind in Action.Kind.allCases {
      func rejections(_ body: String) -> [String] { self.rejections(normalise("agent." + kind.rawValue, body)) }
      for id in [
        "null", "7", "\"c_71\"", "\"\"", "\"\(Self.conversation)0\"", "\"\(Self.conversation.replacing("-", with: ""))\"",
      ] {
        #expect(rejections("{\"conversation_id\":\(id),\"agent_id\":\"a\"}") == ["malformed_payload conversation_id"])
      }
      for agent in ["null", "\"\"", "{}", "\"" + String(repeating: "a", count: 513) + "\""] {
        let body = "{\"conversation_id\":\"\(Self.conversation)\",\"agent_id\":\(agent)}"
        #expect(rejections(body) == ["malformed_payload agent_id"])
      }
      #expect(rejections("[]") == ["malformed_payload not an object"])
    }
  }

  @Test("An agent vouches for the customer by identify alone")
  func identify() throws {
    let identifiers =
      #","text":"a","identifiers":[{"kind":"email","value":"A@Example.org"},{"kind":"slack","scope":"T1","value":"U1"}]"#
    #expect(
      try action(normalise("agent.identify", Self.body(identifiers))).identifiers == [
        StatedIdentifier(Identifier(.email, "a@example.org"), .a3), StatedIdentifier(Identifier(.slack, scope: "T1", "U1"), .a3),
      ])
    #expect(try action(normalise("agent.note", Self.body(identifiers))).identifiers == [])
    let many = (0..<33).map { "{\"kind\":\"loyalty\",\"value\":\($0)}" }.joined(separator: ",")
    #expect(rejections(normalise("agent.identify", Self.body(",\"identifiers\":[\(many)]"))) == ["too_large identifiers"])
  }

  @Test("A reply is taken whole or not at all, what only explains it is cut")
  func actionLimits() throws {
    let long = String(repeating: "a", count: (1 << 20) + 1)
    #expect(rejections(normalise("agent.reply", Self.body(",\"text\":\"\(long)\""))) == ["too_large text"])
    let files = (0...256).map { "{\"id\":\"f\($0)\"}" }.joined(separator: ",")
    #expect(rejections(normalise("agent.reply", Self.body(",\"attachments\":[\(files)]"))) == ["too_large attachments"])
    #expect(try action(normalise("agent.decline", Self.body(",\"reason\":\"\(long)\""))).reason?.utf8.count == 4_096)
    #expect(rejections(normalise("agent.take", Self.body(), ["ce_id": long.prefix(4_097).description])) == ["too_large id"])
    #expect(try action(normalise("agent.take", Self.body(), ["ce_id": long.prefix(4_096).description])).id.utf8.count == 4_096)
    #expect(rejections(normalise("agent.note", Self.body(#","text":"a\u0000""#))) == ["nul_in_text element"])
    #expect(rejections(normalise("agent.decline", Self.body(#","reason":"a\u0000""#))) == ["nul_in_text element"])
  }

  // MARK: Presence

  @Test("An agent who only says that they are there has the defaults")
  func presenceDefaults() throws {
    let bare = Presence(agent: "7", state: .away, capacity: 100, leaseSeconds: 60)
    #expect(try presence(#"{"agent_id":7,"state":"away"}"#) == bare)
    let nulls = #""name":null,"capacity":null,"channels":null,"skills":null,"teams":null,"lease_seconds":null"#
    #expect(try presence(#"{"agent_id":7,"state":"away",\#(nulls)}"#) == bare)
    #expect(try presence(#"{"agent_id":7,"state":"away","name":"","channels":{},"skills":{},"teams":[]}"#) == bare)
  }

  @Test("Numbers are taken up to their bounds")
  func presenceBounds() throws {
    let low = try presence(
      #"{"agent_id":"a","state":"offline","capacity":0,"channels":{"chat":0},"skills":{"s":0},"lease_seconds":5}"#)
    #expect(low.capacity == 0 && low.channels == [.chat: 0] && low.skills == ["s": 0] && low.leaseSeconds == 5)
    let name = String(repeating: "s", count: 128)
    let high = try presence(
      "{\"agent_id\":\"a\",\"state\":\"wrap_up\",\"capacity\":10000,\"channels\":{\"chat\":1000},\"skills\":{\"\(name)\":10},\"lease_seconds\":3600}"
    )
    #expect(high.capacity == 10_000 && high.channels == [.chat: 1_000] && high.skills == [name: 10] && high.leaseSeconds == 3_600)
    #expect(
      try presence(#"{"agent_id":"a","state":"online","name":"\#(String(repeating: "n", count: 5_000))"}"#).name?.count == 4_096)
    let skills = (0..<64).map { "\"s\($0)\":1" }.joined(separator: ",")
    let teams = (0..<32).map { "\"t\($0)\"" }.joined(separator: ",")
    let full = try presence("{\"agent_id\":\"a\",\"state\":\"online\",\"skills\":{\(skills)},\"teams\":[\(teams)]}")
    #expect(full.skills.count == 64 && full.teams.count == 32)
  }

  @Test(
    "Presence that says something else is a dead letter that names the member",
    arguments: [
      (#""state":"lunch""#, "malformed_payload state"), (#""state":1"#, "malformed_payload state"),
      ("\"name\":\"x\"", "malformed_payload state"),
      (#""state":"online","name":7"#, "malformed_payload name"),
      (#""state":"online","capacity":-1"#, "malformed_payload capacity"),
      (#""state":"online","capacity":10001"#, "malformed_payload capacity"),
      (#""state":"online","capacity":"9""#, "malformed_payload capacity"),
      (#""state":"online","channels":[]"#, "malformed_payload channels"),
      (#""state":"online","channels":{"chat":1001}"#, "malformed_payload channels"),
      (#""state":"online","channels":{"chat":null}"#, "malformed_payload channels"),
      (#""state":"online","channels":{"fax":1}"#, "malformed_payload channels"),
      (#""state":"online","skills":{"s":11}"#, "malformed_payload skills"),
      (#""state":"online","skills":{"":1}"#, "malformed_payload skills"),
      (#""state":"online","skills":"s""#, "malformed_payload skills"),
      (#""state":"online","teams":"t""#, "malformed_payload teams"),
      (#""state":"online","teams":[""]"#, "malformed_payload teams"),
      (#""state":"online","lease_seconds":4"#, "malformed_payload lease_seconds"),
      (#""state":"online","lease_seconds":3601"#, "malformed_payload lease_seconds"),
      (#""state":"online","teams":["a\u0000"]"#, "nul_in_text element"),
      (#""state":"online","skills":{"a\u0000":1}"#, "nul_in_text element"),
    ])
  func presenceRejected(_ more: String, rejection: String) {
    #expect(rejections(normalise("agent.presence", "{\"agent_id\":\"a\",\(more)}")) == [rejection])
  }

  @Test("More channels, skills or teams than anybody has are too many")
  func presenceTooMany() {
    func members(_ count: Int) -> String { (0..<count).map { "\"n\($0)\":1" }.joined(separator: ",") }
    let name = String(repeating: "s", count: 129)
    for (more, rejection) in [
      ("\"channels\":{\"chat\":1,\(members(32))}", "too_large channels"), ("\"skills\":{\(members(65))}", "too_large skills"),
      ("\"teams\":[\((0..<33).map { "\"\($0)\"" }.joined(separator: ","))]", "too_large teams"),
      ("\"skills\":{\"\(name)\":1}", "malformed_payload skills"),
      ("\"teams\":[\"\(String(repeating: "t", count: 513))\"]", "malformed_payload teams"),
    ] {
      #expect(rejections(normalise("agent.presence", "{\"agent_id\":\"a\",\"state\":\"online\",\(more)}")) == [rejection])
    }
  }

  // MARK: Results

  @Test("A result names its message as the echo, the receipt or the answer will")
  func names() throws {
    let message = #"{"message_id":"\#(Self.conversation)","status":"sent","external_id":"ID"}"#
    func names(_ id: String, _ source: String) throws -> [ReferenceKey] {
      try result(message.replacing("ID", with: id), source: source).names
    }
    func sample(_ type: String, _ name: String) throws -> NormalisedRecord {
      try Sample.normalise(type, name)
    }
    for (type, name, source) in [
      ("whatsapp.cloud", "echoes", "/channels/whatsapp/"), ("meta.messenger", "conversation", "/channels/messenger/"),
      ("meta.instagram", "conversation", "/channels/instagram/"), ("chat.event", "agent_echo", "/channels/chat/"),
      ("email.rfc822", "own_reply", "/channels/email/"), ("twilio.voice", "agent_calls_back", "/channels/voice/"),
    ] {
      let echo = try #require(
        try sample(type, name).events.first { if case .message(let m) = $0.body { m.direction == .outbound } else { false } })
      guard case .message(let sent) = echo.body, let id = sent.externalID else { throw Missing() }
      let account = echo.account.replacing("+", with: "%2B").replacing("@", with: "%40")
      #expect(try names(id, source + account) == sent.names, "\(type)")
    }
    let receipt = try #require(try sample("twilio.sms", "delivered").changes.first)
    let id = try #require(receipt.targetExternalID)
    #expect(try names(id, "/channels/sms/%2B12025550100") == [receipt.target])
    let reply = try #require(try sample("email.rfc822", "reply").messages.first)
    #expect(try names(" <\(reply.replyToExternalID ?? "")> ", "/channels/email/a%40b") == [reply.references.first])
  }

  @Test("A mailbox and a Message-ID have one spelling")
  func mailResults() throws {
    let record = normalise(
      "outbound.result", #"{"message_id":"\#(Self.conversation)","status":"sent","external_id":"<a@b>"}"#,
      ["ce_source": "/channels/email/Support%40Shop.Example"])
    #expect(record.events.map(\.account) == ["support@shop.example"] && record.events.map(\.channel) == [.email])
    #expect(
      try result(#"{"message_id":"\#(Self.conversation)","status":"sent","external_id":"<>"}"#, source: "/channels/email/a").names
        == [])
    #expect(try result(#"{"message_id":"\#(Self.conversation)","status":"sent","external_id":"<a>"}"#).externalID == "<a>")
  }

  @Test(
    "An error is kept as words, whatever it is",
    arguments: [
      ("null", nil), (#""""#, nil), (#""spam""#, "spam"), ("30003", "30003"), (#"{"code": 1}"#, #"{"code":1}"#), ("[1]", "[1]"),
      ("false", "false"),
    ])
  func errors(_ error: String, words: String?) throws {
    let body = "{\"message_id\":\"\(Self.conversation)\",\"status\":\"failed\",\"error\":\(error)}"
    let result = try result(body)
    #expect(result.error == words && result.externalID == nil && result.names == [])
    #expect(
      try self.result(body.replacing(error, with: "\"" + String(repeating: "é", count: 3_000) + "\"")).error?.utf8.count == 4_096)
  }

  @Test("A result that says nothing of use is a dead letter")
  func resultsRejected() {
    func rejections(_ more: String, _ source: String = "/channels/sms/%2B1") -> [String] {
      self.rejections(normalise("outbound.result", "{" + more + "}", ["ce_source": source]))
    }
    let message = #""message_id":"\#(Self.conversation)","#
    for status in ["queued", "SENT", ""] {
      #expect(rejections(message + "\"status\":\"\(status)\"") == ["malformed_payload status"])
    }
    #expect(rejections(#""status":"sent""#) == ["malformed_payload message_id"])
    #expect(rejections(#""message_id":"m1","status":"sent""#) == ["malformed_payload message_id"])
    #expect(rejections(message + #""status":"sent","external_id":{}"#) == ["malformed_payload external_id"])
    let long = String(repeating: "a", count: 4_097)
    #expect(rejections(message + "\"status\":\"sent\",\"external_id\":\"\(long)\"") == ["malformed_payload external_id"])
    #expect(rejections(message + #""status":"failed","error":"a\u0000""#) == ["nul_in_text element"])
    for (source, rejection) in [
      ("/channels/fax/1", "topic_mismatch source"), ("/channels/sms", "envelope_invalid source"),
      ("urn:x", "envelope_invalid source"),
      ("/channels/sms/", "envelope_invalid source"),
    ] {
      #expect(rejections(message + #""status":"sent""#, source) == [rejection])
    }
  }

  // MARK: Ownership

  @Test("A bot speaks under the ownership that it states, in a chat and beside one")
  func bots() throws {
    func record(_ type: String, _ name: String) throws -> NormalisedRecord {
      try Sample.normalise(type, name)
    }
    #expect(try record("bot.handoff", "bot_says").messages.map(\.ownershipEpoch) == [3])
    #expect(try record("bot.handoff", "nobody_named").changes.map(\.ownershipEpoch) == [3])
    #expect(try record("bot.handoff", "customer_says").messages.map(\.ownershipEpoch) == [nil])
    #expect(try record("bot.handoff", "requested").changes.first?.ownershipEpoch == 3)
    #expect(try record("chat.event", "bot_says").messages.map(\.ownershipEpoch) == [3])
    let visitor = try #require(try record("chat.event", "visitor_states_epoch").messages.first)
    #expect(visitor.ownershipEpoch == nil && visitor.details.string.contains(#""ownership_epoch":3"#))
    var broken = try Sample.named("chat.event", "bot_says")
    broken.payload = Array(String(decoding: broken.payload, as: UTF8.self).replacing("_epoch\": 3", with: "_epoch\": \"3\"").utf8)
    #expect(rejections(Normaliser().normalise(broken.record())) == ["malformed_payload ownership_epoch"])
  }

  @Test("A hand-over that is asked for is one of its own; the end of one is the conversation's state")
  func handoffs() throws {
    func change(_ name: String) throws -> Change {
      try #require(Normaliser().normalise(try Sample.named("bot.handoff", name).record()).changes.first)
    }
    let requested = try change("requested")
    #expect(requested.kind == "handoff" && requested.target == .session(.chat, account: "w_shop", id: "c_71"))
    for member in [
      #""reason":"customer_asked""#, #""intent":"human_handoff""#, #""confidence":0.98"#, #""language":"es""#,
      #""bot_id":"bot_1""#,
    ] {
      #expect(requested.details.string.contains(member))
    }
    #expect(
      requested.details.string.contains(
        #"{"id":"b2","author":"bot","text":"¿Qué número tiene?","sent_at":"2026-05-12T09:14:03Z"}"#))
    let ended = try change("ended")
    #expect(ended.kind == "conversation_state" && ended.status == "handoff.ended")
  }
}
