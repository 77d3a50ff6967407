import Canonical

/// People who write on every channel, whom only evidence makes one, and those who pretend to be them.
extension Traffic {
  mutating func writeAnywhere(_ index: Int) {
    let person = people[index]
    switch Int.random(in: 0..<10, using: &random) {
    case 0, 1: messenger(index, sharesPhone: false)
    case 2: messenger(index, sharesPhone: true)
    case 3: instagram(index)
    case 4: call(index)
    case 5: x(index, isPublic: Bool.random(using: &random))
    case 6: form(index, person: "person \(index)", signedIn: true)
    case 7: email(index, isAuthentic: true)
    case 8: whatsapp([index])
    default: if person.sent > 0 { identify(index) } else { call(index) }
    }
  }

  /// What the business knows: all of a person's addresses.
  mutating func identify(_ index: Int) {
    let person = people[index]
    append(
      contact: #"""
        {"external_id":"C-\#(index)","display_name":"\#(person.name)","updated_at":"\#(Timestamp(milliseconds: time).iso8601)",
        "identifiers":[{"kind":"email","value":"\#(person.email)","verified":true},
        {"kind":"phone","value":"+\#(person.phone)","verified":true},
        {"kind":"messenger","scope":"682498302938465","value":"70\#(index)","verified":true},
        {"kind":"instagram","scope":"17841400","value":"80\#(index)","verified":true},
        {"kind":"x","value":"90\#(index)","verified":true}]}
        """#, of: index)
  }

  private mutating func messenger(_ index: Int, sharesPhone: Bool) {
    let phone = "+" + people[index].phone
    let mid = next(index, "mid", person: "person \(index)")
    let message =
      sharesPhone
      ? #"{"mid":"\#(mid)","text":"\#(phone)","quick_reply":{"payload":"\#(phone)"}}"#
      : #"{"mid":"\#(mid)","text":"The left shoe is a size too small, I am quite sure."}"#
    append(
      "channel.messenger", "70\(index)",
      envelope("meta.messenger", "/channels/messenger/682498302938465", "signature", "application/json"),
      #"""
      {"object":"page","entry":[{"id":"682498302938465","time":\#(time + 300),"messaging":[{"sender":{"id":"70\#(index)"},
      "recipient":{"id":"682498302938465"},"timestamp":\#(time),"message":\#(message)}]}]}
      """#)
  }

  private mutating func instagram(_ index: Int) {
    let mid = next(index, "igmid", person: "person \(index)")
    append(
      "channel.instagram", "80\(index)",
      envelope("meta.instagram", "/channels/instagram/17841400", "signature", "application/json"),
      #"""
      {"object":"instagram","entry":[{"id":"17841400","time":\#(time + 300),"messaging":[{"sender":{"id":"80\#(index)"},
      "recipient":{"id":"17841400"},"timestamp":\#(time),"message":{"mid":"\#(mid)","text":"Do you have these in blue?"}}]}]}
      """#)
  }

  private mutating func call(_ index: Int) {
    let id = next(index, "CA", person: "person \(index)")
    append(
      "channel.voice", "+" + people[index].phone,
      envelope("twilio.voice", "/channels/voice/%2B34911222333", "signature", "application/x-www-form-urlencoded"),
      "CallSid=\(id)&Direction=inbound&CallStatus=completed&CallDuration=74&From=%2B\(people[index].phone)&To=%2B34911222333"
        + "&StirVerstat=TN-Validation-Passed-A&AccountSid=AC11")
  }

  private mutating func x(_ index: Int, isPublic: Bool) {
    let id = next(index, "20541174\(isPublic ? 1 : 2)", person: "person \(index)")
    let user = "90\(index)"
    let event =
      isPublic
      ? #""event_type":"post.mention.create","payload":{"id":"\#(id)","text":"@shop where is my order?","author_id":"\#(user)","created_at":"\#(Timestamp(milliseconds: time).iso8601)","conversation_id":"\#(id)"}"#
      : #""event_type":"dm.received","payload":{"direct_message_events":[{"type":"message_create","id":"\#(id)","created_timestamp":"\#(time)","message_create":{"target":{"recipient_id":"1716450569358098433"},"sender_id":"\#(user)","message_data":{"text":"My number is 4711."}}}]}"#
    append(
      "channel.x", user, envelope("x.activity", "/channels/x/1716450569358098433", "signature", "application/json"),
      #"{"data":{"event_uuid":"\#(items.count)","filter":{"user_id":"1716450569358098433"},\#(event)}}"#)
  }

  /// A signed-in submission, or one in which somebody types the addresses of somebody.
  private mutating func form(_ index: Int, person: String, signedIn: Bool, typing victim: Int? = nil) {
    let id = next(index, "form", person: person)
    let typed = people[victim ?? index]
    let customer =
      #","identity_token":"x.y.z","customer":{"external_id":"C-\#(index)","email":"\#(typed.email)","phone":"+\#(typed.phone)"}"#
    append(
      "channel.form", typed.email,
      envelope("form.submission", "/channels/form/contact", signedIn ? "token" : "", "application/json"),
      #"""
      {"event":"form.submitted","submission_id":"\#(id)","submitted_at":\#(time),"fields":[
      {"name":"email","value":"\#(typed.email)"},{"name":"phone","value":"+\#(typed.phone)"},
      {"name":"message","value":"I want my money back, please."}]\#(signedIn ? customer : "")}
      """#)
  }

  mutating func sms(_ index: Int) {
    let id = next(index, "SM", person: "person \(index)")
    append(
      "channel.sms", "+" + people[index].phone,
      envelope("twilio.sms", "/channels/sms/%2B12025550100", "signature", "application/x-www-form-urlencoded"),
      "MessageSid=\(id)&SmsStatus=received&From=%2B\(people[index].phone)&To=%2B12025550100&Body=Is+it+here+yet%3F&AccountSid=AC11"
    )
  }

  /// All that the victim is known by, typed by somebody else: in a form, in a chat, and in a mail that answers the victim's last one.
  mutating func impersonate(_ index: Int, victim: Int) {
    guard people.indices.contains(victim), people[victim].kind == .everywhere else { return sms(index) }
    let typed = people[victim]
    switch Int.random(in: 0..<3, using: &random) {
    case 0: form(index, person: "typed \(typed.email) in the form", signedIn: false, typing: victim)
    case 1:
      let id = next(index, "chat", person: "cookie \(index)")
      append(
        "channel.chat", "v_\(index)", envelope("chat.event", "/channels/chat/w_shop", "", "application/json"),
        #"""
        {"event":"message.created","event_id":"e-\#(id)","sent_at":\#(time),
        "visitor":{"id":"v_\#(index)","external_id":"C-\#(victim)","email":"\#(typed.email)","phone":"+\#(typed.phone)"},
        "message":{"id":"\#(id)","text":"It is me. What was the address again?","reply_to":"\#(typed.lastMessageID ?? "")"}}
        """#)
    default:
      let id = next(index, "mail", person: "wrote as \(typed.email)")
      append(
        "channel.email", typed.email, envelope("email.rfc822", "/channels/email/support@shop.example", "", "message/rfc822"),
        """
        Message-ID: <\(id)>\r
        In-Reply-To: <\(typed.lastMessageID ?? "")>\r
        Date: \(Self.date(time))\r
        From: \(typed.name) <\(typed.email)>\r
        To: Support <support@shop.example>\r
        Subject: Re: Order\r
        Content-Type: text/plain; charset=utf-8\r
        \r
        Please send it to my new address.\r

        """)
    }
  }
}
