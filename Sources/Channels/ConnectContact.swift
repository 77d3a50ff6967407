import Canonical
import Parsing

/// `connect.contact`: contact records of Amazon Connect, alone, in a list, or as Kinesis and Firehose hand them over (base64).
///
/// A record comes again whenever it changes: the first of a call is its message, and each version is a change of the call. So are
/// the contacts that it was transferred to. Source: `channels.md`, section 10.4.
enum ConnectContact {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    if root.isObject, root["Records"].isArray || root["records"].isArray {
      let list = root["Records"].isArray ? root["Records"] : root["records"]
      for item in list.elements { add(encoded: item, delivery, &elements) }
    } else if root.isArray {
      for item in root.elements { add(item, delivery, &elements) }
    } else {
      guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
      add(root, delivery, &elements)
    }
  }

  private static func add(encoded item: JSONValue, _ delivery: Delivery, _ elements: inout Elements) {
    do throws(Rejection) {
      let data = item["kinesis"]["data"].string ?? item["data"].string
      add(try delivery.document(base64: data, in: "kinesis.data"), delivery, &elements)
    } catch {
      elements.add { () throws(Rejection) in throw error }
    }
  }

  private static func add(_ record: JSONValue, _ delivery: Delivery, _ elements: inout Elements) {
    do throws(Rejection) {
      guard record.isObject else { throw Rejection(.malformedPayload, "record") }
      // Other events of the same bus.
      if !record["ContactId"].exists, let what = record["detail-type"].string?.nonEmpty {
        return elements.add { unknown(what, record, delivery) }
      }
      let contact = try Contact(record, delivery)
      let channel = try record.requiredID("Channel")
      guard channel == "VOICE" else { return elements.add { unknown(channel, record, delivery) } }
      if contact.isCall { elements.add { () throws(Rejection) in try contact.message() } }
      elements.add { () throws(Rejection) in try contact.change() }
      let deleted = contact.recordings(areDeleted: true)
      if !deleted.isEmpty { elements.add { () throws(Rejection) in try contact.deletion(of: deleted) } }
      // Flows ask at the end of a call and keep the answer in an attribute.
      if let score = try? record["Attributes"].decimal("csat") {
        elements.add { () throws(Rejection) in try contact.survey(score) }
      }
    } catch {
      elements.add { () throws(Rejection) in throw error }
    }
  }

  private static func unknown(_ what: String, _ record: JSONValue, _ delivery: Delivery) -> NormalisedElement {
    let details = kept(record)
    let id = record["ContactId"].id ?? record["id"].id
    return delivery.event(
      delivery.key("unknown", what, id ?? details.string, record["LastUpdateTimestamp"].id ?? ""),
      sentAt: record["LastUpdateTimestamp"].time, .unknown(Unknown(what: what, details: details)))
  }

  /// Without the token of the conversation that an agent placed the call from.
  private static func kept(_ record: JSONValue) -> JSONText {
    var writer = JSONObjectWriter()
    writer.members(of: record, without: ["Attributes"])
    writer.member("Attributes", record["Attributes"].rest(without: ["conversation"]))
    return writer.finished
  }

  /// One version of one record.
  private struct Contact {
    let record: JSONValue
    let delivery: Delivery
    let id: String
    /// The contact that it began with.
    let initial: String
    private let method: String

    init(_ record: JSONValue, _ delivery: Delivery) throws(Rejection) {
      (self.record, self.delivery) = (record, delivery)
      let id = try record.requiredID("ContactId")
      self.id = id
      initial = record["InitialContactId"].id ?? id
      method = record["InitiationMethod"].string ?? ""
    }

    /// Calling back is a call of its own, however the customer asked for it; listening in is none.
    var isCall: Bool { id == initial && method != "MONITOR" || method == "CALLBACK" }

    private var isOutbound: Bool { ["OUTBOUND", "CALLBACK", "API"].contains(method) }

    private func name(_ id: String) -> ReferenceKey { .message(.voice, account: delivery.account, id: id) }

    func message() throws(Rejection) -> NormalisedElement {
      let customer = try identifiers()
      let continuation = delivery.continuation(record["Attributes"]["conversation"].id)
      let time = record["InitiationTimestamp"]
      var details = JSONObjectWriter()
      details.member("call", summary)
      var message = Message(
        direction: isOutbound ? .outbound : .inbound, authorKind: isOutbound ? .agent : .customer,
        authorID: isOutbound ? record["Agent"]["Username"].id : nil, customer: customer, externalID: id, names: [name(id)],
        references: id == initial ? [] : [name(initial)],
        session: .session(.voice, account: delivery.account, id: initial), attachments: recordings, details: details.finished,
        flags: time.timeFlags + (customer.isEmpty ? ["caller_unknown"] : []) + continuation.flags)
      message.continuation = continuation.conversation
      return delivery.event(MessageKey(name(id)), sentAt: time.time, .message(message))
    }

    func change() throws(Rejection) -> NormalisedElement {
      let target = isCall ? id : initial
      let record = kept(self.record)
      let version = self.record["LastUpdateTimestamp"]
      var details = JSONObjectWriter()
      details.member("part", "contact")
      details.member("leg", id)
      details.member("call", summary)
      details.member("contact", record)
      let recordings = self.recordings
      let change = Change(
        kind: "call", target: name(target), targetExternalID: target, customer: try identifiers(),
        attachments: recordings.isEmpty ? nil : recordings, details: details.finished)
      return delivery.event(
        delivery.key("call", id, version.id ?? record.string), sentAt: version.time, .change(change))
    }

    /// Recordings that earlier versions have brought.
    func deletion(of recordings: [Attachment]) throws(Rejection) -> NormalisedElement {
      let target = isCall ? id : initial
      let change = Change(
        kind: "attachment", target: name(target), targetExternalID: target, customer: try identifiers(),
        attachments: recordings, status: "removed")
      return delivery.event(
        delivery.key("attachment", [id] + recordings.compactMap(\.providerID)), sentAt: record["LastUpdateTimestamp"].time,
        .change(change))
    }

    func survey(_ score: String) throws(Rejection) -> NormalisedElement {
      let version = record["LastUpdateTimestamp"].time
      let response = SurveyResponse(
        externalID: initial, metric: "csat", score: score, answeredAt: version, updatedAt: version ?? delivery.receivedAt,
        customer: try identifiers(), session: .session(.voice, account: delivery.account, id: initial))
      return delivery.event(delivery.key("survey", initial, score), sentAt: version, .survey(response))
    }

    private var summary: JSONText {
      let (start, end) = (record["InitiationTimestamp"].time, record["DisconnectTimestamp"].time)
      var seconds: Int64?
      if let start, let end, end >= start { seconds = end.duration(since: start).components.seconds }
      var call = JSONObjectWriter()
      call.member("status", record["ConnectedToSystemTimestamp"].time == nil ? nil : "completed")
      call.member("duration_seconds", seconds)
      call.member("from", address(isOutbound ? "SystemEndpoint" : "CustomerEndpoint"))
      call.member("to", address(isOutbound ? "CustomerEndpoint" : "SystemEndpoint"))
      if id != initial { call.member("parent", initial) }
      return call.finished
    }

    private func address(_ endpoint: String) -> String? { record[endpoint]["Address"].id }

    private func identifiers() throws(Rejection) -> [StatedIdentifier] {
      let type = record["CustomerEndpoint"]["Type"].string
      guard let number = address("CustomerEndpoint"), number.hasPrefix("+"), type == nil || type == "TELEPHONE_NUMBER" else {
        return []
      }
      let isVerified = !isOutbound && delivery.envelope.attested.contains(.callerID)
      return try delivery.identifiers(.phone, number, isVerified ? .a2 : delivery.networkAssurance)
    }

    private var recordings: [Attachment] { recordings(areDeleted: false) }

    /// The first stands in both places.
    func recordings(areDeleted: Bool) -> [Attachment] {
      let kinds = ["AUDIO": "audio", "VIDEO": "video", "SCREEN": "video"]
      var list: [Attachment] = []
      for item in [record["Recording"]] + Array(record["Recordings"].elements.prefix(delivery.limits.attachments)) {
        guard let location = item["Location"].id, (item["Status"].string == "DELETED") == areDeleted,
          !list.contains(where: { $0.providerID == location })
        else { continue }
        let type = item["MediaStreamType"].string ?? item["Type"].string ?? ""
        // `bucket/key`, but for a stream's ARN.
        let url = location.contains(":") ? nil : "s3://" + location
        list.append(Attachment(kind: kinds[type] ?? "file", providerID: location, url: url))
      }
      return list
    }
  }
}
