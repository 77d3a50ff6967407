import Canonical

/// Where the shop of the sample day can be reached.
enum Shop {
  static let page = "682498302938465"
  /// The page of the shoe department.
  static let shoePage = "682498302938777"
  static let instagram = "17841405822304914"
  static let whatsapp = (phoneNumberID: "106540352242922", number: "442079460111", business: "102290129340398")
  static let sms = "+442079460122"
  static let voice = "+442079460100"
  static let mailbox = "support@shop.example"
  static let keyAccounts = "key-accounts@shop.example"
  static let x = "1716450569358098433"
  static let widget = "w_shop"
  /// Conversations of this widget begin with a bot.
  static let helpWidget = "w_help"
  static let form = "contact"
  static let portal = "portal"
  static let faqBot = "faqbot"
}

// The payloads of providers, in their true shapes (`channels.md`).

extension Delivery {
  // MARK: - Meta

  /// - Parameter shared: what the customer shares by Messenger's own quick reply: its payload is what its button says.
  static func messenger(
    _ mid: String, from user: String, page: String = Shop.page, _ text: String, isShared: Bool = false, at: Timestamp
  ) -> Delivery {
    let message = object { message in
      message.member("mid", mid)
      message.member("text", text)
      if isShared { message.member("quick_reply", object { $0.member("payload", text) }) }
    }
    return meta(.messenger, account: page, sender: user, recipient: page, customer: user, "message", message, mid, at)
  }

  static func instagram(_ mid: String, from user: String, _ text: String, at: Timestamp) -> Delivery {
    let message = object { message in
      message.member("mid", mid)
      message.member("text", text)
    }
    return meta(
      .instagram, account: Shop.instagram, sender: user, recipient: Shop.instagram, customer: user, "message", message, mid, at)
  }

  /// Our own message, as Messenger sends it back.
  static func messengerEcho(_ mid: String, to user: String, page: String, _ text: String, at: Timestamp) -> Delivery {
    let message = object { message in
      message.member("is_echo", true)
      message.member("app_id", Int64(1_517_776_481_860_111))
      message.member("mid", mid)
      message.member("text", text)
    }
    return meta(.messenger, account: page, sender: page, recipient: user, customer: user, "message", message, nil, at)
  }

  static func messengerRead(by user: String, until: Timestamp, at: Timestamp) -> Delivery {
    let read = object { $0.member("watermark", until.milliseconds) }
    return meta(.messenger, account: Shop.page, sender: user, recipient: Shop.page, customer: user, "read", read, nil, at)
  }

  private static func meta(
    _ channel: Channel, account: String, sender: String, recipient: String, customer: String, _ name: String, _ body: JSONText,
    _ externalID: String?, _ at: Timestamp
  ) -> Delivery {
    let item = object { item in
      item.member("sender", object { $0.member("id", sender) })
      item.member("recipient", object { $0.member("id", recipient) })
      item.member("timestamp", at.milliseconds)
      item.member(name, body)
    }
    let entry = object { entry in
      entry.member("id", account)
      entry.member("time", at.milliseconds + 240)
      entry.member("messaging", list([item]))
    }
    let root = object { root in
      root.member("object", channel == .messenger ? "page" : "instagram")
      root.member("entry", list([entry]))
    }
    return Delivery(
      type: "meta.\(channel.rawValue)", topic: "channel.\(channel.rawValue)", channel: channel, account: account, key: customer,
      at: at,
      attested: "signature", value: root.utf8, externalID: externalID)
  }

  // MARK: - WhatsApp

  /// - Parameter number: digits alone.
  static func whatsapp(_ id: String, from number: String, name: String, _ text: String, at: Timestamp) -> Delivery {
    let message = object { message in
      message.member("from", number)
      message.member("id", id)
      message.member("timestamp", "\(at.milliseconds / 1_000)")
      message.member("type", "text")
      message.member("text", object { $0.member("body", text) })
    }
    return whatsapp(number, name, "messages", message, id, at)
  }

  static func whatsappReaction(
    _ id: String, from number: String, name: String, to target: String, _ emoji: String, at: Timestamp
  ) -> Delivery {
    let message = object { message in
      message.member("from", number)
      message.member("id", id)
      message.member("timestamp", "\(at.milliseconds / 1_000)")
      message.member("type", "reaction")
      message.member(
        "reaction",
        object { reaction in
          reaction.member("message_id", target)
          reaction.member("emoji", emoji)
        })
    }
    return whatsapp(number, name, "messages", message, nil, at)
  }

  static func whatsappStatus(_ status: String, of id: String, to number: String, at: Timestamp) -> Delivery {
    let item = object { item in
      item.member("id", id)
      item.member("status", status)
      item.member("timestamp", "\(at.milliseconds / 1_000)")
      item.member("recipient_id", number)
    }
    return whatsapp(number, nil, "statuses", item, nil, at)
  }

  private static func whatsapp(
    _ number: String, _ name: String?, _ field: String, _ item: JSONText, _ externalID: String?, _ at: Timestamp
  ) -> Delivery {
    let value = object { value in
      value.member("messaging_product", "whatsapp")
      value.member(
        "metadata",
        object { metadata in
          metadata.member("display_phone_number", Shop.whatsapp.number)
          metadata.member("phone_number_id", Shop.whatsapp.phoneNumberID)
        })
      value.member(
        "contacts",
        list([
          object { contact in
            contact.member("profile", object { $0.member("name", name) })
            contact.member("wa_id", number)
          }
        ]))
      value.member(field, list([item]))
    }
    let change = object { change in
      change.member("field", "messages")
      change.member("value", value)
    }
    let entry = object { entry in
      entry.member("id", Shop.whatsapp.business)
      entry.member("changes", list([change]))
    }
    let root = object { root in
      root.member("object", "whatsapp_business_account")
      root.member("entry", list([entry]))
    }
    return Delivery(
      type: "whatsapp.cloud", topic: "channel.whatsapp", channel: .whatsapp, account: Shop.whatsapp.phoneNumberID, key: number,
      at: at,
      attested: "signature", value: root.utf8, externalID: externalID)
  }

