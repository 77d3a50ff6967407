import Canonical
import Parsing

/// `twilio.voice`: the parameters of one Twilio voice callback, or events of a stream, each with those of one.
///
/// A call is one message: the status callback that ends it, the only one that knows how it went and how long it took. What comes
/// before (`initiated`, `ringing`, `in-progress`) and beside it (recordings, transcriptions, answers) are changes of the call, in any
/// order. Source: `channels.md`, section 10.1.
enum TwilioVoice {
  static func read(_ body: [UInt8], _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let first = body.first { !$0.isBlank }
    guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
      let form = try FormURLEncoded(body, delivery)
      return elements.add { () throws(Rejection) in try element(form, delivery) }
    }
    let root = try delivery.nestedParser.document(body)
    // Transcriptions are parsed by the same parser: what is needed of the document is taken out first.
    let events = (root.isArray ? Array(root.elements.prefix(delivery.limits.elements + 1)) : [root]).map(StreamEvent.init)
    for event in events {
      elements.add { () throws(Rejection) in
        switch event.parameters {
        case .success(let form?): return try element(form, delivery)
        case .success(nil):
          let unknown = Unknown(what: event.type ?? "event", details: event.json)
          return delivery.event(
            delivery.key("unknown", event.type ?? "", event.id ?? event.json.string), sentAt: nil, .unknown(unknown))
        case .failure(let rejection): throw rejection
        }
      }
    }
  }

  private static func element(_ form: FormURLEncoded, _ delivery: Delivery) throws(Rejection) -> NormalisedElement {
    let call = try Call(form, delivery)
    return try call.isEnd ? call.message() : call.change()
  }

  /// One of Twilio's own CloudEvents.
  private struct StreamEvent {
    let type: String?
    let id: String?
    let json: JSONText
    /// nil where it is about something else than a callback.
    let parameters: Result<FormURLEncoded?, Rejection>

    init(_ event: JSONValue) {
      type = event["type"].id
      id = event["id"].id
      json = event.json
      let parameters = event["data"]["request"]["parameters"]
      self.parameters = Result { () throws(Rejection) in
        guard event.isObject else { throw Rejection(.malformedPayload, "event") }
        return parameters.isObject ? try FormURLEncoded(json: parameters) : nil
      }
    }
  }

  private static let endings: Set<String> = ["completed", "busy", "no-answer", "failed", "canceled"]

  /// The numbers that stand for a hidden caller: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a keypad.
  private static let hidden: Set<String> = ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"]

  private static let shown: Set<String> = [
    "CallSid", "ParentCallSid", "CallStatus", "CallDuration", "Duration", "Timestamp", "ApiVersion", "Caller", "Called",
    "conversation", "TranscriptionData",
  ]

  /// One callback about one leg.
  private struct Call {
    let form: FormURLEncoded
    let delivery: Delivery
    let id: String
    let parent: String?
    let status: String?
    /// nil where the callback does not say (recordings).
    let isOutbound: Bool?

    init(_ form: FormURLEncoded, _ delivery: Delivery) throws(Rejection) {
      (self.form, self.delivery) = (form, delivery)
      id = try form.required("CallSid")
      parent = form["ParentCallSid"]
      status = form["CallStatus"]
      isOutbound = form["Direction"].flatMap { $0.hasPrefix("outbound") ? true : $0 == "inbound" ? false : nil }
    }

    private func name(_ id: String) -> ReferenceKey { .message(.voice, account: delivery.account, id: id) }

    /// The address of the customer's side.
    private var party: String? {
      switch isOutbound {
      case true: form["To"] ?? form["Called"]
      case false: form["From"] ?? form["Caller"]
      default: nil
      }
    }

    /// The leg to or from one of our own agents: an app, or a SIP phone that a call was put through to.
    private var isOurs: Bool {
      guard let party else { return false }
      return party.hasPrefix("client:") || (parent != nil && party.hasPrefix("sip"))
    }

    /// Callbacks of a recording, a transcription or a dialled leg repeat the call's status; the end alone has a duration.
    var isEnd: Bool {
      guard let status, TwilioVoice.endings.contains(status), !isOurs else { return false }
      if form["CallDuration"] == nil, form["RecordingSid"] != nil || form["DialCallStatus"] != nil { return false }
      return form["RecordingStatus"] == nil && form["TranscriptionSid"] == nil
    }

    func message() throws(Rejection) -> NormalisedElement {
      guard let isOutbound else { throw Rejection(.malformedPayload, "Direction") }
      let customer = try identifiers()
      var flags = form["Timestamp"] != nil && time == nil ? ["sent_at_invalid"] : []
      if customer.isEmpty { flags.append("caller_unknown") }
      let continuation = delivery.continuation(token)
      let name = name(id)
      var message = Message(
        direction: isOutbound ? .outbound : .inbound,
        // Who was not reached was not answered.
        authorKind: !isOutbound ? .customer : status == "completed" ? .agent : .system, customer: customer,
        customerName: isOutbound ? nil : form["CallerName"]?.trimmed.nonEmpty, externalID: id, names: [name],
        references: parent.map { [self.name($0)] } ?? [], attachments: recordings ?? [], details: details(),
        flags: flags + continuation.flags)
      message.continuation = continuation.conversation
      return delivery.event(MessageKey(name), sentAt: time, .message(message))
    }

    /// The leg of one of our own is a change of the call that it belongs to.
    func change() throws(Rejection) -> NormalisedElement {
      let part: [String]
      if let transcription = form["TranscriptionSid"] {
        let state = form["TranscriptionEvent"] ?? form["TranscriptionStatus"] ?? ""
        part = ["transcription", transcription, state, form["SequenceId"] ?? ""]
      } else if let recording = form["RecordingSid"] {
        part = ["recording", recording, form["RecordingStatus"] ?? ""]
      } else if let number = form["SequenceNumber"] {
        part = ["progress", status ?? "", number]
      } else {
        // The answers of a caller look alike but for what was said.
        let token = delivery.envelope.headers["http_i-twilio-idempotency-token"] ?? ""
        let parameters = form.members.flatMap { [$0.name, $0.value] }
        part = ["progress", status ?? "", token] + parameters
      }
      let target = isOurs ? parent ?? id : id
      let recordings = self.recordings
      let words = form["TranscriptionText"] ?? (isOurs ? nil : form["SpeechResult"])
      // Words that are not final come again.
      let heard = words == nil && form["Final"] != "false" ? transcription?["transcript"].string?.nonEmpty : nil
      var moved: Set<String> = ["TranscriptionText", "SpeechResult"]
      if recordings != nil { moved.formUnion(["RecordingSid", "RecordingUrl"]) }
      if heard != nil { moved.insert("TranscriptionData") }
      let change = Change(
        kind: "call", target: name(target), targetExternalID: target, customer: isOurs ? [] : try identifiers(),
        text: words ?? heard, attachments: recordings, details: details(part: part[0], without: moved))
      return delivery.event(delivery.key("call", [id] + part), sentAt: time, .change(change))
    }

    /// Not of a transcription, which names the recording that it was made of.
    private var recordings: [Attachment]? {
      guard form["RecordingSid"] != nil || form["RecordingUrl"] != nil, form["TranscriptionSid"] == nil,
        form["RecordingStatus"] ?? "completed" == "completed"
      else { return nil }
      return [Attachment(kind: "audio", providerID: form["RecordingSid"], url: form["RecordingUrl"])]
    }

    /// JSON inside a string; nil when it is none. Valid until `nestedParser` parses again.
    private var transcription: JSONValue? {
      form["TranscriptionData"].flatMap { try? delivery.nestedParser.document(Array($0.utf8)) }
    }

    private func details(part: String? = nil, without moved: Set<String> = []) -> JSONText {
      var call = JSONObjectWriter()
      call.member("status", status)
      call.member("duration_seconds", number("CallDuration"))
      call.member("billed_minutes", number("Duration"))
      call.member("parent", parent)
      var details = JSONObjectWriter()
      details.member("part", part)
      if isOurs { details.member("leg", id) }
      details.member("call", call.finished)
      details.members(of: form, without: TwilioVoice.shown.union(moved))
      if let text = form["TranscriptionData"] {
        if let data = transcription {
          let isMoved = moved.contains("TranscriptionData")
          details.member("TranscriptionData", isMoved ? data.rest(without: ["transcript"]) : data.json)
        } else {
          details.member("TranscriptionData", text)
        }
      }
      return details.finished
    }

    /// The signed token of the conversation that an agent placed the call from; never stored.
    private var token: String? { delivery.query?["conversation"] ?? form["conversation"] }

    private func number(_ name: String) -> Int64? { form[name]?.naturalNumber }

    private var time: Timestamp? { form["Timestamp"].flatMap(TwilioVoice.time) }

    private func identifiers() throws(Rejection) -> [StatedIdentifier] {
      guard let party, party.hasPrefix("+"), !TwilioVoice.hidden.contains(party) else { return [] }
      let attested = delivery.envelope.attested
      // Full attestation is of the one who calls us.
      let isVerified =
        isOutbound == false
        && (attested.contains(.callerID) || attested.contains(.signature) && form["StirVerstat"] == "TN-Validation-Passed-A")
      return try delivery.identifiers(.phone, party, isVerified ? .a2 : delivery.networkAssurance)
    }
  }

  /// RFC 2822 or ISO 8601 (real-time transcriptions); nil for anything else.
  private static func time(_ text: String) -> Timestamp? {
    (ISO8601.englishMicroseconds(text) ?? ISO8601.microseconds(text)).map(Timestamp.init(microseconds:))
      .flatMap { Timestamp.storable.contains($0) ? $0 : nil }
  }
}
