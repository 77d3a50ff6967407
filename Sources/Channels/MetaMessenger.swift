import Canonical
import Parsing

/// `meta.messenger`: the body of a Facebook Messenger webhook; a sender is known by the page-scoped id (PSID).
///
/// Source: `channels.md`, section 6.
enum MetaMessenger {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    try MetaMessaging.read(root, object: "page", kind: .messenger, delivery, &elements)
  }
}