  // MARK: - Twilio

  static func sms(_ sid: String, from number: String, _ text: String, at: Timestamp) -> Delivery {
    twilio(
      .sms, account: Shop.sms, key: number, sid,
      [
        ("SmsMessageSid", sid), ("NumMedia", "0"), ("SmsSid", sid), ("SmsStatus", "received"), ("Body", text), ("To", Shop.sms),
        ("NumSegments", "1"), ("MessageSid", sid), ("AccountSid", account), ("From", number), ("ApiVersion", "2010-04-01"),
      ], at)
  }

  static func smsStatus(_ status: String, of sid: String, to number: String, at: Timestamp) -> Delivery {
    twilio(
      .sms, account: Shop.sms, key: number, nil,
      [
        ("SmsSid", sid), ("SmsStatus", status), ("MessageStatus", status), ("To", number), ("MessageSid", sid),
        ("AccountSid", account),
        ("From", Shop.sms), ("ApiVersion", "2010-04-01"),
      ], at)
  }

  /// The callback that ends a call.
  ///
  /// - Parameters:
  ///   - isAttested: the caller's network vouches for the number in full.
  ///   - token: of the conversation that an agent calls from.
  static func call(
    _ sid: String, customer: String, isOutbound: Bool = false, seconds: Int, isAttested: Bool = true, token: String? = nil,
    at: Timestamp
  ) -> Delivery {
    let (from, to) = isOutbound ? (Shop.voice, customer) : (customer, Shop.voice)
    var parameters = [
      ("Called", to), ("Direction", isOutbound ? "outbound-api" : "inbound"), ("Timestamp", at.internetDate),
      ("CallbackSource", "call-progress-events"), ("SequenceNumber", "3"), ("To", to), ("CallSid", sid),
      ("ApiVersion", "2010-04-01"),
      ("CallStatus", "completed"), ("Duration", "\(seconds / 60 + 1)"), ("From", from), ("CallDuration", "\(seconds)"),
      ("AccountSid", account), ("Caller", from),
    ]
    if !isOutbound { parameters.append(("StirVerstat", "TN-Validation-Passed-\(isAttested ? "A" : "B")")) }
    var delivery = twilio(.voice, account: Shop.voice, key: customer, sid, parameters, at)
    if let token { delivery.extraHeaders = [("http_query", "conversation=\(token)")] }
    return delivery
  }

  private static let account = "AC5ef8732a3c49700934481addd5ce1659"

  private static func twilio(
    _ channel: Channel, account: String, key: String, _ externalID: String?, _ parameters: [(String, String)], _ at: Timestamp
  ) -> Delivery {
    Delivery(
      type: "twilio.\(channel.rawValue)", topic: "channel.\(channel.rawValue)", channel: channel, account: account, key: key,
      at: at,
      attested: "signature", contentType: "application/x-www-form-urlencoded", value: formEncoded(parameters),
      externalID: externalID)
  }

  // MARK: - X

  static func mention(_ id: String, from user: XUser, _ text: String, at: Timestamp) -> Delivery {
    x(
      "post.mention.create", user, id, at,
      object { payload in
        payload.member("id", id)
        payload.member("author_id", user.id)
        payload.member("text", text)
        payload.member("created_at", at.iso8601)
        payload.member("edit_history_tweet_ids", [id])
        payload.member("conversation_id", id)
        payload.member("reply_settings", "everyone")
      })
  }

  /// A direct message from the customer, or ours as X sends it back.
  static func direct(_ id: String, with user: XUser, _ text: String, isSent: Bool = false, at: Timestamp) -> Delivery {
    let create = object { create in
      create.member("target", object { $0.member("recipient_id", isSent ? user.id : Shop.x) })
      create.member("sender_id", isSent ? Shop.x : user.id)
      create.member("message_data", object { $0.member("text", text) })
    }
    let event = object { event in
      event.member("type", "message_create")
      event.member("id", id)
      event.member("created_timestamp", "\(at.milliseconds)")
      event.member("message_create", create)
    }
    let payload = object { payload in
      payload.member("direct_message_events", list([event]))
      payload.member("users", object { $0.member(user.id, object { $0.member("data", user.profile) }) })
    }
    return x(isSent ? "dm.sent" : "dm.received", user, isSent ? nil : id, at, payload, of: id)
  }

  private static func x(
    _ type: String, _ user: XUser, _ externalID: String?, _ at: Timestamp, _ payload: JSONText, of id: String? = nil
  ) -> Delivery {
    let root = object { root in
      root.member(
        "data",
        object { data in
          data.member("event_uuid", "\(type)-\(id ?? externalID ?? "")")
          data.member("filter", object { $0.member("user_id", Shop.x) })
          data.member("event_type", type)
          data.member("payload", payload)
          data.member("includes", object { $0.member("users", list([user.profile])) })
        })
    }
    return Delivery(
      type: "x.activity", topic: "channel.x", channel: .x, account: Shop.x, key: user.id, at: at, attested: "signature",
      value: root.utf8, externalID: externalID)
  }
}

/// Somebody on X.
struct XUser: Sendable {
  var id: String
  var username: String
  var name: String

  var profile: JSONText {
    object { profile in
      profile.member("id", id)
      profile.member("username", username)
      profile.member("name", name)
      profile.member("verified", false)
    }
  }
}
