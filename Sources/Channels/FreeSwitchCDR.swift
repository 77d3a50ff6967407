import Canonical
import Parsing

/// `freeswitch.cdr`: what FreeSWITCH's `mod_json_cdr` posts for each leg of a call: JSON, or a form with it in `cdr`.
///
/// The leg that began the call is its message, the legs that it led to are changes of it. Source: `channels.md`, section 10.3.
enum FreeSwitchCDR {
  static func read(_ body: [UInt8], _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let root = try delivery.nestedParser.document(json(of: body))
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let leg = try Leg(root, delivery)
      if leg.parent != nil { return try leg.change() }
      return try leg.message()
    }
  }

  private static func json(of body: [UInt8]) throws(Rejection) -> [UInt8] {
    func isObject(_ bytes: some Sequence<UInt8>) -> Bool { bytes.first { !$0.isBlank } == UInt8(ascii: "{") }
    if isObject(body) { return body }
    let text = try FormURLEncoded(body).required("cdr")
    if isObject(text.utf8) { return Array(text.utf8) }
    // The switch does not escape base64 for a form, where `+` is a space.
    let base64 = String(decoding: text.utf8.map { $0 == UInt8(ascii: " ") ? UInt8(ascii: "+") : $0 }, as: UTF8.self)
    guard let bytes = base64.base64Decoded else { throw Rejection(.malformedPayload, "cdr") }
    return bytes
  }

  /// Values are percent-encoded unless the switch is set otherwise: what is encoded holds none of these.
  private static func decoded(_ text: String) -> String {
    text.utf8.contains { " \"+:<=>?@".utf8.contains($0) } ? text : text.percentDecoded ?? text
  }

  /// What the wires of a call are about, and what must not be kept.
  private static func isKept(_ name: String) -> Bool {
    let prefixes = ["sip_", "rtp_", "rtcp_", "remote_", "local_", "switch_", "read_", "write_", "video_", "verto_", "presence_"]
    return !prefixes.contains { name.hasPrefix($0) } && !["password", "auth", "secret", "token"].contains { name.contains($0) }
      && name != "conversation"
  }

  private static let statuses = [
    "USER_BUSY": "busy", "NO_ANSWER": "no-answer", "NO_USER_RESPONSE": "no-answer", "ALLOTTED_TIMEOUT": "no-answer",
    "ORIGINATOR_CANCEL": "canceled",
  ]

  /// One leg.
  private struct Leg {
    let root: JSONValue
    let query: FormURLEncoded?
    let delivery: Delivery
    let id: String
    /// The leg that led to this one; nil: it began the call.
    let parent: String?

    init(_ root: JSONValue, _ delivery: Delivery) throws(Rejection) {
      func variable(_ name: String) -> String? { root["variables"][name].id.flatMap { decoded($0).nonEmpty } }
      let query = delivery.query
      (self.root, self.query, self.delivery) = (root, query, delivery)
      // In the query, `a_` may stand before it.
      let queried = query?["uuid"].map { $0.hasPrefix("a_") ? String($0.dropFirst(2)) : $0 }
      guard let id = variable("uuid") ?? queried else { throw Rejection(.malformedPayload, "variables.uuid") }
      self.id = id
      // Not `bridge_uuid`, which either leg has of the other.
      let candidates = [variable("originating_leg_uuid"), variable("originator"), variable("call_uuid")]
      parent = candidates.lazy.compactMap { $0 }.first { $0 != id }
    }

    private func variable(_ name: String) -> String? { root["variables"][name].id.flatMap { decoded($0).nonEmpty } }

    private func profile(_ name: String) -> String? {
      let first = root["callflow"].elements.first { _ in true }
      return first?["caller_profile"][name].id.flatMap { decoded($0).nonEmpty }
    }

    private var caller: String? { variable("caller_id_number") ?? profile("caller_id_number") }
    private var callee: String? { variable("destination_number") ?? profile("destination_number") }

    private func parties() throws(Rejection) -> CallParties {
      // A leg that the switch began by itself goes out; one that came in may be from a telephone of ours.
      let direction = variable("direction") ?? root["channel_data"]["direction"].id
      return try CallParties(caller: caller, callee: callee, isFromUs: direction == "outbound" ? true : nil, query, delivery)
    }

    private func name(_ id: String) -> ReferenceKey { .message(.voice, account: delivery.account, id: id) }

    func message() throws(Rejection) -> NormalisedElement {
      let parties = try parties()
      guard let isOutbound = parties.isOutbound else { return .ignored(reason: "internal") }
      let continuation = delivery.continuation(query?["conversation"] ?? variable("conversation"))
      let callerName = (variable("caller_id_name") ?? profile("caller_id_name"))?.trimmed.nonEmpty
      let recording = variable("record_path")
      var details = JSONObjectWriter()
      details.member("call", summary)
      details.member("cdr", kept())
      var message = Message(
        direction: isOutbound ? .outbound : .inbound, authorKind: isOutbound ? .agent : .customer, customer: parties.customer,
        customerName: isOutbound || callerName == caller ? nil : callerName, externalID: id, names: [name(id)],
        session: .session(.voice, account: delivery.account, id: id),
        attachments: recording.map { [Attachment(recordingAt: $0)] } ?? [], details: details.finished,
        flags: (parties.customer.isEmpty ? ["caller_unknown"] : []) + continuation.flags)
      message.continuation = continuation.conversation
      return delivery.event(MessageKey(name(id)), sentAt: time, .message(message))
    }

    func change() throws(Rejection) -> NormalisedElement {
      let target = parent ?? id
      let recording = variable("record_path")
      var details = JSONObjectWriter()
      details.member("part", "leg")
      details.member("leg", id)
      details.member("call", summary)
      details.member("cdr", kept(without: recording == nil ? nil : "record_path"))
      let change = Change(
        kind: "call", target: name(target), targetExternalID: target, customer: try parties().customer,
        attachments: recording.map { [Attachment(recordingAt: $0)] }, details: details.finished)
      return delivery.event(delivery.key("call", id), sentAt: time, .change(change))
    }

    private var summary: JSONText {
      let cause = variable("hangup_cause")
      let isAnswered = epoch("answer") != nil
      var call = JSONObjectWriter()
      call.member("status", isAnswered ? "completed" : cause.map { statuses[$0] ?? "failed" })
      call.member("duration_seconds", number("duration"))
      call.member("talk_seconds", number("billsec"))
      call.member("from", caller)
      call.member("to", callee)
      call.member("parent", parent)
      return call.finished
    }

    /// The variables as they were before they were encoded, and who says so.
    private func kept(without other: String? = nil) -> JSONText {
      var variables = JSONObjectWriter()
      for (name, value) in root["variables"].members where isKept(name) && name != other && !value.isNull {
        if let text = value.string { variables.member(name, decoded(text)) } else { variables.member(name, value.json) }
      }
      var cdr = JSONObjectWriter()
      for name in ["core-uuid", "switchname", "channel_data"] where root[name].exists { cdr.member(name, root[name].json) }
      cdr.member("variables", variables.finished)
      return cdr.finished
    }

    private func number(_ name: String) -> Int64? { variable(name)?.naturalNumber }

    private var time: Timestamp? { epoch("start") }

    /// In microseconds where the switch says so, else in seconds; zero is never.
    private func epoch(_ name: String) -> Timestamp? {
      let exact = number(name + "_uepoch").map { Timestamp(microseconds: $0) }
      let time = exact ?? number(name + "_epoch").map { Timestamp(seconds: $0) }
      return time.flatMap { $0.microseconds > 0 && Timestamp.storable.contains($0) ? $0 : nil }
    }
  }
}
