import Canonical
import Parsing

/// `meta.instagram`: the body of an Instagram messaging webhook; a sender is known by the account-scoped id (IGSID).
///
/// Source: `channels.md`, section 7.
enum MetaInstagram {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    try MetaMessaging.read(root, object: "instagram", kind: .instagram, delivery, &elements)
  }
}
