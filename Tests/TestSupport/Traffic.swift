import Canonical

/// Seeded provider traffic of a made-up population, with the truth about who is who.
///
/// Most are known from each of their records, in any order of arrival. Those who write everywhere (`Traffic+Everywhere`) are somebody
/// else on every channel until a record says that these are one: then customers merge.
public struct Traffic: Sendable {
  public struct Item: Sendable {
    public var topic: String
    /// The sender: records of one key keep their order.
    public var key: String
    public var headers: [Record.Header]
    public var value: [UInt8]
    public init(topic: String, key: String, headers: [Record.Header], value: [UInt8]) {
      self.topic = topic
      self.key = key
      self.headers = headers
      self.value = value
    }
  }

  public private(set) var items: [Item] = []
  /// The provider's message id to the person it is from: equal people share one customer and one conversation.
  public private(set) var truth: [String: String] = [:]
  /// The messages of each item, by the provider's ids.
  public private(set) var messages: [Int: [String]] = [:]
  /// Where the last items begin, in which the business says who is one: whoever publishes fewer of those before needs these as well.
  public private(set) var tail = 0

  enum Kind: CaseIterable {
    case anonymousVisitor, signedInVisitor, whatsapp, whatsappAndCRM, email, unverifiedEmail, impostor, everywhere, sms,
      impostorEverywhere
  }
  struct Person {
    var kind: Kind
    var number: Int
    var sent = 0
    var lastMessageID: String?
    var email: String { "person\(number)@mail.example" }
    var phone: String { "346\(String(100_000_000 + number).dropFirst())" }
    var name: String { "Person \(number)" }
  }

  var random: SplitMix64
  private(set) var people: [Person]
  private(set) var time: Int64 = 1_778_577_242_000

  /// - Parameters:
  ///   - includesMergeEvidence: adds records that reach two customers, and customers over their limits; then only the order of
  ///     processing decides, and `truth` says nothing about those.
  public init(seed: UInt64, records: Int, people count: Int, includesMergeEvidence: Bool = false) {
    random = SplitMix64(seed: seed)
    people = (0..<count).map { Person(kind: Kind.allCases[$0 % Kind.allCases.count], number: $0) }
    while items.count < records {
      // Skewed, as desks are: few write most.
      let index = min(Int.random(in: 0..<count, using: &random), Int.random(in: 0..<count, using: &random))
      time += Int64.random(in: 1...400, using: &random)
      if includesMergeEvidence && Int.random(in: 0..<20, using: &random) == 0 {
        addConflict(index)
      } else {
        add(index)
      }
    }
    tail = items.count
    // Sooner or later the business says who is one.
    for index in people.indices where people[index].kind == .everywhere && people[index].sent > 0 { identify(index) }
  }

  private mutating func add(_ index: Int) {
    let person = people[index]
    switch person.kind {
    case .anonymousVisitor: chat(index, signedIn: false)
    case .signedInVisitor:
      switch Int.random(in: 0..<4, using: &random) {
      case 0: email(index, isAuthentic: true)
      case 1: contact(index, email: person.email, phone: nil)
      default: chat(index, signedIn: true)
      }
    case .whatsapp: whatsapp([index])
    case .whatsappAndCRM:
      if Int.random(in: 0..<5, using: &random) == 0 {
        contact(index, email: nil, phone: "+" + person.phone)
      } else {
        // Several people in one body, as webhooks batch them.
        let other = Int.random(in: 0..<people.count, using: &random)
        whatsapp(people[other].kind == .whatsapp ? [index, other] : [index])
      }
    case .email: email(index, isAuthentic: true)
    case .unverifiedEmail, .impostor: email(index, isAuthentic: false)
    case .everywhere: writeAnywhere(index)
    case .sms: sms(index)
    case .impostorEverywhere: impersonate(index, victim: index - 2)
    }
  }

  /// A visitor who was anonymous signs in as somebody who is known by mail already, or the CRM joins two people.
  private mutating func addConflict(_ index: Int) {
    let other = Int.random(in: 0..<people.count, using: &random)
    contact(index, email: people[other].email, phone: "+" + people[index].phone)
  }

  mutating func next(_ index: Int, _ prefix: String, person: String) -> String {
    people[index].sent += 1
    let id = "\(prefix)-\(index)-\(people[index].sent)"
    truth[id] = person
    messages[items.count, default: []].append(id)
    people[index].lastMessageID = id
    return id
  }

  mutating func envelope(_ type: String, _ source: String, _ attested: String, _ contentType: String) -> [Record.Header] {
    [
      ("ce_specversion", "1.0"), ("ce_id", "d\(items.count)"), ("ce_type", type), ("ce_source", source),
      ("ce_attested", attested),
      ("ce_time", Timestamp(milliseconds: time + 500).iso8601), ("content-type", contentType),
    ].map { Record.Header($0.0, Array($0.1.utf8)) }
  }

