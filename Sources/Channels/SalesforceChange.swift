import Canonical
import Parsing

/// `salesforce.change`: one change event of Salesforce (Change Data Capture), as CometD or as the Pub/Sub API has it in JSON, or
/// an array of them: what the business knows of a contact, lead or account, and what happens to a case.
///
/// People are of the channel `crm`, cases of `ticket`, whatever the topic. The Pub/Sub API writes null for what has not changed,
/// and lists of fields as bitmaps (`0x…`), which say nothing without the schema. In `http_query`, `client=<id>` is what the
/// adapter calls itself, and `region=ES` how local numbers are meant. Source: `channels.md`, section 18.5.
enum SalesforceChange {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let query = delivery.query
    guard root.isArray else { return read(root, query, delivery, &elements) }
    for item in root.elements { read(item, query, delivery, &elements) }
  }

  private static func read(_ item: JSONValue, _ query: FormURLEncoded?, _ delivery: Delivery, _ elements: inout Elements) {
    let event = item["data"].isObject ? item["data"] : item
    let payload = event["payload"].isObject ? event["payload"] : event
    do throws(Rejection) {
      let reader = try Reader(payload, query, delivery)
      for id in reader.recordIDs {
        elements.add { () throws(Rejection) in try reader.element(id) }
        if reader.hasNewWords(id) { elements.add { () throws(Rejection) in reader.edit(id, try reader.body()) } }
      }
    } catch {
      elements.add { () throws(Rejection) in throw error }
    }
  }

  private static let people: Set<String> = ["Contact", "Lead", "Account"]

  /// One change of one record, or of several that were changed alike.
  private struct Reader {
    let recordIDs: [String]
    private var delivery: Delivery
    private let payload: JSONValue
    private let header: JSONValue
    private let entity: String
    private let changeType: String
    private let transaction: [String]
    private let region: String?
    private let isOwn: Bool
    private let json: JSONText

    init(_ payload: JSONValue, _ query: FormURLEncoded?, _ delivery: Delivery) throws(Rejection) {
      let header = payload["ChangeEventHeader"]
      guard header.isObject else { throw Rejection(.malformedPayload, "ChangeEventHeader") }
      self.payload = payload
      self.header = header
      self.delivery = delivery
      entity = try header.requiredID("entityName")
      changeType = try header.requiredID("changeType")
      transaction = try [header.requiredID("transactionKey"), header["sequenceNumber"].id ?? ""]
      recordIDs = header["recordIds"].elements.compactMap(\.id)
      guard !recordIDs.isEmpty else { throw Rejection(.malformedPayload, "recordIds") }
      region = query?["region"]
      isOwn = Self.isOwn(header["changeOrigin"].string(atMost: JSONValue.longestID), query?["client"])
      json = payload.json
      // Each record may keep all of it.
      guard recordIDs.count == 1 || recordIDs.count * json.utf8.count <= delivery.limits.textBytes else {
        throw Rejection(.tooLarge, "recordIds")
      }
      if SalesforceChange.people.contains(entity) { self.delivery.channel = .crm }
      if Self.texts[entity] != nil { self.delivery.channel = .ticket }
    }

    /// `com/salesforce/api/rest/60.0;client=Astro`.
    private static func isOwn(_ origin: String?, _ client: String?) -> Bool {
      guard let origin, let client else { return false }
      let own = "client=" + client
      return origin.split(separator: ";").contains { $0 == own || $0 == own + "/" }
    }

    func element(_ id: String) throws(Rejection) -> NormalisedElement {
      if isOwn { return .ignored(reason: "own_change") }
      // What the event does not hold.
      if changeType.hasPrefix("GAP_") { return try gap(id) }
      let isCreated = changeType == "CREATE" || changeType == "UNDELETE"
      let isUpdated = changeType == "UPDATE"
      // `001*`: of any number of records.
      guard !id.utf8.contains(UInt8(ascii: "*")), isCreated || isUpdated || changeType == "DELETE" else { return unknown(id) }
      if SalesforceChange.people.contains(entity) {
        if entity == "Account", !isPersonAccount, isCreated || isUpdated { return unknown(id) }
        return isCreated || isUpdated ? try contact(id) : .ignored(reason: "contact_deleted")
      }
      guard Self.texts[entity] != nil else { return unknown(id) }
      if !isCreated, !isUpdated { return deletion(id) }
      if entity == "Case", isUpdated, let status = payload["Status"].id { return state(id, status) }
      let body = try self.body()
      guard body.text != nil || body.original != nil else {
        return entity == "Case" && isCreated ? state(id, payload["Status"].id ?? "created") : unknown(id)
      }
      return isCreated ? try message(id, body) : edit(id, body)
    }

    /// A case whose words have changed together with its status, which `element` tells.
    func hasNewWords(_ id: String) -> Bool {
      entity == "Case" && changeType == "UPDATE" && !isOwn && !id.utf8.contains(UInt8(ascii: "*"))
        && payload["Status"].id != nil && payload["Description"].string(prefix: 1)?.nonEmpty != nil
    }

    private var time: Timestamp? { header["commitTimestamp"].time }

    private func key(_ kind: String, _ id: String) -> MessageKey { delivery.key(kind, transaction + [id]) }

    private func session(_ id: String) -> ReferenceKey { .session(.ticket, account: delivery.account, id: id) }

    private func name(_ id: String) -> ReferenceKey { .message(.ticket, account: delivery.account, id: id) }

    private func unknown(_ id: String) -> NormalisedElement {
      let what = entity + "." + changeType
      return delivery.event(key("unknown", id), sentAt: time, .unknown(Unknown(what: what, details: json)))
    }

    private func gap(_ id: String) throws(Rejection) -> NormalisedElement {
      // What overflows names no record.
      let isOne = !id.utf8.contains(UInt8(ascii: "*")) && changeType != "GAP_OVERFLOW"
      let target: ReferenceKey? = !isOne || Self.texts[entity] == nil ? nil : entity == "Case" ? session(id) : name(id)
      let isPerson = isOne && SalesforceChange.people.contains(entity)
      let change = Change(
        kind: "enrichment", target: target, targetExternalID: id,
        customer: isPerson ? try delivery.identifiers(.contact, scope: scope, id, delivery.recordAssurance) : [], details: json)
      return delivery.event(key("enrichment", id), sentAt: time, .change(change))
    }

    // MARK: - People

    private var scope: String { "salesforce:" + delivery.account }

    /// Of an address that staff have written down; what is known of a lead comes from a form.
    private var writtenAssurance: Assurance { delivery.isVouchedFor && entity != "Lead" ? .a1 : .a0 }

    /// A person as an account, not a company.
    private var isPersonAccount: Bool {
      payload["IsPersonAccount"].bool == true
        || ["PersonContactId", "PersonEmail", "PersonMobilePhone"].contains { payload[$0].id != nil }
    }

    private static let emails = ["Email", "PersonEmail"]
    private static let phones = ["Phone", "MobilePhone", "PersonMobilePhone"]
    /// What says nothing about a person.
    private static let housekeeping: Set<String> = [
      "ChangeEventHeader", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp",
    ]

    private func phone(_ name: String) -> String? {
      payload[name].id.map { PhoneNumber.e164($0, region: region) ?? $0 }
    }

    private func contact(_ id: String) throws(Rejection) -> NormalisedElement {
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.contact, scope: scope, id, delivery.recordAssurance)
      // A person account is an account and a contact.
      try identifiers.add(.contact, scope: scope, payload["PersonContactId"].id, delivery.recordAssurance)
      for name in Self.emails {
        try identifiers.add(.email, payload[name].string(atMost: JSONValue.longestID), writtenAssurance)
      }
      for name in Self.phones { try identifiers.add(.phone, phone(name), writtenAssurance) }
      let whole = displayName
      let contact = Contact(
        identifiers: identifiers.list, displayName: whole, traits: try traits(withName: whole == nil),
        updatedAt: time ?? delivery.receivedAt)
      // A claim must not pass for the statement that it copies.
      let kind = delivery.isVouchedFor ? "contact" : "claimed_contact"
      return delivery.event(delivery.key(kind, transaction + [id, time?.iso8601 ?? ""]), sentAt: time, .contact(contact))
    }

    /// The whole name: both of its parts, or all there is when the record is new.
    private var displayName: String? {
      let name = payload["Name"]
      guard name.isObject else { return name.personName }
      let (first, last) = (name["FirstName"].personName, name["LastName"].personName)
      guard first != nil && last != nil || changeType != "UPDATE" else { return nil }
      return [first, last].compactMap(\.self).joined(separator: " ").nonEmpty
    }

    /// The other fields that have changed; parts of a field as they are listed: `MailingAddress.City`.
    private func traits(withName: Bool) throws(Rejection) -> [String: JSONText] {
      var traits: [String: JSONText] = [:]
      func add(_ name: String, _ value: JSONText) throws(Rejection) {
        guard traits.count < delivery.limits.traits, name.utf8.count <= delivery.limits.keyBytes else {
          throw Rejection(.tooLarge, "traits")
        }
        traits[name] = value
      }
      for (name, value) in payload.members where !value.isNull && !isElsewhere(name, withName) {
        guard value.isObject else {
          try add(name, value.json)
          continue
        }
        for (part, value) in value.members where !value.isNull { try add(name + "." + part, value.json) }
      }
      for name in header["nulledFields"].elements.lazy.compactMap(\.id)
      where Self.isField(name) && !isElsewhere(name, withName) {
        try add(name, JSONText(utf8: Array("null".utf8)))
      }
      return traits
    }

    private func isElsewhere(_ name: String, _ withName: Bool) -> Bool {
      Self.housekeeping.contains(name) || Self.emails.contains(name) || Self.phones.contains(name)
        || name == "PersonContactId" || name == "Name" && !withName
    }

    /// A bitmap begins with a digit, a field never does.
    private static func isField(_ name: String) -> Bool { name.utf8.first.map { !$0.isDigit } ?? false }

    // MARK: - Cases

    /// Where the words stand.
    private static let texts = ["Case": "Description", "CaseComment": "CommentBody", "EmailMessage": "TextBody"]

    typealias Body = (text: String?, original: Original?, flags: [String])

    func body() throws(Rejection) -> Body {
      let body = delivery.text(ofHTML: try payload.text("HtmlBody"))
      guard let field = Self.texts[entity], let text = try payload.text(field) else { return body }
      return (text, body.original, [])
    }

    private func message(_ id: String, _ body: Body) throws(Rejection) -> NormalisedElement {
      let isMail = entity == "EmailMessage"
      let isCustomers = entity == "Case" || isMail && payload["Incoming"].bool == true
      let isInternal = entity == "CaseComment" && payload["IsPublished"].bool != true
      let conversation = entity == "Case" ? id : payload["ParentId"].id ?? payload["RelatedToId"].id
      let customer = try customer(isCustomers: isCustomers)
      let sentAt = isMail && payload["MessageDate"].time != nil ? payload["MessageDate"] : header["commitTimestamp"]
      let name = name(id)
      var details = JSONObjectWriter()
      for (name, value) in payload.members where !value.isNull && !Self.shown.contains(name) && name != Self.texts[entity] {
        details.member(name, value.json)
      }
      // A comment does not say whose case it is.
      if customer.isEmpty, !isCustomers, let conversation {
        var said = Change(
          kind: Change.said, target: session(conversation), targetExternalID: id, authorKind: .agent, text: body.text,
          status: isInternal ? "internal" : nil, details: details.finished)
        said.name = name
        return delivery.event(MessageKey(name), sentAt: sentAt.time, .change(said))
      }
      var message = Message(
        direction: isInternal ? .internal : isCustomers ? .inbound : .outbound, authorKind: isCustomers ? .customer : .agent,
        authorID: isCustomers ? nil : payload["CreatedById"].id ?? header["commitUser"].id, customer: customer,
        customerName: isCustomers ? payload[isMail ? "FromName" : "SuppliedName"].personName : nil,
        language: isCustomers ? body.text.flatMap(Language.detect) : nil, externalID: id, names: [name],
        session: conversation.map(session), subject: payload["Subject"].string?.trimmed.nonEmpty, text: body.text,
        original: body.original, details: details.finished,
        flags: body.flags + sentAt.timeFlags + (customer.isEmpty ? ["customer_unknown"] : []))
      // Whoever mails into a case need not be its customer; whoever is in copy reads what is written into it.
      if !isMail {
        message.stand(in: conversation)
      } else if isCustomers {
        message.replyAddress = payload["FromAddress"].id
      }
      return delivery.event(MessageKey(name), sentAt: sentAt.time, .message(message))
    }

    private static let shown: Set<String> = ["ChangeEventHeader", "Subject", "HtmlBody"]

    /// Whose case it is, or whom a mail is from or to; a comment does not say.
    private func customer(isCustomers: Bool) throws(Rejection) -> [StatedIdentifier] {
      var identifiers = StatedIdentifiers(delivery.limits)
      switch entity {
      case "Case":
        try identifiers.add(.contact, scope: scope, payload["ContactId"].id, delivery.recordAssurance)
        // Typed into a form.
        try identifiers.add(.email, payload["SuppliedEmail"].string(atMost: JSONValue.longestID), .a0)
        try identifiers.add(.phone, phone("SuppliedPhone"), .a0)
      case "EmailMessage" where isCustomers:
        // Nobody says that the mail is from where it says.
        try identifiers.add(.email, payload["FromAddress"].string(atMost: JSONValue.longestID), .a0)
      case "EmailMessage":
        let first = payload["ToAddress"].string(prefix: JSONValue.longestID)?.split(separator: ";").first.map(String.init)
        try identifiers.add(.email, first, writtenAssurance)
      default: break
      }
      return identifiers.list
    }

    func edit(_ id: String, _ body: Body) -> NormalisedElement {
      let change = Change(kind: "edit", target: name(id), targetExternalID: id, text: body.text ?? "", details: json)
      return delivery.event(key("edit", id), sentAt: time, .change(change))
    }

    private func deletion(_ id: String) -> NormalisedElement {
      if entity == "Case" { return state(id, "deleted") }
      let change = Change(kind: "delete", target: name(id), targetExternalID: id)
      return delivery.event(key("delete", id), sentAt: time, .change(change))
    }

    private func state(_ id: String, _ status: String) -> NormalisedElement {
      let change = Change(
        kind: "conversation_state", target: session(id), targetExternalID: id, status: status,
        details: payload.rest(without: ["Description"]))
      return delivery.event(key("conversation_state", id), sentAt: time, .change(change))
    }
  }
}
