import Canonical
import Parsing

/// `telegram.update`: one update of the Bot API, which holds at most one event.
///
/// Source: `channels.md`, section 9. The account is the bot, also of a business whose chats it is connected to. Ids of messages
/// count within one chat, and in business chats within one connection: a message is called `<chat>/<message>` or
/// `<connection>/<chat>/<message>`, in `outbound.result`, too. A chat never ends: it is no session. Offsets in `entities` are
/// UTF-16 code units.
enum TelegramUpdate {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let reader = Reader(delivery: delivery, updateID: try root.requiredID("update_id"))
    for (kind, item) in root.members where kind != "update_id" && !item.isNull { reader.read(kind, item, &elements) }
  }

  /// One update.
  private struct Reader {
    let delivery: Delivery
    /// The same when the update is delivered again. The next one may be lower.
    let updateID: String

    func read(_ kind: String, _ item: JSONValue, _ elements: inout Elements) {
      if kind == "deleted_business_messages", item["message_ids"].isArray {
        let context = delivery.shared(item.rest(without: ["message_ids"]))
        for id in item["message_ids"].elements { elements.add { () throws(Rejection) in try deletion(of: id, item, context) } }
        return
      }
      if kind == "message_reaction", item["old_reaction"].isArray, item["new_reaction"].isArray {
        return reactions(item, &elements)
      }
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "update") }
        switch kind {
        case "message", "business_message", "guest_message": return try message(item, isPost: false)
        case "channel_post": return try message(item, isPost: true)
        case "edited_message", "edited_business_message": return try edit(item, kind, isPost: false)
        case "edited_channel_post": return try edit(item, kind, isPost: true)
        case "callback_query": return try press(item)
        case "my_chat_member": return try membership(item)
        case "business_connection": return state(nil, item.json, at: item["date"].time)
        case "deleted_business_messages", "message_reaction": throw Rejection(.malformedPayload, kind)
        case "message_reaction_count": return .ignored(reason: "reaction_count")
        case "inline_query", "chosen_inline_result": return .ignored(reason: "inline_query")
        // How many have chosen what.
        case "poll": return .ignored(reason: "poll")
        default: return unknown(kind, item)
        }
      }
    }

    // MARK: - Messages

    private func message(_ item: JSONValue, isPost: Bool) throws(Rejection) -> NormalisedElement {
      if let change = try migration(item) { return change }
      if item.members.contains(where: { TelegramUpdate.service.contains($0.key) }) { return .ignored(reason: "service") }
      // What a channel publishes comes once more in the group that discusses it.
      if item["is_automatic_forward"].bool == true { return .ignored(reason: "own_post") }
      let id = try externalID(item)
      let person = try Person(item, isPost: isPost, account: delivery.account)
      guard let customer = person.customer else { return .ignored(reason: "own_post") }
      let content = try Content(item, limit: delivery.limits.attachments + 1)
      let reply = item["reply_to_message"]
      let replyTo = isTopic(reply, of: item) ? nil : shownID(reply, in: item)
      // Those who comment on what we published to everybody have nothing to do with each other.
      let isComment = reply["is_automatic_forward"].bool == true
      let references: [ReferenceKey] = isComment ? [] : replyTo.map { [reference($0)] } ?? []

      var details = JSONObjectWriter()
      details.member("username", username(person.profile))
      var album = JSONObjectWriter()
      album.member("id", item["media_group_id"].id)
      details.member("album", album.finished)
      if let text = content.text, text.hasPrefix("/start ") { details.member("start", String(text.dropFirst(7))) }
      details.members(of: item, without: TelegramUpdate.consumed, or: item["venue"].isObject ? "location" : nil)
      for (name, json) in content.kept { details.member(name, json) }
      if content.text == nil, content.attachments.isEmpty { details.member("unknown", what(item)) }
      var message = Message(
        direction: person.isOurs ? .outbound : .inbound, authorKind: person.authorKind, authorID: person.authorID,
        customer: try identifiers(customer, sharing: person.isOurs ? .absent : item), customerName: name(person.profile),
        language: person.isOurs ? nil : content.language ?? language(item["from"]), externalID: id,
        names: id.map { [reference($0)] } ?? [], references: references, replyToExternalID: replyTo, text: content.text,
        attachments: content.attachments, details: details.finished, flags: item["date"].timeFlags)
      stand(&message, in: item)
      if let album = item["media_group_id"].id {
        message.take(part: Part(of: .whole(.telegram, account: delivery.account, [customer, album])))
      }
      return delivery.event(
        id.map { MessageKey(reference($0)) } ?? delivery.key("update", updateID), sentAt: item["date"].time, .message(message))
    }

    /// The whole message as it is now; it may come although nothing has changed that anybody sees.
    private func edit(_ item: JSONValue, _ kind: String, isPost: Bool) throws(Rejection) -> NormalisedElement {
      // A place that moves is told every few seconds.
      if item["location"].isObject { return .ignored(reason: "live_location") }
      guard let id = try externalID(item) else { return unknown(kind, item) }
      let person = try Person(item, isPost: isPost, account: delivery.account)
      guard let customer = person.customer else { return .ignored(reason: "own_post") }
      let content = try Content(item, limit: delivery.limits.attachments + 1)
      var message = JSONObjectWriter()
      message.members(of: item, without: TelegramUpdate.copies.union(TelegramUpdate.said))
      for (name, json) in content.kept { message.member(name, json) }
      var details = JSONObjectWriter()
      details.member("message", message.finished)
      let change = Change(
        kind: "edit", target: reference(id), targetExternalID: id, customer: try identifiers(customer),
        authorKind: person.authorKind, text: content.text ?? "",
        // Of an album it says one picture alone.
        attachments: item["media_group_id"].exists ? nil : content.attachments, details: details.finished)
      return delivery.event(
        delivery.key("edit", id, item["edit_date"].id ?? "", updateID), sentAt: item["edit_date"].time, .change(change))
    }

    /// Of business chats alone; who took it back is not said.
    private func deletion(of message: JSONValue, _ item: JSONValue, _ context: JSONText) throws(Rejection) -> NormalisedElement {
      guard let message = message.id else { throw Rejection(.malformedPayload, "message_ids[]") }
      let chat = try item["chat"].requiredID("id", in: "chat.")
      let id = externalID(message, in: chat, of: item["business_connection_id"].id)
      let change = Change(
        kind: "delete", target: reference(id), targetExternalID: id, customer: try identifiers(chat), details: context)
      return delivery.event(delivery.key("delete", id), sentAt: nil, .change(change))
    }

    /// A button below a message of ours. Its time is not said.
    private func press(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id", in: "callback_query.")
      let user = try item["from"].requiredID("id", in: "from.")
      let shown = item["message"]
      let replyTo = shownID(shown, in: shown)
      var details = JSONObjectWriter()
      details.member("username", username(item["from"]))
      details.member("chat", shown["chat"].json)
      details.member("callback_query", item.rest(without: ["id", "from", "message"]))
      var message = Message(
        direction: .inbound, authorKind: .customer, customer: try identifiers(user), customerName: name(item["from"]),
        // The button's words are the business's own.
        language: language(item["from"]), references: replyTo.map { [reference($0)] } ?? [], replyToExternalID: replyTo,
        text: label(of: item["data"].string, in: shown["reply_markup"]["inline_keyboard"]), details: details.finished)
      stand(&message, in: shown)
      return delivery.event(delivery.key("callback", id), sentAt: nil, .message(message))
    }

    /// Where an answer goes: a private chat is called as its user is. Business chats have a connection, and a channel's private talks a
    /// topic, beside it.
    private func stand(_ message: inout Message, in item: JSONValue) {
      let (chat, type) = (item["chat"]["id"].id, item["chat"]["type"].string)
      if let chat, let place = item["business_connection_id"].id {
        message.replyAddress = place + "/" + chat
      } else if let chat, let topic = item["direct_messages_topic"]["topic_id"].id {
        message.replyAddress = chat + "/" + topic
      } else if let query = item["guest_query_id"].id {
        // The bot is no member of the group.
        message.stand(in: query)
      } else if type == "channel" {
        // What a button below a post says, nobody but we hear.
        if message.direction == .outbound { message.stand(in: chat, .public) }
      } else if type != "private" {
        message.stand(in: chat)
      }
    }

    private func label(of data: String?, in keyboard: JSONValue) -> String? {
      guard let data else { return nil }
      for row in keyboard.elements.prefix(100) {
        for button in row.elements.prefix(100) where button["callback_data"].string == data {
          return button["text"].string?.nonEmpty
        }
      }
      return nil
    }

    // MARK: - Changes

    /// One user's reactions before and after; what is in both did not change.
    private func reactions(_ item: JSONValue, _ elements: inout Elements) {
      let old = item["old_reaction"].elements.prefix(100).map { $0 }
      let new = item["new_reaction"].elements.prefix(100).map { $0 }
      let (before, after) = (Set(old.map(\.json)), Set(new.map(\.json)))
      if before == after { elements.add { .ignored(reason: "no_change") } }
      for value in old where !after.contains(value.json) {
        elements.add { () throws(Rejection) in try reaction("remove", value, item) }
      }
      for value in new where !before.contains(value.json) {
        elements.add { () throws(Rejection) in try reaction("add", value, item) }
      }
    }

    private func reaction(_ action: String, _ value: JSONValue, _ item: JSONValue) throws(Rejection) -> NormalisedElement {
      guard let id = try externalID(item) else { throw Rejection(.malformedPayload, "message_id") }
      let actor = item["user"].isObject ? item["user"] : item["actor_chat"]
      let user = try actor.requiredID("id", in: "user.")
      let type = value["type"].string?.nonEmpty
      // A paid one has no name but this.
      let name = value["emoji"].string?.nonEmpty ?? value["custom_emoji_id"].id ?? type
      var details = JSONObjectWriter()
      details.member("type", type == name ? nil : type)
      let change = Change(
        kind: "reaction", target: reference(id), targetExternalID: id, customer: try identifiers(user), authorKind: .customer,
        status: action, reaction: name, details: details.finished)
      return delivery.event(
        delivery.key("reaction", id, user, action, value.json.string, updateID), sentAt: item["date"].time, .change(change))
    }

    /// A group became a supergroup, which has another id: each of the two tells it. Whoever spoke as the one speaks as the other.
    private func migration(_ item: JSONValue) throws(Rejection) -> NormalisedElement? {
      let (from, to) = (item["migrate_from_chat_id"].id, item["migrate_to_chat_id"].id)
      guard from != nil || to != nil else { return nil }
      let chat = try item["chat"].requiredID("id", in: "chat.")
      let (old, new) = (from ?? chat, to ?? chat)
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.telegram, scope: delivery.account, old, assurance)
      try identifiers.add(.telegram, scope: delivery.account, new, assurance)
      var details = JSONObjectWriter()
      details.member("migrate_from_chat_id", old)
      details.member("migrate_to_chat_id", new)
      details.member("title", name(item["chat"]))
      let change = Change(kind: "identity_change", customer: identifiers.list, details: details.finished)
      return delivery.event(delivery.key("identity_change", old, new), sentAt: item["date"].time, .change(change))
    }

    /// A user who blocks the bot, or lets it write again; in groups, whether the bot is one of them.
    private func membership(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let chat = try item["chat"].requiredID("id", in: "chat.")
      let time = item["date"].time
      let word = item["new_chat_member"]["status"].string?.nonEmpty
      var details = JSONObjectWriter()
      guard item["chat"]["type"].string == "private" else {
        details.members(of: item, without: ["new_chat_member"])
        details.member("new_chat_member", item["new_chat_member"].rest(without: ["status"]))
        return state(word, details.finished, at: time)
      }
      let actions = ["kicked": "opt_out", "left": "opt_out", "member": "opt_in"]
      guard let action = actions[word ?? ""] else { return unknown("my_chat_member", item) }
      details.member("status", word)
      let change = Change(kind: "consent", customer: try identifiers(chat), status: action, details: details.finished)
      return delivery.event(delivery.key("consent", chat, action, updateID), sentAt: time, .change(change))
    }

    /// Whether we may write: about a chat or a business, not about a message.
    private func state(_ status: String?, _ details: JSONText, at time: Timestamp?) -> NormalisedElement {
      delivery.event(
        delivery.key("conversation_state", updateID), sentAt: time,
        .change(Change(kind: "conversation_state", status: status, details: details)))
    }

    // MARK: - What all have in common

    private func unknown(_ kind: String, _ item: JSONValue) -> NormalisedElement {
      delivery.event(
        delivery.key("unknown", kind, updateID), sentAt: item["date"].time, .unknown(Unknown(what: kind, details: item.json)))
    }

    private var assurance: Assurance { delivery.providerAssurance }

    private func reference(_ id: String) -> ReferenceKey { .message(.telegram, account: delivery.account, id: id) }

    private func externalID(_ message: String, in chat: String, of connection: String?) -> String {
      [connection, chat, message].compactMap { $0 }.joined(separator: "/")
    }

    /// nil for the id 0, which is no message's own: a video that is not sent yet.
    private func externalID(_ item: JSONValue) throws(Rejection) -> String? {
      let chat = try item["chat"].requiredID("id", in: "chat.")
      let message = try item.requiredID("message_id")
      return message == "0" ? nil : externalID(message, in: chat, of: item["business_connection_id"].id)
    }

    /// The id of a message inside another event.
    private func shownID(_ shown: JSONValue, in item: JSONValue) -> String? {
      let chat = shown["chat"]["id"].id ?? item["chat"]["id"].id
      guard let message = shown["message_id"].id, message != "0", let chat else { return nil }
      return externalID(message, in: chat, of: item["business_connection_id"].id)
    }

    /// In a topic everything is a reply to the message that opened it.
    private func isTopic(_ reply: JSONValue, of item: JSONValue) -> Bool {
      reply["forum_topic_created"].exists
        || item["is_topic_message"].bool == true && reply["message_id"].id == item["message_thread_id"].id
    }

    /// The member that says what there is instead of text and files.
    private func what(_ item: JSONValue) -> String {
      let known = TelegramUpdate.consumed.union(TelegramUpdate.context)
      return item.members.first { !known.contains($0.key) }?.key ?? "message"
    }

    /// The scoped id and, where a user shares their own contact, the number that Telegram knows them by.
    private func identifiers(_ id: String, sharing item: JSONValue = .absent) throws(Rejection) -> [StatedIdentifier] {
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.telegram, scope: delivery.account, id, assurance)
      let contact = item["contact"]
      if let user = contact["user_id"].id, user == item["from"]["id"].id, user == id, !item["via_bot"].exists,
        !item["forward_origin"].exists, let number = contact["phone_number"].string(atMost: 32)?.nonEmpty
      {
        try identifiers.add(.phone, number.hasPrefix("+") ? number : "+" + number, assurance)
      }
      return identifiers.list
    }

    private func name(_ profile: JSONValue) -> String? {
      let names = ["first_name", "last_name", "title"].compactMap { profile[$0].personName }
      return names.joined(separator: " ").nonEmpty
    }

    private func username(_ profile: JSONValue) -> String? {
      profile["username"].string(prefix: 2 * JSONValue.longestID)?.nonEmpty?.prefix(utf8Bytes: delivery.limits.lineBytes)
    }

    /// What the user's app is set to.
    private func language(_ user: JSONValue) -> String? { user["language_code"].string(atMost: 64)?.languageOfLocale }
  }

  /// Copies of other messages, and what says nothing to an agent.
  private static let copies: Set<String> = ["reply_to_message", "from", "reply_markup"]

  /// Text and files.
  private static let said: Set<String> = [
    "text", "caption", "photo", "live_photo", "animation", "document", "video", "audio", "voice", "video_note", "sticker",
    "paid_media",
  ]

  /// What has a place of its own in a message.
  private static let consumed: Set<String> = copies.union(said).union([
    "message_id", "date", "media_group_id", "username", "album", "start", "unknown",
  ])

  /// What is about a message, and not what it says.
  private static let context: Set<String> = [
    "chat", "sender_chat", "business_connection_id", "message_thread_id", "is_topic_message", "via_bot", "forward_origin",
    "entities", "has_protected_content", "edit_date", "direct_messages_topic", "author_signature", "sender_tag",
    "sender_boost_count", "is_from_offline", "sender_business_bot", "external_reply", "quote", "guest_query_id",
    "guest_bot_caller_user", "guest_bot_caller_chat", "effect_id", "link_preview_options",
  ]

  /// What Telegram itself says in a chat.
  private static let service: Set<String> = [
    "new_chat_members", "left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo", "group_chat_created",
    "supergroup_chat_created", "channel_chat_created", "message_auto_delete_timer_changed", "pinned_message",
    "write_access_allowed", "connected_website", "proximity_alert_triggered", "boost_added", "chat_background_set",
    "forum_topic_created", "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened", "general_forum_topic_hidden",
    "general_forum_topic_unhidden", "video_chat_scheduled", "video_chat_started", "video_chat_ended",
    "video_chat_participants_invited", "direct_message_price_changed", "paid_message_price_changed",
  ]

  /// Who wrote a message, and who is the customer of it.
  private struct Person {
    var isOurs = false
    var authorKind = AuthorKind.customer
    var authorID: String?
    /// nil of what we write to many at once.
    var customer: String?
    /// The customer's.
    var profile = JSONValue.absent

    init(_ item: JSONValue, isPost: Bool, account: String) throws(Rejection) {
      let from = item["from"]
      let chat = item["chat"]
      let chatID = try chat.requiredID("id", in: "chat.")
      if item["business_connection_id"].exists {
        // The chat is called after the customer, whoever of the two writes.
        customer = chatID
        let bot = item["sender_business_bot"]["id"].id
        isOurs = bot != nil || from["id"].id != chatID
        profile = isOurs ? chat : from
        guard isOurs else { return }
        authorID = bot ?? from["id"].id
        // Away and greeting messages and the like; what we send goes out through our own bot.
        authorKind = item["is_from_offline"].bool == true ? .system : bot == nil || bot == account ? .agent : .bot
      } else if isPost || from["id"].id == account {
        isOurs = true
        authorKind = .agent
        profile = chat
        customer = isPost || chat["type"].string == "private" ? chatID : nil
      } else {
        // On behalf of a chat; `from` is nobody then.
        let sender = item["sender_chat"].isObject ? item["sender_chat"] : from
        let id = try sender.requiredID("id", in: "from.")
        (customer, profile) = (id, sender)
        guard !item["sender_chat"].isObject, from["is_bot"].bool == true else { return }
        authorKind = .bot
        authorID = id
      }
    }
  }
}
