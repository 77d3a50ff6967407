import Canonical
import Parsing

/// `outbound.result`: what became of a message of ours at the provider (`schemas/payloads/outbound.result.json`), one result a record.
///
/// The adapter's `source` is that of the channel account, as in what it receives: the names of a message hang on it.
enum OutboundResult {
  private static let statuses: Set<String> = ["sent", "delivered", "read", "failed"]

  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let status = try payload.requiredID("status")
      guard statuses.contains(status) else { throw Rejection(.malformedPayload, "status") }
      var id = try payload.optionalID("external_id", maximumBytes: delivery.limits.lineBytes)
      if delivery.channel == .email { id = id?.withoutBrackets.nonEmpty }
      let error = payload["error"]
      let result = SendResult(
        message: try payload.ownID("message_id"), externalID: id,
        names: id.map { [.sent(delivery.channel, account: delivery.account, id: $0)] } ?? [], status: status,
        error: error.string?.nonEmpty ?? (error.isNull || error.isString ? nil : error.json.string.nonEmpty))
      return delivery.event(delivery.envelopeKey("result"), sentAt: nil, .result(result))
    }
  }
}

extension String {
  /// A Message-ID as mail is known by it.
  var withoutBrackets: String {
    let id = trimmed
    return id.hasPrefix("<") && id.hasSuffix(">") ? String(id.dropFirst().dropLast()) : id
  }
}
