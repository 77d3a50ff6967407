import Canonical

// Mail, and the formats that are ours (`schemas/payloads`).

extension Delivery {
  /// - Parameters:
  ///   - isAuthentic: DMARC passed and is aligned.
  ///   - parent: the Message-ID that it answers, without `<>`.
  static func mail(
    _ id: String, from: (name: String, address: String), to mailbox: String = Shop.mailbox, subject: String, _ text: String,
    isAuthentic: Bool = true, answers parent: String? = nil, attachment: String? = nil, at: Timestamp
  ) -> Delivery {
    var lines = [
      "Message-ID: <\(id)>", "Date: \(at.internetDate)", "From: \(from.name.encodedWord) <\(from.address)>", "To: <\(mailbox)>",
      "Subject: \(subject.encodedWord)", "MIME-Version: 1.0",
    ]
    if let parent { lines += ["In-Reply-To: <\(parent)>", "References: <\(parent)>"] }
    let body = ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", text, ""]
    if let attachment {
      lines += ["Content-Type: multipart/mixed; boundary=\"part\"", "", "--part"] + body
      lines += [
        "--part", "Content-Type: application/pdf; name=\"\(attachment)\"",
        "Content-Disposition: attachment; filename=\"\(attachment)\"",
        // "%PDF-1.4" and a line feed.
        "Content-Transfer-Encoding: base64", "", "JVBERi0xLjQK", "--part--", "",
      ]
    } else {
      lines += body
    }
    return Delivery(
      type: "email.rfc822", topic: "channel.email", channel: .email, account: mailbox, key: from.address, at: at,
      attested: isAuthentic ? "dmarc" : "", contentType: "message/rfc822", extraHeaders: [("envelope_rcpt", mailbox)],
      value: Array(lines.joined(separator: "\r\n").utf8), externalID: id)
  }

  /// - Parameter signedIn: who the portal's signed token says it is; nil for a form that anybody can fill in.
  static func form(
    _ id: String, on form: String = Shop.form, fields: [(name: String, value: String)],
    signedIn: (externalID: String, name: String, email: String)? = nil, at: Timestamp
  ) -> Delivery {
    let root = object { root in
      root.member("event", "form.submitted")
      root.member("submission_id", id)
      root.member("form_id", form)
      root.member("submitted_at", at.iso8601)
      root.member(
        "fields",
        list(
          fields.map { field in
            object {
              $0.member("name", field.name)
              $0.member("value", field.value)
            }
          }))
      if let signedIn {
        root.member("identity_token", "verified.by.adapter")
        root.member(
          "customer",
          object { customer in
            customer.member("external_id", signedIn.externalID)
            customer.member("name", signedIn.name)
            customer.member("email", signedIn.email)
          })
      }
    }
    let address = fields.first { $0.name == "email" }?.value
    return Delivery(
      type: "form.submission", topic: "channel.form", channel: .form, account: form, key: signedIn?.externalID ?? address ?? id,
      at: at,
      attested: signedIn == nil ? "" : "token", value: root.utf8, externalID: id)
  }

  struct Visitor: Sendable {
    var id: String
    var name: String?
    /// Typed into the widget: claims.
    var typed: (externalID: String?, email: String?, phone: String?) = (nil, nil, nil)
    var locale: String?
  }

  /// - Parameters:
  ///   - bot: who wrote it, under which ownership; nil: the visitor.
  ///   - continuation: the token of the link that the chat was opened with.
  static func chat(
    _ id: String, session: String, widget: String = Shop.widget, visitor: Visitor, _ text: String,
    bot: (id: String, epoch: Int64)? = nil, continuation: String? = nil, at: Timestamp
  ) -> Delivery {
    let root = object { root in
      root.member("event", "message.created")
      root.member("event_id", "e_" + id)
      root.member("widget_id", widget)
      root.member("conversation_id", session)
      root.member("visitor", profile(visitor))
      root.member("sent_at", at.milliseconds)
      root.member(
        "message",
        object { message in
          message.member("id", id)
          message.member("type", "text")
          message.member("text", text)
        })
      root.member("locale", visitor.locale)
      root.member("continuation", continuation)
      if let bot {
        root.member(
          "author",
          object { author in
            author.member("kind", "bot")
            author.member("id", bot.id)
          })
        root.member("ownership_epoch", bot.epoch)
      }
    }
    return Delivery(
      type: "chat.event", topic: "channel.chat", channel: .chat, account: widget, key: visitor.id, at: at,
      attested: bot == nil ? "" : "signature", value: root.utf8, externalID: id)
  }

  private static func profile(_ visitor: Visitor) -> JSONText {
    object { profile in
      profile.member("id", visitor.id)
      profile.member("name", visitor.name)
      profile.member("external_id", visitor.typed.externalID)
      profile.member("email", visitor.typed.email)
      profile.member("phone", visitor.typed.phone)
    }
  }

