import Canonical
import Parsing

/// `slack.event`: a body of Slack's Events API, of Socket Mode or of interactivity (a form whose `payload` is JSON).
///
/// A message is known by its channel and `ts`, here as `<channel>:<ts>`. The account is the workspace that our app is installed
/// in, and the scope of users' ids wherever they come from. In a channel that is shared with other companies our own people are
/// agents, everywhere else only our app is. Source: `channels.md`, section 13.
enum SlackEvent {
  static func read(_ body: [UInt8], _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    if body.first(where: { !$0.isBlank }) == UInt8(ascii: "{") {
      return try readJSON(delivery.nestedParser.document(body), delivery, &elements)
    }
    let form = try FormURLEncoded(body)
    if form["ssl_check"] != nil { return elements.add { .ignored(reason: "verification") } }
    if let payload = form["payload"] {
      let interaction = try delivery.nestedParser.document(Array(payload.utf8))
      guard interaction.isObject else { throw Rejection(.malformedPayload, "payload") }
      return SlackInteraction.read(interaction, delivery, &elements)
    }
    guard form["command"] != nil else { throw Rejection(.malformedPayload, "payload") }
    elements.add {
      var details = JSONObjectWriter()
      details.members(of: form, without: SlackInteraction.secrets)
      let json = details.finish()
      return delivery.event(
        delivery.key("unknown", "command", form["trigger_id"] ?? json.string), sentAt: nil,
        .unknown(Unknown(what: "command", details: json)))
    }
  }

  private static func readJSON(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    // Socket Mode has the body in an envelope.
    let body = root["envelope_id"].exists && root["payload"].isObject ? root["payload"] : root
    switch try body.requiredID("type") {
    case "event_callback": elements.add { () throws(Rejection) in try Reader(body, delivery).element() }
    case "url_verification": elements.add { .ignored(reason: "verification") }
    case "app_rate_limited": elements.add { .ignored(reason: "rate_limited") }
    case "hello", "disconnect": elements.add { .ignored(reason: "connection") }
    default: SlackInteraction.read(body, delivery, &elements)
    }
  }

  static func id(_ channel: String, _ ts: String) -> String { channel + ":" + ts }

  /// An answer goes to the thread; in a channel everything begins one, as the others there need not read it.
  static func place(of message: String, in channel: String, isThread: Bool) -> String {
    isThread || visibility(in: channel) != .private ? message : channel
  }

  /// Direct messages have a channel of their own.
  static func visibility(in channel: String) -> Visibility { channel.hasPrefix("D") ? .private : .group }

