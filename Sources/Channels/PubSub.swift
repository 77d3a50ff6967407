import Canonical
import Parsing

/// What Google's Pub/Sub pushes: a JSON document as base64 in `message.data`, at least once and in any order.
enum PubSub {
  /// The document that was pushed and the id of the push, which a repeated one keeps; the body itself when it is no push.
  ///
  /// The document is valid until `nestedParser` parses again.
  static func unwrapped(_ root: JSONValue, _ delivery: Delivery) throws(Rejection) -> (document: JSONValue, id: String?) {
    let message = root["message"]
    guard message.isObject, message["data"].exists else { return (root, nil) }
    let document = try delivery.document(base64: message["data"].string, in: "message.data")
    guard document.isObject else { throw Rejection(.malformedPayload, "message.data") }
    return (document, message["messageId"].id ?? message["message_id"].id)
  }
}
