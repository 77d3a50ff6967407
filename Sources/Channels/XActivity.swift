import Canonical
import Parsing

/// `x.activity`: one delivery of the X Activity API (one event, named by `data.event_type`) or of the Account Activity API before it
/// (arrays of events for `for_user_id`).
///
/// Source: `channels.md`, section 8. Ids of users, posts and messages are unique on all of X: our user, the account, is no scope of
/// them. A public thread (`conversation_id`) is shared by strangers and a private one never ends: neither is a session.
enum XActivity {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let data = root["data"]
    var delivery = delivery
    if let type = data["event_type"].string?.nonEmpty {
      delivery.account = data["filter"]["user_id"].id ?? delivery.account
      let users = Users(data["includes"]["users"], data["payload"]["users"])
      Reader(delivery: delivery, users: users, includes: data["includes"]).read(data, type, &elements)
    } else if root["for_user_id"].exists || root["user_event"].exists || root["replay_job_status"].exists {
      delivery.account = root["for_user_id"].id ?? delivery.account
      Reader(delivery: delivery, users: Users(root["users"]), includes: .absent).readLists(root, &elements)
    } else {
      throw Rejection(.malformedPayload, "event_type")
    }
  }

  /// The events of one delivery.
  private struct Reader {
    let delivery: Delivery
    let users: Users
    let includes: JSONValue

    private var account: String { delivery.account }

    /// The X Activity API.
    func read(_ data: JSONValue, _ type: String, _ elements: inout Elements) {
      let payload = data["payload"]
      let lists = ["dm.received": "direct_message_events", "dm.sent": "direct_message_events", "dm.read": Self.readEvents]
      if let name = lists[type], payload[name].isArray {
        for item in payload[name].elements {
          elements.add { () throws(Rejection) in try event(item, of: name, isSent: type == "dm.sent") }
        }
        return
      }
      if type.hasPrefix("post."), type != "post.create" { addFirstVersion(of: payload, &elements) }
      elements.add { () throws(Rejection) in
        switch type {
        case "dm.indicate_typing": return .ignored(reason: "typing")
        case "like.create": return .ignored(reason: "like")
        case "post.repost.create": return .ignored(reason: "repost")
        case "post.create", "post.mention.create", "post.reply.create", "post.quote.create":
          return try post(payload, addressesUs: type != "post.create")
        case "post.delete": return try deletion(of: payload, by: "author_id", at: .absent)
        case "chat.received", "chat.sent": return try chat(payload, isSent: type == "chat.sent")
        default: return unknown(type, data)
        }
      }
    }

    /// The Account Activity API: every member but for the context is a list of events, or one event.
    func readLists(_ root: JSONValue, _ elements: inout Elements) {
      let context: Set<String> = ["for_user_id", "users", "apps", "user_has_blocked", "is_blocked_by"]
      for (name, value) in root.members where !context.contains(name) && !value.isNull {
        guard value.isArray else {
          elements.add { unknown(name, value) }
          continue
        }
        for item in value.elements {
          if name == "tweet_create_events" { addFirstVersion(of: item, &elements) }
          elements.add { () throws(Rejection) in try event(item, of: name, isSent: false) }
        }
      }
    }

    /// An element of a list.
    private func event(_ item: JSONValue, of list: String, isSent: Bool) throws(Rejection) -> NormalisedElement {
      // Any other name is the sender's, and as long as they like.
      guard item.isObject else { throw Rejection(.malformedPayload, (Self.lists.contains(list) ? list : "events") + "[]") }
      switch list {
      case "direct_message_events": return try directMessage(item, isSent: isSent)
      case Self.readEvents: return try receipt(item)
      case "direct_message_indicate_typing_events": return .ignored(reason: "typing")
      // Everything of this list is ours, addresses us, or repeats us.
      case "tweet_create_events": return try post(item, addressesUs: true)
      case "tweet_delete_events": return try deletion(of: item["status"], by: "user_id", at: item["timestamp_ms"])
      case "favorite_events": return .ignored(reason: "like")
      default: return unknown(list, item)
      }
    }

    // MARK: - Posts

    /// Of an edited post whose first version did not address us, or is late, the edit is all there is: a message under the key of the
    /// first one, which is no second where that has come, and which the edit then changes.
    private func addFirstVersion(of item: JSONValue, _ elements: inout Elements) {
      guard let post = try? Post(item, includes: includes), post.original != nil, post.author != account, !post.isRepost else {
        return
      }
      elements.add { () throws(Rejection) in try self.post(item, addressesUs: true, asFirstVersion: true) }
    }

    private func post(
      _ item: JSONValue, addressesUs: Bool, asFirstVersion: Bool = false
    ) throws(Rejection) -> NormalisedElement {
      guard item.isObject else { throw Rejection(.malformedPayload, "payload") }
      let post = try Post(item, includes: includes)
      let isOurs = post.author == account
      if post.isRepost { return .ignored(reason: "repost") }
      if !isOurs, !addressesUs { return .ignored(reason: "not_addressed") }
      // Our answers are to somebody, all else that we publish is to everybody.
      guard let customer = isOurs ? post.addressee(besides: account) : post.author else { return .ignored(reason: "own_post") }
      let identifiers = try identifiers(customer)
      let profile = users[customer] ?? (isOurs ? .absent : item["user"])
      let text = try post.text()
      let media = Media(post: item, includes: includes, limit: delivery.limits.attachments + 1)

      var details = JSONObjectWriter()
      details.member("username", username(profile))
      details.member("in_reply_to_user_id", post.repliedToUser)
      for name in Self.keptOfPosts where !item[name].isNull { details.member(name, item[name].json) }
      details.member("entities", said(in: post.entities))
      if let original = post.original, !asFirstVersion {
        details.member("version_id", post.id)
        let change = Change(
          kind: "edit", target: name(original), targetExternalID: original, customer: identifiers,
          authorKind: isOurs ? .agent : .customer, text: text ?? "", attachments: media.attachments, details: details.finished)
        return delivery.event(MessageKey(name(post.id)), sentAt: item["created_at"].time, .change(change))
      }
      if text == nil, media.attachments.isEmpty { details.member("unknown", "post") }
      let id = post.original ?? post.id
      // Who answers what we published to everybody has nothing to do with all the others who do.
      let isAnswerToAll = post.repliedTo == post.root && post.repliedToUser == account
      var message = Message(
        direction: isOurs ? .outbound : .inbound, authorKind: isOurs ? .agent : .customer, customer: identifiers,
        customerName: displayName(profile), language: isOurs ? nil : text.flatMap(language), externalID: id,
        names: [name(id)], references: post.repliedTo.flatMap { isAnswerToAll ? nil : [name($0)] } ?? [],
        replyToExternalID: post.repliedTo, text: text, attachments: media.attachments, details: details.finished,
        flags: item["created_at"].timeFlags + (post.isCut ? ["text_truncated"] : []))
      message.visibility = .public
      // One post may come as a mention and as a reply, and for each of our users.
      return delivery.event(MessageKey(name(id)), sentAt: item["created_at"].time, .message(message))
    }

    /// What of a post is worth keeping beside its message; counts and settings change with every delivery.
    private static let keptOfPosts = [
      "conversation_id", "referenced_tweets", "quoted_status_id_str", "lang", "geo", "place", "possibly_sensitive",
    ]

    private func deletion(of item: JSONValue, by authorKey: String, at time: JSONValue) throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id", in: "deleted.")
      let author = try item.requiredID(authorKey, in: "deleted.")
      let isOurs = author == account
      let change = Change(
        kind: "delete", target: name(id), targetExternalID: id, customer: isOurs ? [] : try identifiers(author),
        authorKind: isOurs ? .agent : .customer)
      return delivery.event(key("delete", id, author), sentAt: time.time, .change(change))
    }

    // MARK: - Private messages

    private func directMessage(_ item: JSONValue, isSent: Bool) throws(Rejection) -> NormalisedElement {
      let type = try item.requiredID("type", in: "direct_message_events[].")
      guard type == "message_create" else { return unknown(type, item) }
      let id = try item.requiredID("id", in: "direct_message_events[].")
      let create = item["message_create"]
      let sender = try create.requiredID("sender_id", in: "message_create.")
      let isOurs = isSent || sender == account
      let customer = isOurs ? try create["target"].requiredID("recipient_id", in: "target.") : sender
      if customer == account { return .ignored(reason: "self") }
      let data = create["message_data"]
      guard data.isObject else { throw Rejection(.malformedPayload, "message_data") }
      let text = try data.text("text").map(\.htmlUnescaped)
      let media = Media(directMessage: data["attachment"])
      let isButton = data["quick_reply_response"].isObject

      var details = JSONObjectWriter()
      details.member("username", username(users[customer]))
      let shown: Set<String> = ["visibility", "username", "unknown", "entities", "text", "sender_id", "target", "message_data"]
      details.members(of: item, without: shown.union(["type", "id", "created_timestamp", "message_create"]))
      details.members(of: create, without: shown)
      details.members(of: data, without: media.isPlain ? shown.union(["attachment"]) : shown)
      details.member("entities", said(in: data["entities"]))
      if text == nil, media.attachments.isEmpty, !isButton {
        details.member("unknown", data["attachment"]["type"].string ?? "message")
      }
      let message = Message(
        direction: isOurs ? .outbound : .inbound, authorKind: isOurs ? .agent : .customer, customer: try identifiers(customer),
        customerName: displayName(users[customer]),
        // A button's words are the business's own.
        language: isOurs || isButton ? nil : text.flatMap(language), externalID: id, names: [name(id)], text: text,
        attachments: media.attachments, details: details.finished, flags: item["created_timestamp"].timeFlags)
      return delivery.event(MessageKey(name(id)), sentAt: item["created_timestamp"].time, .message(message))
    }

    private static let readEvents = "direct_message_mark_read_events"
    private static let lists: Set<String> = [
      "direct_message_events", readEvents, "direct_message_indicate_typing_events", "tweet_create_events", "tweet_delete_events",
      "favorite_events",
    ]

    /// Read by the customer up to one message.
    private func receipt(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let target = try item.requiredID("last_read_event_id", in: Self.readEvents + "[].")
      let reader = try item.requiredID("sender_id", in: Self.readEvents + "[].")
      if reader == account { return .ignored(reason: "own_read") }
      let change = Change(
        kind: "receipt", target: name(target), targetExternalID: target, customer: try identifiers(reader), status: "read")
      return delivery.event(key("receipt", target, "read", reader), sentAt: item["created_timestamp"].time, .change(change))
    }

    /// A message that is encrypted from end to end: all we know is that there is one.
    private func chat(_ item: JSONValue, isSent: Bool) throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id", in: "payload.")
      let sender = try item.requiredID("sender_id", in: "payload.")
      let isOurs = isSent || sender == account
      // `<one user>:<the other>`, while groups have an id of their own.
      let pair = item["conversation_id"].id?.split(separator: ":").map(String.init) ?? []
      let recipient = pair.count == 2 && pair.contains(sender) ? pair.first { $0 != sender } : nil
      guard let customer = isOurs ? recipient : sender else { return unknown(isSent ? "chat.sent" : "chat.received", item) }
      if customer == account { return .ignored(reason: "self") }
      var details = JSONObjectWriter()
      details.member("username", username(users[customer]))
      details.members(of: item, without: Self.shownOfChats.union(Self.secrets))
      var message = Message(
        direction: isOurs ? .outbound : .inbound, authorKind: isOurs ? .agent : .customer, customer: try identifiers(customer),
        customerName: displayName(users[customer]), externalID: id, names: [name(id)], details: details.finished,
        flags: ["unreadable"] + item["created_at_msec"].timeFlags)
      if pair.count != 2 { message.stand(in: item["conversation_id"].id) }
      return delivery.event(MessageKey(name(id)), sentAt: item["created_at_msec"].time, .message(message))
    }

    private static let shownOfChats: Set<String> = ["id", "sender_id", "created_at_msec", "visibility", "username"]
    /// Its reader could write into the conversation.
    private static let secrets: Set<String> = ["conversation_token"]

    // MARK: - What all have in common

    private func unknown(_ what: String, _ item: JSONValue) -> NormalisedElement {
      var details = JSONObjectWriter()
      if item.isObject {
        details.members(of: item, without: Self.secrets.union(["payload"]))
        details.member("payload", item["payload"].isObject ? item["payload"].rest(without: Self.secrets) : item["payload"].json)
      } else {
        details.member(what, item.json)
      }
      let json = details.finished
      return delivery.event(
        key("unknown", account, what, item["event_uuid"].id ?? json.string), sentAt: nil,
        .unknown(Unknown(what: what, details: json)))
    }

    private func name(_ id: String) -> ReferenceKey { .message(.x, account: account, id: id) }

    /// Without the account, as names are: an event is delivered once for each of our users.
    private func key(_ kind: String, _ parts: String...) -> MessageKey {
      MessageKey(Bytes16(Digest.bytes16([Channel.x.rawValue, "", kind] + parts)))
    }

    private func identifiers(_ id: String) throws(Rejection) -> [StatedIdentifier] {
      try delivery.identifiers(.x, id, delivery.providerAssurance)
    }

    private func displayName(_ profile: JSONValue?) -> String? { profile?["name"].personName }

    private func username(_ profile: JSONValue?) -> String? {
      let names = [profile?["username"], profile?["screen_name"]]
      let name = names.lazy.compactMap { $0?.string(prefix: 2 * JSONValue.longestID) }.first
      return name?.nonEmpty?.prefix(utf8Bytes: delivery.limits.lineBytes)
    }
  }

  /// A post in the form of either API.
  private struct Post {
    private let item: JSONValue
    let id: String
    let author: String
    /// Of an edited post, the id of its first version: every version has an id of its own.
    let original: String?
    let repliedTo: String?
    let repliedToUser: String?
    /// The post that the public thread began with; the older API does not say.
    let root: String?
    let isRepost: Bool

    init(_ item: JSONValue, includes: JSONValue) throws(Rejection) {
      func referenced(_ type: String) -> String? {
        item["referenced_tweets"].elements.first { $0["type"].string == type }?["id"].id
      }
      self.item = item
      // The older API's numbers are rounded.
      let isLegacy = item["user"].isObject
      id = try item.requiredID(isLegacy ? "id_str" : "id", in: "post.")
      author = try isLegacy ? item["user"].requiredID("id_str", in: "user.") : item.requiredID("author_id", in: "post.")
      let first = item["edit_history_tweet_ids"].elements.first { _ in true }?.id ?? item["edit_history"]["initial_tweet_id"].id
      original = first == id ? nil : first
      let parent = item["in_reply_to_tweet_id"].id ?? item["in_reply_to_status_id_str"].id ?? referenced("replied_to")
      repliedTo = parent
      repliedToUser =
        (isLegacy ? item["in_reply_to_user_id_str"] : item["in_reply_to_user_id"]).id
        ?? includes["tweets"].elements.first { parent != nil && $0["id"].id == parent }?["author_id"].id
      root = item["conversation_id"].id
      isRepost = item["retweeted_status"].isObject || referenced("retweeted") != nil
    }

    /// The whole post, where `text` is but its beginning.
    private var long: JSONValue { item["extended_tweet"].isObject ? item["extended_tweet"] : item["note_tweet"] }

    var isCut: Bool { item["truncated"].bool == true && !long.isObject }

    var entities: JSONValue { long["entities"].isObject ? long["entities"] : item["entities"] }

    func text() throws(Rejection) -> String? {
      if let text = long["full_text"].string ?? long["text"].string { return text.htmlUnescaped.nonEmpty }
      return try item.text("text").map(\.htmlUnescaped)
    }

    /// Whom an answer is to: the author that it replies to or, when that is ourselves (in parts), the first who is mentioned.
    func addressee(besides account: String) -> String? {
      if repliedTo == nil { return nil }
      if let repliedToUser, repliedToUser != account { return repliedToUser }
      let mentioned =
        entities["mentions"].elements.prefix(1_000).map(\.["id"])
        + entities["user_mentions"].elements.prefix(1_000).map(\.["id_str"])
      return mentioned.lazy.compactMap(\.id).first { $0 != account }
    }
  }

  /// Profiles by id: bare or wrapped in `data`, in a list or a map.
  private struct Users {
    private var byID: [String: JSONValue] = [:]

    init(_ places: JSONValue...) {
      for place in places {
        for profile in place.elements { add(profile) }
        for (_, profile) in place.members { add(profile) }
      }
    }

    private mutating func add(_ profile: JSONValue) {
      let profile = profile["data"].isObject ? profile["data"] : profile
      if let id = profile["id"].id, byID[id] == nil { byID[id] = profile }
    }

    subscript(id: String) -> JSONValue? { byID[id] }
  }

  /// Photos, videos and animations.
  private struct Media {
    private(set) var attachments: [Attachment] = []
    /// Whether the attachments hold all that was said.
    private(set) var isPlain = false

    init(post: JSONValue, includes: JSONValue, limit: Int) {
      for key in post["attachments"]["media_keys"].elements.prefix(limit) {
        guard let key = key.id else { continue }
        add(includes["media"].elements.prefix(limit).first { $0["media_key"].id == key }, id: key)
      }
      let places = [post["extended_tweet"]["extended_entities"], post["extended_entities"], post["entities"]]
      guard let list = places.map({ $0["media"] }).first(where: \.isArray) else { return }
      for item in list.elements.prefix(limit) { add(item, id: item["id_str"].id) }
    }

    init(directMessage attachment: JSONValue) {
      if attachment["media"].isObject {
        add(attachment["media"], id: attachment["media"]["id_str"].id)
        isPlain = true
      } else if attachment["type"].string == "location" {
        attachments = [Attachment(kind: "location")]
      }
    }

    /// The picture that stands for a video is not the video.
    private mutating func add(_ item: JSONValue?, id: String?) {
      let kinds = ["photo": "image", "video": "video", "animated_gif": "video"]
      let kind = kinds[item?["type"].string ?? ""] ?? "file"
      let videos = [item?["video_info"]["variants"], item?["variants"]].compactMap { $0 }.flatMap { $0.elements.prefix(100) }
        .filter { $0["content_type"].string == "video/mp4" }
      let best = videos.max { rate($0) < rate($1) }
      let url = kind == "video" ? best?["url"].string : item?["media_url_https"].string ?? item?["url"].string
      attachments.append(
        Attachment(kind: kind, type: best.map { _ in "video/mp4" }, providerID: id, url: url?.nonEmpty))
    }

    private func rate(_ variant: JSONValue) -> Int64 { variant["bit_rate"].int64 ?? variant["bitrate"].int64 ?? 0 }
  }

  /// Links and names are no language's.
  private static func language(of text: String) -> String? {
    let words = text.prefix(4_096).split(whereSeparator: \.isWhitespace)
    return Language.detect(words.filter { !$0.hasPrefix("https://t.co/") && !$0.hasPrefix("@") }.joined(separator: " "))
  }

  /// The lists of an `entities` that are not empty.
  private static func said(in entities: JSONValue) -> JSONText {
    var writer = JSONObjectWriter()
    for (name, list) in entities.members where list.elements.contains(where: { _ in true }) { writer.member(name, list.json) }
    return writer.finished
  }
}
