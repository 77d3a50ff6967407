import Canonical
import Parsing

/// Who called whom, from a record of a telephone switch, which tells numbers as they were dialled and not who is the customer.
///
/// A number is a customer's only where it says its country (`+34…`, `0034…`), or where the adapter does: `region=ES` in the query
/// that it passes on (`http_query`).
struct CallParties {
  /// nil: a call among ourselves.
  let isOutbound: Bool?
  let customer: [StatedIdentifier]

  /// - Parameter isFromUs: what the record says beside its numbers; nil: they decide.
  init(
    caller: String?, callee: String?, isFromUs: Bool?, _ query: FormURLEncoded?, _ delivery: Delivery
  ) throws(Rejection) {
    let region = query?["region"]
    let (from, to) = (Self.number(caller, region), Self.number(callee, region))
    let account = PhoneNumber.e164(delivery.account)
    func isInside(_ text: String?, _ number: String?) -> Bool {
      guard let text else { return false }
      return text.utf8.count <= Self.longestExtension || number != nil && number == account
    }
    guard isFromUs ?? isInside(caller, from) else {
      isOutbound = false
      customer = try Self.identifiers(from, isCaller: true, delivery)
      return
    }
    if isInside(callee, to) {
      (isOutbound, customer) = (nil, [])
    } else {
      isOutbound = true
      customer = try Self.identifiers(to, isCaller: false, delivery)
    }
  }

  /// Whoever has fewer digits is one of our own; so is an extension by name, such as Asterisk's `s`.
  private static let longestExtension = 6

  private static func number(_ text: String?, _ region: String?) -> String? {
    guard let text, let first = text.utf8.first, first.isDigit || first == UInt8(ascii: "+"),
      text.utf8.count > longestExtension
    else { return nil }
    if let region { return PhoneNumber.e164(text, region: region) }
    return PhoneNumber.e164(text.hasPrefix("00") ? "+" + text.dropFirst(2) : text)
  }

  private static func identifiers(
    _ number: String?, isCaller: Bool, _ delivery: Delivery
  ) throws(Rejection) -> [StatedIdentifier] {
    let isVerified = isCaller && delivery.envelope.attested.contains(.callerID)
    return try delivery.identifiers(.phone, number, isVerified ? .a2 : delivery.networkAssurance)
  }
}

extension Attachment {
  /// A file on the switch.
  init(recordingAt path: String) { self.init(kind: "audio", name: path.lastPart ?? path, providerID: path) }
}