  // MARK: - Bots

  /// Where a bot speaks: in the session of a chat widget, or in a place of its own.
  typealias BotSession = (channel: Channel, account: String, id: String)

  /// What is said to a bot, or by it.
  static func bot(
    _ bot: String, _ id: String, in session: BotSession, visitor: Visitor, _ text: String, isFromCustomer: Bool, at: Timestamp
  ) -> Delivery {
    botEvent(bot, "message", id, session, visitor, at) { root in
      root.member(
        "message",
        object { message in
          message.member("id", id)
          message.member("author", isFromCustomer ? "customer" : "bot")
          message.member("text", text)
          message.member("sent_at", at.milliseconds)
        })
      root.member("language", visitor.locale)
    }
  }

  /// A bot that asks for a human.
  static func handoff(
    _ bot: String, _ id: String, in session: BotSession, visitor: Visitor, epoch: Int64?, reason: String, intent: String,
    language: String, transcript: [(id: String, author: String, text: String, at: Timestamp)], at: Timestamp
  ) -> Delivery {
    botEvent(bot, "handoff.requested", id, session, visitor, at) { root in
      root.member("reason", reason)
      root.member("intent", intent)
      root.member("confidence", JSONText(utf8: Array("0.38".utf8)))
      root.member("language", language)
      root.member("ownership_epoch", epoch)
      root.member(
        "transcript",
        list(
          transcript.map { entry in
            object { item in
              item.member("id", entry.id)
              item.member("author", entry.author)
              item.member("text", entry.text)
              item.member("sent_at", entry.at.milliseconds)
            }
          }))
    }
  }

  private static func botEvent(
    _ bot: String, _ event: String, _ id: String, _ session: BotSession, _ visitor: Visitor, _ at: Timestamp,
    _ rest: (inout JSONObjectWriter) -> Void
  ) -> Delivery {
    let root = object { root in
      root.member("event", event)
      root.member("event_id", "b_" + id)
      root.member("bot_id", bot)
      root.member("sent_at", at.milliseconds)
      root.member(
        "conversation_ref",
        object { reference in
          reference.member("channel", session.channel.rawValue)
          reference.member("account", session.account)
          reference.member("conversation_id", session.id)
        })
      root.member("visitor", profile(visitor))
      rest(&root)
    }
    return Delivery(
      type: "bot.handoff", topic: "channel.bot", channel: .bot, account: bot, key: visitor.id, at: at, attested: "signature",
      value: root.utf8, externalID: event == "message" ? id : nil)
  }

  // MARK: - The business

  struct Organization: Sendable {
    var id: String
    var name: String
    var domain: String
    var accountManager: String
  }

  /// What the CRM knows of a customer, all of it verified.
  static func contact(
    _ externalID: String, name: String, email: String?, phone: String?, organization: Organization? = nil, at: Timestamp
  ) -> Delivery {
    let identifiers = [("email", email), ("phone", phone)].compactMap { kind, value in
      value.map { value in
        object { identifier in
          identifier.member("kind", kind)
          identifier.member("value", value)
          identifier.member("verified", true)
        }
      }
    }
    let root = object { root in
      root.member("external_id", externalID)
      root.member("display_name", name)
      root.member("identifiers", list(identifiers))
      if let organization {
        root.member(
          "organization",
          object { object in
            object.member("external_id", organization.id)
            object.member("name", organization.name)
            object.member("domains", [organization.domain])
            object.member("account_manager", organization.accountManager)
          })
      }
      root.member("updated_at", at.iso8601)
    }
    return Delivery(
      type: "contact.upsert", topic: "crm.contacts", channel: .crm, account: "erp", key: externalID, at: at, attested: "business",
      value: root.utf8)
  }

  // MARK: - The desk, and what was sent

  static func action(
    _ kind: Action.Kind, on conversation: ID, by agent: String, at: Timestamp, _ rest: (inout JSONObjectWriter) -> Void = { _ in }
  ) -> Delivery {
    let root = object { root in
      root.member("conversation_id", conversation.description)
      root.member("agent_id", agent)
      rest(&root)
    }
    return Delivery(
      type: "agent.\(kind.rawValue)", topic: "agent.actions", channel: .desk, account: "main", key: conversation.description,
      at: at,
      value: root.utf8)
  }

  static func result(
    of message: String, on channel: Channel, account: String, externalID: String, status: String, at: Timestamp
  ) -> Delivery {
    let root = object { root in
      root.member("message_id", message)
      root.member("external_id", externalID)
      root.member("status", status)
    }
    return Delivery(
      type: "outbound.result", topic: "outbound.results", channel: channel, account: account, key: message, at: at,
      value: root.utf8)
  }
}