  /// Seconds and microseconds, which a Double would blur: `1665102362.013600`.
  static func time(_ ts: String?) -> Timestamp? {
    guard let parts = ts?.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false), let first = parts.first,
      let seconds = Int64(first), (0...253_402_300_799).contains(seconds)
    else { return nil }
    let fraction = parts.count == 2 ? String(parts[1].prefix(6)) : ""
    guard fraction.utf8.allSatisfy(\.isDigit),
      let microseconds = Int64(fraction + String(repeating: "0", count: 6 - fraction.utf8.count))
    else { return nil }
    return Timestamp(microseconds: seconds * 1_000_000 + microseconds)
  }

  static func identifiers(_ user: String, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    try delivery.identifiers(.slack, scope: delivery.account, user, delivery.providerAssurance)
  }

  /// The event of one `event_callback`.
  private struct Reader {
    let delivery: Delivery
    let item: JSONValue
    let eventID: String?
    let app: String?
    /// Other companies take part in the channel.
    let isShared: Bool
    private var ourTeams: Set<String> = []
    /// Our bot, and whoever has installed it for themselves.
    private var ourUsers: Set<String> = []

    init(_ body: JSONValue, _ delivery: Delivery) throws(Rejection) {
      self.delivery = delivery
      let event = body["event"]
      guard event.isObject else { throw Rejection(.malformedPayload, "event") }
      item = event
      eventID = body["event_id"].id
      app = body["api_app_id"].id
      isShared = body["is_ext_shared_channel"].bool == true
      for install in body["authorizations"].elements.prefix(100) {
        if let team = install["team_id"].id { ourTeams.insert(team) }
        if let user = install["user_id"].id { ourUsers.insert(user) }
      }
      if let team = body["context_team_id"].id ?? (ourTeams.isEmpty ? body["team_id"].id : nil) { ourTeams.insert(team) }
    }

    func element() throws(Rejection) -> NormalisedElement {
      let type = try item.requiredID("type", in: "event.")
      switch type {
      // A mention comes as a message as well.
      case "message", "app_mention": return try message()
      case "reaction_added", "reaction_removed": return try reaction(isAdded: type == "reaction_added")
      case "user_typing": return .ignored(reason: "typing")
      // The message that shares it comes by itself.
      case "file_shared": return .ignored(reason: "file_shared")
      default: return unknown(type)
      }
    }

    private func message() throws(Rejection) -> NormalisedElement {
      let subtype = item["subtype"].string ?? ""
      if Self.said.contains(subtype) { return try said() }
      if Self.housekeeping.contains(subtype) { return .ignored(reason: "channel_update") }
      switch subtype {
      case "message_changed": return try edit()
      case "message_deleted":
        let old = item["previous_message"]
        guard let ts = item["deleted_ts"].id ?? old["ts"].id else { throw Rejection(.malformedPayload, "event.deleted_ts") }
        return try change(Change(kind: "delete"), of: ts, by: author(of: old), version: "")
      case "message_replied": return .ignored(reason: "thread_update")
      default: return unknown("message." + subtype)
      }
    }

    /// What people and apps say; all other subtypes are something else.
    private static let said: Set<String> = ["", "file_share", "me_message", "thread_broadcast", "bot_message"]
    private static let housekeeping: Set<String> = [
      "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive",
      "channel_unarchive", "channel_posting_permissions", "channel_convert_to_private", "group_join", "group_leave",
      "group_topic", "group_purpose", "group_name", "group_archive", "group_unarchive", "pinned_item", "unpinned_item",
      "bot_add", "bot_remove", "bot_enable", "bot_disable", "reminder_add", "ekm_access_denied", "joiner_notification",
    ]

    private func said() throws(Rejection) -> NormalisedElement {
      let channel = try item.requiredID("channel", in: "event.")
      let ts = try item.requiredID("ts", in: "event.")
      guard let author = author(of: item) else { throw Rejection(.malformedPayload, "event.user") }
      let thread = item["thread_ts"].id.flatMap { $0 == ts ? nil : $0 }
      // Whom we answer is who began the thread; what we begin ourselves is to everybody.
      let parent = item["parent_user_id"].id.flatMap { $0 == author.id || ourUsers.contains($0) ? nil : $0 }
      guard let customer = author.isUs ? parent : author.id else {
        return thread == nil ? .ignored(reason: "own_message") : unknown("message")
      }
      let written = try item.text("text").map(SlackText.plain)
      let built = SlackText.words(of: item["blocks"])
      // An app's text stands in where its blocks cannot be shown.
      let text = (author.isApp ? built ?? written : written ?? built) ?? SlackText.fallback(item["attachments"])
      let files = Files(item["files"], limit: delivery.limits.attachments + 1)
      let isPlain = written != nil && !author.isApp

      var details = JSONObjectWriter()
      if isShared { details.member("is_ext_shared_channel", true) }
      details.members(of: item, without: isPlain ? Self.shown.union(["blocks"]) : Self.shown, or: files.isPlain ? "files" : nil)
      if text == nil, files.attachments.isEmpty { details.member("unknown", "message") }
      let id = SlackEvent.id(channel, ts)
      let replyTo = thread.map { SlackEvent.id(channel, $0) }
      let time = SlackEvent.time(ts)
      var message = Message(
        direction: author.isUs ? .outbound : .inbound, authorKind: author.kind, authorID: author.isUs ? author.id : nil,
        customer: try SlackEvent.identifiers(customer, delivery), customerName: author.isUs ? nil : displayName,
        language: author.kind == .customer ? text.flatMap(Language.detect) : nil, externalID: id, names: [name(id)],
        references: replyTo.map { [name($0)] } ?? [], replyToExternalID: replyTo, text: text, attachments: files.attachments,
        details: details.finished, flags: time == nil ? ["sent_at_invalid"] : [])
      message.stand(
        in: SlackEvent.place(of: replyTo ?? id, in: channel, isThread: thread != nil), SlackEvent.visibility(in: channel))
      return delivery.event(MessageKey(name(id)), sentAt: time, .message(message))
    }

    /// The channel tells of links that were unfolded and of answers in a thread by this event, too.
    private func edit() throws(Rejection) -> NormalisedElement {
      let (new, old) = (item["message"], item["previous_message"])
      let ts = try new.requiredID("ts", in: "event.message.")
      // What is left of a message that was deleted and has answers.
      if new["subtype"].string == "tombstone" {
        return try change(Change(kind: "delete"), of: ts, by: author(of: old), version: "")
      }
      let edited = new["edited"]["ts"].id.flatMap { $0 == old["edited"]["ts"].id ? nil : $0 }
      let hasOtherText = old.isObject && new["text"].string != old["text"].string
      let files = new["files"]
      let isFileGone = files.elements.contains { $0["mode"].string == "tombstone" } && files.json != old["files"].json
      guard edited != nil || hasOtherText || isFileGone else { return .ignored(reason: "unfurl") }
      let left = Files(files, limit: delivery.limits.attachments + 1)
      var details = JSONObjectWriter()
      details.member("files", left.isPlain ? JSONText() : files.json)
      let edit = Change(
        kind: "edit", text: try new.text("text").map(SlackText.plain) ?? "", attachments: files.isArray ? left.attachments : nil,
        details: details.finished)
      return try change(edit, of: ts, by: author(of: new), version: edited ?? item["event_ts"].id ?? item["ts"].id ?? "")
    }

    private func change(
      _ said: Change, of ts: String, by author: Author?, version: String
    ) throws(Rejection) -> NormalisedElement {
      let target = SlackEvent.id(try item.requiredID("channel", in: "event."), ts)
      var change = said
      change.target = name(target)
      change.targetExternalID = target
      change.authorKind = author?.kind
      if let author, !author.isUs { change.customer = try SlackEvent.identifiers(author.id, delivery) }
      return delivery.event(delivery.key(change.kind, target, version), sentAt: time, .change(change))
    }

    /// Who reacts is named without their company, so in a shared channel it may be one of us.
    private func reaction(isAdded: Bool) throws(Rejection) -> NormalisedElement {
      let place = item["item"]
      guard place["type"].string == "message" else { return unknown(isAdded ? "reaction_added" : "reaction_removed") }
      let channel = try place.requiredID("channel", in: "event.item.")
      let target = SlackEvent.id(channel, try place.requiredID("ts", in: "event.item."))
      let user = try item.requiredID("user", in: "event.")
      let reaction = try item.requiredID("reaction", in: "event.")
      let action = isAdded ? "add" : "remove"
      let isUs = ourUsers.contains(user)
      let change = Change(
        kind: "reaction", target: name(target), targetExternalID: target,
        customer: isUs ? [] : try SlackEvent.identifiers(user, delivery),
        authorKind: isUs ? .agent : isShared ? nil : .customer, status: action, reaction: reaction)
      return delivery.event(
        delivery.key("reaction", target, action, reaction, user, item["event_ts"].id ?? ""), sentAt: time, .change(change))
    }

    private func unknown(_ what: String) -> NormalisedElement {
      let json = item.json
      return delivery.event(
        delivery.key("unknown", what, eventID ?? json.string), sentAt: time, .unknown(Unknown(what: what, details: json)))
    }

    private func author(of message: JSONValue) -> Author? {
      let bot = message["bot_id"].id
      guard let id = message["user"].id ?? bot else { return nil }
      let profile = message["bot_profile"]
      let itsApp = message["app_id"].id ?? profile["app_id"].id
      let isOurApp = ourUsers.contains(id) || itsApp != nil && itsApp == app
      let team = message["user_team"].id ?? message["team"].id ?? message["source_team"].id ?? profile["team_id"].id
      let isOurTeam = isShared && (team.map { ourTeams.contains($0) } ?? false)
      return Author(id: id, isUs: isOurApp || isOurTeam, isApp: bot != nil, isOurApp: isOurApp)
    }

    private var displayName: String? {
      let profile = item["user_profile"]
      let names = [profile["real_name"], profile["display_name"], profile["name"], item["username"], item["bot_profile"]["name"]]
      return names.lazy.compactMap(\.personName).first
    }

    private var time: Timestamp? { SlackEvent.time(item["event_ts"].id ?? item["ts"].id) }

    private func name(_ id: String) -> ReferenceKey { .message(.slack, account: delivery.account, id: id) }

    /// What has a place of its own.
    private static let shown: Set<String> = [
      "type", "text", "ts", "event_ts", "user", "client_msg_id", "user_profile", "is_ext_shared_channel", "unknown",
    ]
  }

  private struct Author {
    let id: String
    let isUs: Bool
    let isApp: Bool
    let isOurApp: Bool

    /// Machines that are not ours answer each other for ever, if they are let.
    var kind: AuthorKind { isApp && !isOurApp ? .system : isUs ? .agent : .customer }
  }

  /// `files[]`: references that need our token.
  private struct Files {
    private(set) var attachments: [Attachment] = []
    /// Whether the attachments hold all that was said.
    private(set) var isPlain = true

    init(_ list: JSONValue, limit: Int) {
      for item in list.elements.prefix(limit) where item.isObject {
        // Of some only the id is here, the rest has to be asked for.
        if item["mode"].string == "tombstone" || item["file_access"].string == "check_file_info" { isPlain = false }
        if item["mode"].string == "tombstone" { continue }
        let type = item["mimetype"].string
        attachments.append(
          Attachment(
            kind: Attachment.kind(ofType: type), name: item["name"].string?.nonEmpty ?? item["title"].string?.nonEmpty,
            type: type, sizeBytes: item["size"].int64, providerID: item["id"].id,
            url: item["url_private_download"].string?.nonEmpty ?? item["url_private"].string?.nonEmpty))
      }
    }
  }
}