  private mutating func chat(_ index: Int, signedIn: Bool) {
    let person = people[index]
    let id = next(index, "chat", person: "person \(index)")
    var visitor = JSONObjectWriter()
    visitor.member("id", "v_\(index)")
    visitor.member("name", person.name)
    if signedIn {
      visitor.member("external_id", "C-\(index)")
      visitor.member("email", person.email)
    }
    var message = JSONObjectWriter()
    message.member("id", id)
    message.member("type", "text")
    message.member("text", "Where is my order number \(person.sent)? I have been waiting for two weeks now.")
    var event = JSONObjectWriter()
    event.member("event", "message.created")
    event.member("event_id", "e-" + id)
    event.member("conversation_id", "c_\(index)")
    event.member("visitor", visitor.finish())
    event.member("sent_at", time)
    event.member("message", message.finish())
    if signedIn { event.member("identity_token", "verified.by.adapter") }
    let headers = envelope("chat.event", "/channels/chat/w_shop", signedIn ? "token" : "", "application/json")
    items.append(Item(topic: "channel.chat", key: "v_\(index)", headers: headers, value: event.finish().utf8))
  }

  mutating func whatsapp(_ indices: [Int]) {
    var messages: [String] = []
    var contacts: [String] = []
    for index in indices {
      let person = people[index]
      let reply = person.lastMessageID.map { #","context":{"from":"34911222333","id":"\#($0)"}"# } ?? ""
      let id = next(index, "wamid", person: "person \(index)")
      contacts.append(#"{"profile":{"name":"\#(person.name)"},"user_id":"ES.\#(1_000_000 + index)","wa_id":"\#(person.phone)"}"#)
      messages.append(
        #"""
        {"from":"\#(person.phone)","from_user_id":"ES.\#(1_000_000 + index)","id":"\#(id)","timestamp":"\#(time / 1_000)","type":"text",
        "text":{"body":"Llegó roto, número \#(person.sent)"}\#(reply)}
        """#)
    }
    let body = #"""
      {"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"field":"messages","value":{
      "messaging_product":"whatsapp","metadata":{"display_phone_number":"34911222333","phone_number_id":"106540352242922"},
      "contacts":[\#(contacts.joined(separator: ","))],"messages":[\#(messages.joined(separator: ","))]}}]}]}
      """#
    let headers = envelope("whatsapp.cloud", "/channels/whatsapp/106540352242922", "signature", "application/json")
    items.append(Item(topic: "channel.whatsapp", key: people[indices[0]].phone, headers: headers, value: Array(body.utf8)))
  }

  mutating func email(_ index: Int, isAuthentic: Bool) {
    let person = people[index]
    // The impostor writes in somebody else's name, and refers to their mail.
    let isImpostor = person.kind == .impostor
    let victim = isImpostor ? people[max(0, index - 5)] : person
    let reference = isImpostor ? people[victim.number].lastMessageID : person.lastMessageID
    let id = next(index, "mail", person: isAuthentic ? "person \(index)" : "claims to be \(victim.email)")
    let mail = """
      Message-ID: <\(id)>\r
      \(reference.map { "In-Reply-To: <\($0)>\r\nReferences: <\($0)>\r\n" } ?? "")Date: \(Self.date(time))\r
      From: \(victim.name) <\(victim.email)>\r
      To: Support <support@shop.example>\r
      Subject: Order \(index)\r
      MIME-Version: 1.0\r
      Content-Type: text/plain; charset=utf-8\r
      \r
      Hello, my parcel number \(person.sent) arrived broken and nobody answers me.\r

      """
    let headers = envelope("email.rfc822", "/channels/email/support@shop.example", isAuthentic ? "dmarc" : "", "message/rfc822")
    items.append(Item(topic: "channel.email", key: victim.email, headers: headers, value: Array(mail.utf8)))
  }

  private mutating func contact(_ index: Int, email: String?, phone: String?) {
    var identifiers: [String] = []
    if let email { identifiers.append(#"{"kind":"email","value":"\#(email)","verified":true}"#) }
    if let phone { identifiers.append(#"{"kind":"phone","value":"\#(phone)","verified":true}"#) }
    let body = #"""
      {"external_id":"C-\#(index)","display_name":"\#(people[index].name) of the CRM","identifiers":[\#(identifiers.joined(separator: ","))],
      "traits":{"tier":"\#(time % 2 == 0 ? "gold" : "silver")"},"updated_at":"\#(Timestamp(milliseconds: time).iso8601)"}
      """#
    append(contact: body, of: index)
  }

  mutating func append(contact body: String, of index: Int) {
    let headers = envelope("contact.upsert", "/channels/crm/erp", "business", "application/json")
    append("crm.contacts", "C-\(index)", headers, body)
  }

  mutating func append(_ topic: String, _ key: String, _ headers: [Record.Header], _ value: String) {
    items.append(Item(topic: topic, key: key, headers: headers, value: Array(value.utf8)))
  }

  /// RFC 5322 in UTC.
  static func date(_ milliseconds: Int64) -> String {
    let iso = Timestamp(milliseconds: milliseconds).iso8601
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let month = months[(Int(iso.dropFirst(5).prefix(2)) ?? 1) - 1]
    return "\(iso.dropFirst(8).prefix(2)) \(month) \(iso.prefix(4)) \(iso.dropFirst(11).prefix(8)) +0000"
  }
}
