import Canonical
import Parsing

extension TelegramUpdate {
  /// What a message says.
  struct Content {
    private(set) var text: String?
    /// Of the user's own words.
    private(set) var language: String?
    private(set) var attachments: [Attachment] = []
    /// What is worth keeping beside the attachments, by the names of the members.
    private(set) var kept: [(name: String, json: JSONText)] = []

    init(_ item: JSONValue, limit: Int) throws(Rejection) {
      let said = try item.text("text")
      let caption = try item.text("caption")
      text = said ?? caption ?? RichText.text(of: item["rich_message"])
      if let text {
        let entities = item[said == nil ? "caption_entities" : "entities"].elements.prefix(100)
          .filter { Self.silent.contains($0["type"].string ?? "") }
        let ranges = entities.map { (offset: $0["offset"].int64 ?? 0, length: $0["length"].int64 ?? 0) }
        language = Language.detect(text.beginning(withoutUTF16: ranges))
      }
      addFiles(item, limit: limit)

      // A venue also is a location.
      let venue = item["venue"]
      if venue.isObject {
        let lines = [venue["title"].string?.nonEmpty, venue["address"].string?.nonEmpty].compactMap { $0 }
        text = text ?? lines.joined(separator: "\n").nonEmpty
        attachments.append(Attachment(kind: "location", name: lines.first))
      } else if item["location"].isObject {
        attachments.append(Attachment(kind: "location"))
      }
      let contact = item["contact"]
      if contact.isObject {
        let names = [contact["first_name"].string?.nonEmpty, contact["last_name"].string?.nonEmpty].compactMap { $0 }
        attachments.append(Attachment(kind: "contact", name: names.joined(separator: " ").nonEmpty))
      }
      if text == nil {
        let tasks = item["checklist"]["tasks"].elements.prefix(100).compactMap { $0["text"].string?.nonEmpty }
        let lines = [item["checklist"]["title"].string?.nonEmpty].compactMap { $0 } + tasks
        text =
          item["poll"]["question"].string?.nonEmpty ?? item["dice"]["emoji"].string?.nonEmpty
          ?? item["web_app_data"]["button_text"].string?.nonEmpty ?? lines.joined(separator: "\n").nonEmpty
      }
    }

    /// Names, links and code are no language's.
    private static let silent: Set<String> = [
      "mention", "text_mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "code", "pre",
    ]

    private static let kinds = [
      ("animation", "video"), ("document", "document"), ("video", "video"), ("audio", "audio"), ("voice", "audio"),
      ("video_note", "video"), ("sticker", "sticker"),
    ]

    private mutating func addFiles(_ item: JSONValue, limit: Int) {
      // A moving photo also is a photo, an animation also is a document.
      let moving = item["live_photo"]
      if let photo = Self.largest(item["photo"]) {
        add(photo, "image")
        kept.append(("photo", Self.rest(photo)))
        kept.append(("live_photo", moving.isObject ? moving.rest(without: ["thumbnail", "photo"]) : JSONText()))
      } else if moving.isObject {
        add(moving, "video")
        kept.append(("live_photo", Self.rest(moving)))
      }
      for (name, kind) in Self.kinds where item[name].isObject {
        if name == "document", item["animation"].isObject { continue }
        add(item[name], kind)
        kept.append((name, Self.rest(item[name])))
      }
      let paid = item["paid_media"]
      guard paid.isObject else { return }
      for media in paid["paid_media"].elements.prefix(limit) {
        if let photo = Self.largest(media["photo"]) {
          add(photo, "image")
        } else if media["video"].isObject || media["live_photo"].isObject {
          add(media["video"].isObject ? media["video"] : media["live_photo"], "video")
        }
      }
      kept.append(("paid_media", paid.rest(without: ["paid_media"])))
    }

    private mutating func add(_ file: JSONValue, _ kind: String) {
      attachments.append(
        Attachment(
          kind: kind, name: file["file_name"].string?.nonEmpty, type: file["mime_type"].string?.nonEmpty,
          sizeBytes: file["file_size"].naturalNumber, providerID: file["file_id"].id))
    }

    /// `photo` is one photo in several sizes.
    private static func largest(_ sizes: JSONValue) -> JSONValue? {
      func area(_ size: JSONValue) -> Double { (size["width"].double ?? 0) * (size["height"].double ?? 0) }
      return sizes.elements.prefix(100).filter(\.isObject).max { area($0) < area($1) }
    }

    private static func rest(_ file: JSONValue) -> JSONText {
      file.rest(without: ["file_id", "file_name", "mime_type", "file_size", "thumbnail", "thumb", "cover", "qualities"])
    }
  }

  /// The words of a `rich_message`, a line for each block.
  private enum RichText {
    static func text(of message: JSONValue) -> String? {
      var lines: [String] = []
      add(message["blocks"], to: &lines)
      return lines.joined(separator: "\n").nonEmpty
    }

    private static let nested: Set<String> = ["blocks", "items", "cells"]

    private static func add(_ block: JSONValue, to lines: inout [String]) {
      for block in block.elements { add(block, to: &lines) }
      for name in ["summary", "text", "expression", "blocks", "items", "cells", "caption", "credit"] where block[name].exists {
        if nested.contains(name) {
          add(block[name], to: &lines)
        } else {
          var line = ""
          append(block[name], to: &line)
          if !line.isEmpty { lines.append(line) }
        }
      }
    }

    /// A string, a list, or an object around one of the two.
    private static func append(_ value: JSONValue, to line: inout String) {
      if let text = value.string { line += text }
      for part in value.elements { append(part, to: &line) }
      if let inner = ["text", "alternative_text", "expression", "name"].first(where: { value[$0].exists }) {
        append(value[inner], to: &line)
      }
    }
  }
}
