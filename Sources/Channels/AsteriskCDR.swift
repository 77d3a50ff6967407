import Canonical
import Parsing

/// `asterisk.cdr`: call detail records of Asterisk: lines of `Master.csv`, JSON with the names of the columns or of the manager's
/// event, or the event itself as text.
///
/// A call has as many records as legs and attempts. The first to arrive of the channel that began it (`uniqueid` is `linkedid`)
/// is the call's message, and every record is a change of it. Times are local and say no zone, but ids begin with the second at
/// which their channel did. Source: `channels.md`, section 10.2.
enum AsteriskCDR {
  static func read(_ body: [UInt8], _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let query = delivery.query
    let first = body.first { !$0.isBlank }
    if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
      let root = try delivery.nestedParser.document(body)
      if root.isObject { return add(Entry(root), query, delivery, &elements) }
      // Of more, no element is taken.
      for item in root.elements.prefix(delivery.limits.elements + 1) { add(Entry(item), query, delivery, &elements) }
      return
    }
    guard String(validating: body, as: UTF8.self) != nil else { throw Rejection(.invalidUTF8, "body") }
    let text = body[...].drop { $0.isBlank }
    if text.starts(with: "Event:".utf8) { return add(Entry(event: text), query, delivery, &elements) }
    var rows = Rows(rest: text)
    var left = delivery.limits.elements + 1
    while left > 0, let row = rows.next() {
      add(Entry(row: row), query, delivery, &elements)
      left -= 1
    }
  }

  private static func add(_ entry: Entry?, _ query: FormURLEncoded?, _ delivery: Delivery, _ elements: inout Elements) {
    do throws(Rejection) {
      guard let entry else { throw Rejection(.malformedPayload, "cdr") }
      if let event = entry["event"], event.lowercased() != "cdr" {
        return elements.add {
          let details = entry.json()
          return delivery.event(
            delivery.key("unknown", event, details.string), sentAt: nil, .unknown(Unknown(what: event, details: details)))
        }
      }
      let leg = try Leg(entry, query, delivery)
      if leg.isRoot, leg.parties.isOutbound == nil { return elements.add { .ignored(reason: "internal") } }
      if leg.isRoot { elements.add { leg.message() } }
      elements.add { leg.change() }
    } catch {
      elements.add { () throws(Rejection) in throw error }
    }
  }

  private static let statuses = [
    "ANSWERED": "completed", "NO ANSWER": "no-answer", "BUSY": "busy", "FAILED": "failed", "CONGESTION": "failed",
  ]

  /// One record.
  private struct Leg {
    let entry: Entry
    let query: FormURLEncoded?
    let delivery: Delivery
    let id: String
    /// The call that the leg belongs to: the id of its oldest channel.
    let call: String
    let parties: CallParties

    init(_ entry: Entry, _ query: FormURLEncoded?, _ delivery: Delivery) throws(Rejection) {
      (self.entry, self.query, self.delivery) = (entry, query, delivery)
      guard let id = entry["uniqueid"], id.utf8.count <= JSONValue.longestID else {
        throw Rejection(.malformedPayload, "uniqueid")
      }
      self.id = id
      call = entry["linkedid"] ?? id
      guard call.utf8.count <= JSONValue.longestID else { throw Rejection(.malformedPayload, "linkedid") }
      // The names that the usual set-up has for where calls come from.
      let context = entry["dcontext"] ?? ""
      let isFromTrunk = ["from-trunk", "from-pstn", "from-did"].contains { context.hasPrefix($0) }
      let isFromUs: Bool? = context.hasPrefix("from-internal") ? true : isFromTrunk ? false : nil
      parties = try CallParties(caller: entry["src"], callee: entry["dst"], isFromUs: isFromUs, query, delivery)
    }

    var isRoot: Bool { id == call }

    private var name: ReferenceKey { .message(.voice, account: delivery.account, id: call) }

    func message() -> NormalisedElement {
      let isOutbound = parties.isOutbound == true
      let continuation = delivery.continuation(query?["conversation"] ?? entry["conversation"])
      // An attempt that failed says nothing of the call: another one may have been answered.
      let isAttempt = entry["dstchannel"] != nil && entry["disposition"]?.uppercased() != "ANSWERED"
      var details = JSONObjectWriter()
      details.member("call", summary(withOutcome: !isAttempt))
      var message = Message(
        direction: isOutbound ? .outbound : .inbound, authorKind: isOutbound ? .agent : .customer, customer: parties.customer,
        customerName: isOutbound ? nil : callerName, externalID: call, names: [name],
        session: .session(.voice, account: delivery.account, id: call),
        attachments: recording.map { [Attachment(recordingAt: $0.path)] } ?? [], details: details.finished,
        flags: (parties.customer.isEmpty ? ["caller_unknown"] : []) + continuation.flags)
      message.continuation = continuation.conversation
      return delivery.event(MessageKey(name), sentAt: AsteriskCDR.time(ofID: call), .message(message))
    }

    func change() -> NormalisedElement {
      var details = JSONObjectWriter()
      details.member("part", "leg")
      details.member("leg", id)
      details.member("call", summary(withOutcome: true))
      details.member("cdr", entry.json(without: recording?.field))
      let change = Change(
        kind: "call", target: name, targetExternalID: call, customer: parties.customer,
        attachments: recording.map { [Attachment(recordingAt: $0.path)] }, details: details.finished)
      // Without a sequence number the attempts of one channel differ in what they did.
      let attempt =
        entry["sequence"].map { [$0] } ?? ["dst", "dstchannel", "lastapp", "start", "answer", "end"].map { entry[$0] ?? "" }
      return delivery.event(delivery.key("call", [call, id] + attempt), sentAt: AsteriskCDR.time(ofID: id), .change(change))
    }

    private func summary(withOutcome: Bool) -> JSONText {
      var call = JSONObjectWriter()
      if withOutcome {
        call.member("status", entry["disposition"].flatMap { statuses[$0.uppercased()] })
        call.member("duration_seconds", number("duration"))
        call.member("talk_seconds", number("billsec"))
      }
      call.member("from", entry["src"])
      call.member("to", entry["dst"])
      if !isRoot { call.member("parent", self.call) }
      return call.finished
    }

    private func number(_ name: String) -> Int64? { entry[name]?.naturalNumber }

    /// Of `"Ana" <34600123456>`.
    private var callerName: String? {
      guard let line = entry["clid"], line.contains("<") else { return nil }
      let name = line.prefix { $0 != "<" }.filter { $0 != "\"" }.trimmed
      return name == entry["src"] ? nil : name.nonEmpty
    }

    /// By convention, in one of several places.
    private var recording: (field: String, path: String)? {
      for field in ["recordingfile", "mixmonitor_filename"] {
        if let file = entry[field] { return (field: field, path: file) }
      }
      let field = "userfield"
      guard let text = entry[field] else { return nil }
      for prefix in ["rec=", "audio:"] where text.hasPrefix(prefix) {
        return String(text.dropFirst(prefix.count)).nonEmpty.map { (field: field, path: $0) }
      }
      return [".wav", ".mp3", ".gsm"].contains { text.lowercased().hasSuffix($0) } ? (field: field, path: text) : nil
    }
  }

  /// Of `1778577247.161` or `pbx1-1778577247.161`.
  private static func time(ofID id: String) -> Timestamp? {
    let digits = id.prefix { $0 != "." }.split(separator: "-").last.flatMap { Int64($0) }
    // From the year 2000 on: anything else is no time.
    return digits.flatMap { (946_684_800..<100_000_000_000).contains($0) ? Timestamp(seconds: $0) : nil }
  }

  /// The fields that say something, under the names of the columns.
  private struct Entry {
    private var fields: [(name: String, value: String)] = []
    private var values: [String: String] = [:]

    /// The first of equal names counts.
    private mutating func add(_ name: some StringProtocol, _ value: some StringProtocol) {
      let lower = name.trimmed.lowercased()
      let column = names[lower] ?? lower
      let said = value.trimmed
      guard !said.isEmpty, !dropped.contains(column), values[column] == nil else { return }
      fields.append((column, said))
      values[column] = said
    }

    init?(_ object: JSONValue) {
      guard object.isObject else { return nil }
      for (name, value) in object.members where !value.isNull { add(name, value.string ?? value.json.string) }
    }

    /// Lines of `Name: value`.
    init(event text: ArraySlice<UInt8>) {
      for line in text.split(separator: UInt8(ascii: "\n"), maxSplits: 1_000) {
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        add(String(decoding: name, as: UTF8.self), String(decoding: line[name.endIndex...].dropFirst(), as: UTF8.self))
      }
    }

    /// The columns that `Master.csv` has, by their count: ids, the user's field and the newer ones may be switched off.
    init?(row: [String]) {
      let more = ["peeraccount", "linkedid", "sequence"]
      let counts: [Int: [String]] = [
        17: ["uniqueid"], 18: ["uniqueid", "userfield"], 20: ["uniqueid"] + more, 21: ["uniqueid", "userfield"] + more,
      ]
      guard let later = counts[row.count] else { return nil }
      for (name, value) in zip(columns + later, row) { add(name, value) }
    }

    subscript(name: String) -> String? { values[name] }

    func json(without other: String? = nil) -> JSONText {
      var writer = JSONObjectWriter()
      for (name, value) in fields where name != "conversation" && name != other { writer.member(name, value) }
      return writer.finish()
    }
  }

  private static let columns = [
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
    "duration", "billsec", "disposition", "amaflags",
  ]

  /// The manager's words, and those of the usual table.
  private static let names = [
    "source": "src", "destination": "dst", "destinationcontext": "dcontext", "callerid": "clid",
    "destinationchannel": "dstchannel", "lastapplication": "lastapp", "starttime": "start", "calldate": "start",
    "answertime": "answer", "endtime": "end", "billableseconds": "billsec",
  ]

  private static let dropped: Set<String> = ["", "privilege"]

  /// RFC 4180: a quote inside quotes is doubled, and a line break there is the field's.
  private struct Rows {
    var rest: ArraySlice<UInt8>
    private static let maximumFields = 64

    init(rest: ArraySlice<UInt8>) { self.rest = rest }

    mutating func next() -> [String]? {
      rest = rest.drop { $0.isBlank }
      guard !rest.isEmpty else { return nil }
      var row: [String] = []
      var field: [UInt8] = []
      var isQuoted = false
      while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "\"") where isQuoted && rest.first == UInt8(ascii: "\""):
          field.append(byte)
          rest = rest.dropFirst()
        case UInt8(ascii: "\""): isQuoted.toggle()
        case UInt8(ascii: ",") where !isQuoted:
          if row.count < Self.maximumFields { row.append(String(decoding: field, as: UTF8.self)) }
          field.removeAll(keepingCapacity: true)
        case UInt8(ascii: "\n") where !isQuoted:
          row.append(String(decoding: field, as: UTF8.self))
          return row
        default: field.append(byte)
        }
      }
      row.append(String(decoding: field, as: UTF8.self))
      return row
    }
  }
}
