import Canonical
import Channels
import Foundation
import Operations

/// Canonical events for people at a terminal: nothing in them moves the cursor or changes the direction of writing.
enum EventText {
  static func page(_ element: NormalisedElement) -> String {
    var lines: [(String, String?)]
    switch element {
    case .ignored(let reason): lines = [("ignored", reason)]
    case .rejected(let rejection): lines = [("rejected", rejection.reason.rawValue), ("detail", rejection.detail)]
    case .event(let event): lines = self.lines(event)
    }
    return lines.compactMap { name, text in
      text.map { name.padding(toLength: 12, withPad: " ", startingAt: 0) + LogText.escaped($0, maximumBytes: 4_096) + "\n" }
    }.joined()
  }

  private static func lines(_ event: Event) -> [(String, String?)] {
    var lines: [(String, String?)]
    switch event.body {
    case .message(let message):
      let author = [message.authorKind.rawValue, message.authorID].compactMap { $0 }.joined(separator: " ")
      lines = [("message", "\(message.direction.rawValue), by \(author)")]
      lines += message.customer.map { ("customer", text($0)) }
      lines += [
        ("name", message.customerName), ("language", message.language), ("id", message.externalID),
        ("read by", readers(message.visibility)),
        ("answer to", message.replyAddress), ("replies to", message.replyToExternalID),
        ("piece", message.part.map { $0.number.map(String.init) ?? "of an album" }),
        ("subject", message.subject), ("text", message.text),
      ]
      lines += message.attachments.map { ("attachment", text($0)) }
      lines += [("details", message.details.isEmpty ? nil : message.details.string)]
      lines += message.flags.map { ("warning", $0) }
    case .contact(let contact):
      lines = [("contact", contact.displayName ?? "")] + contact.identifiers.map { ("customer", text($0)) }
      lines += contact.traits.sorted { $0.key < $1.key }.map { ("trait", "\($0.key) = \($0.value.string)") }
    case .order(let order):
      let total = [order.total, order.currency].compactMap { $0 }.joined(separator: " ")
      lines = [("order", order.number ?? order.externalID)] + order.customer.map { ("customer", text($0)) }
      lines += [("name", order.customerName), ("status", order.status), ("total", total.isEmpty ? nil : total)]
      lines += order.items.map { ("item", [$0.quantity.map { "\($0) ×" }, $0.title].compactMap { $0 }.joined(separator: " ")) }
      lines += [("details", order.details.isEmpty ? nil : order.details.string)]
    case .survey(let response):
      let scale = [response.scaleMin, response.scaleMax].compactMap { $0 }.joined(separator: " to ")
      lines = [("survey", response.metric), ("id", response.externalID)] + response.customer.map { ("customer", text($0)) }
      lines += [
        ("name", response.customerName), ("score", response.score), ("scale", scale.isEmpty ? nil : scale),
        ("comment", response.comment), ("about", response.conversation?.description),
        ("details", response.details.isEmpty ? nil : response.details.string),
      ]
    case .change(let change):
      lines = [("change", change.kind), ("of", change.targetExternalID)] + change.customer.map { ("customer", text($0)) }
      lines += [
        ("by", change.authorKind?.rawValue), ("status", change.status), ("error", change.error), ("reaction", change.reaction),
        ("up to", change.upTo?.iso8601), ("text", change.text),
      ]
      lines += (change.attachments ?? []).map { ("attachment", text($0)) }
      lines += [("details", change.details.isEmpty ? nil : change.details.string)]
    case .unknown(let unknown): lines = [("unknown", unknown.what), ("details", unknown.details.string)]
    case .action, .result, .presence: lines = [("desk", canonicalJSON(event).string)]
    }
    let place: [(String, String?)] = [
      ("account", event.channel.rawValue + "/" + event.account), ("tenant", event.tenant), ("sent", event.sentAt?.iso8601),
    ]
    return lines.prefix(1) + place + lines.dropFirst()
  }

  private static func readers(_ visibility: Visibility) -> String? {
    switch visibility {
    case .private: nil
    case .group: "a group"
    case .public: "everybody"
    }
  }

  private static func text(_ stated: StatedIdentifier) -> String {
    let scope = stated.identifier.scope
    return "\(stated.assurance.label)  \(stated.identifier.kind.rawValue) \(stated.identifier.value)"
      + (scope.isEmpty ? "" : " in \(scope)")
  }

  private static func text(_ media: Attachment) -> String {
    [media.kind, media.name, media.type, media.sizeBytes.map { "\($0) bytes" }, media.providerID, media.url]
      .compactMap { $0 }.joined(separator: ", ")
  }
}
