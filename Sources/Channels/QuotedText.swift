/// What a mail itself says: its text without the quoted history and the signature. The whole stays in the original.
///
/// Every line is looked at a constant number of times, and long ones not at all, so the cost is linear in the text.
enum QuotedText {
  /// - Parameter subject: says whether the mail is a forward, which is shown whole.
  static func strip(_ text: String, subject: String?) -> String {
    let whole = text.trimmed
    if let subject, isForward(subject) { return whole }
    let lines = whole.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
      Substring($0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0)
    }
    var kept: [Substring] = []
    var isSignature = false
    var position = 0
    reading: while position < lines.count {
      switch mark(lines[position...]) {
      case .forward:
        kept += lines[position...]
        break reading
      case .history:
        break reading
      case .attribution(let length):
        position += length
        // Answers may stand between lines quoted with ">"; without such lines all that follows is history.
        let next = lines[position...].prefix(4).first { !$0.isBlank }
        guard next?.utf8.first == UInt8(ascii: ">") else { break reading }
        continue reading
      case .signature: isSignature = true
      case .quoted: break
      case .none: if !isSignature { kept.append(lines[position]) }
      }
      position += 1
    }
    if kept.count == lines.count, !whole.utf8.contains(UInt8(ascii: "\r")) { return whole }
    return kept.joined(separator: "\n").trimmed.nonEmpty ?? whole
  }

  private enum Mark {
    case none, quoted, signature
    /// An older mail begins here: cut.
    case history
    /// A forwarded mail begins here: it is what the sender wants to be seen.
    case forward
    /// "On … wrote:", over this number of lines.
    case attribution(length: Int)
  }

  /// What the first of these lines begins.
  private static func mark(_ lines: ArraySlice<Substring>) -> Mark {
    guard let line = lines.first, !line.isBlank else { return .none }
    if line.utf8.first == UInt8(ascii: ">") { return .quoted }
    let isRule = line.utf8.starts(with: "--".utf8)
    if isRule, line == "-- " || line == "--" { return .signature }
    guard line.utf8.count <= longestMark else { return .none }
    if isRule {
      let words = words(ofRule: line)
      if forwardRules.contains(words) || words.hasPrefix("forwarded ") { return .forward }
      if historyRules.contains(words) { return .history }
    }
    if let label = label(of: line) {
      if forwardLabels.contains(label) { return .forward }
      if fromLabels.contains(label), isHeaderBlock(lines.dropFirst()) { return .history }
    }
    if line.utf8.count >= 10, line.trimmed.utf8.allSatisfy({ $0 == UInt8(ascii: "_") }),
      let position = lines.dropFirst().prefix(4).firstIndex(where: { !$0.isBlank }),
      let label = label(of: lines[position]), fromLabels.contains(label), isHeaderBlock(lines[(position + 1)...])
    {
      return .history
    }
    // Mail programs wrap it; the fewest lines that end with its colon are it.
    for length in 1...3 where length <= lines.count {
      let wrapped = lines.prefix(length)
      guard let last = wrapped.last, !last.isBlank, wrapped.reduce(0, { $0 + $1.utf8.count }) <= longestMark else { break }
      guard endsWithColon(last) else { continue }
      let isShortest = !(1..<length).contains { isAttribution(wrapped.dropFirst($0)) }
      return isShortest && isAttribution(wrapped) ? .attribution(length: length) : .none
    }
    return .none
  }

  private static let longestMark = 400

  /// The lines below "From:" of a mail quoted the Outlook way: a date and a subject follow soon. People write "From:" too.
  private static func isHeaderBlock(_ lines: ArraySlice<Substring>) -> Bool {
    let labels = lines.prefix(8).compactMap(label)
    return labels.contains(where: sentLabels.contains) && labels.contains(where: subjectLabels.contains)
  }

  /// What stands between the dashes, in lower case.
  private static func words(ofRule line: Substring) -> String {
    let isFiller: (UInt8) -> Bool = { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":") || $0.isBlank }
    guard let first = line.utf8.firstIndex(where: { !isFiller($0) }), let last = line.utf8.lastIndex(where: { !isFiller($0) })
    else {
      return ""
    }
    return Substring(line.utf8[first...last]).lowercased()
  }

  /// The words before the first colon of a line, in lower case, without blanks and asterisks.
  private static func label(of line: Substring) -> String? {
    // Few lines have a colon, or the first byte of a wide one, where forty scalars can reach.
    guard line.utf8.prefix(160).contains(where: { $0 == UInt8(ascii: ":") || $0 == 0xef }) else { return nil }
    let start = line.unicodeScalars.prefix(40)
    guard let colon = start.firstIndex(where: { $0 == ":" || $0 == "：" }) else { return nil }
    var label = ""
    for scalar in start[..<colon] where !ignoredInLabels.contains(scalar) { label.unicodeScalars.append(scalar) }
    return label.lowercased()
  }

  /// Blanks (French puts a no-break space before a colon), bold type as asterisks, and direction marks.
  private static let ignoredInLabels: Set<UnicodeScalar> = [
    " ", "\t", "*", "\u{a0}", "\u{202f}", "\u{200e}", "\u{200f}", "\u{202a}", "\u{202b}", "\u{202c}", "\u{feff}",
  ]

  /// Whether these lines together are "On … wrote:".
  private static func isAttribution(_ lines: ArraySlice<Substring>) -> Bool {
    var scalars = lines.joined(separator: " ").lowercased().trimmed.unicodeScalars[...]
    while let scalar = scalars.last, scalar == ":" || scalar == "：" || ignoredInLabels.contains(scalar) { scalars.removeLast() }
    let text = String(Substring(scalars))
    let hasYear = hasFourDigits(text)
    let hasAddress = text.utf8.contains(UInt8(ascii: "@"))
    return (hasYear || hasAddress)
      && attributions.contains { rule in
        text.hasPrefix(rule.start) && text.hasSuffix(rule.end) && (rule.end == rule.verb || text.contains(rule.verb))
      }
      || hasYear && (attributionEnds.contains(where: text.hasSuffix) || hasAddress && text.hasSuffix(">"))
  }

  private static func endsWithColon(_ line: Substring) -> Bool {
    guard let byte = line.utf8.last(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "*") })
    else { return false }
    if byte < 0x80 { return byte == UInt8(ascii: ":") }
    let last = line.unicodeScalars.last { !ignoredInLabels.contains($0) }
    return last == ":" || last == "："
  }

  private static func hasFourDigits(_ text: String) -> Bool {
    var run = 0
    for byte in text.utf8 {
      run = byte.isDigit ? run + 1 : 0
      if run == 4 { return true }
    }
    return false
  }

  private static func isForward(_ subject: String) -> Bool {
    let start = subject.prefix(utf8Bytes: 64).trimmed.lowercased()
    return forwardPrefixes.contains(where: start.hasPrefix)
  }

  private static let forwardPrefixes = [
    "fwd:", "fw:", "wg:", "tr:", "rv:", "enc:", "doorst:", "vb:", "vs:", "vl:", "pd:", "転送:", "转发:", "转发：", "轉寄:", "轉寄：", "전달:",
  ]

  /// English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish and Norwegian begin with a word of their own.
  private static let attributions: [(start: String, verb: String, end: String)] = [
    ("on ", "wrote", "wrote"), ("am ", "schrieb", ""), ("le ", "a écrit", "a écrit"), ("el ", "escribió", "escribió"),
    ("il ", "ha scritto", "ha scritto"), ("em ", "escreveu", "escreveu"), ("a ", "escreveu", "escreveu"),
    ("op ", "schreef", ""), ("op ", "geschreven", "geschreven"), ("den ", "skrev", ""), ("ons ", "skrev", ""),
    ("tis ", "skrev", ""), ("tir", "skrev", ""), ("man", "skrev", ""), ("tor", "skrev", ""), ("fre", "skrev", ""),
    ("lør", "skrev", ""), ("lör", "skrev", ""), ("søn", "skrev", ""), ("sön", "skrev", ""), ("mån", "skrev", ""),
  ]

  /// The others end with theirs: Polish, Czech, Russian, Ukrainian, Finnish, Turkish, Greek, Hungarian, Romanian, Vietnamese,
  /// Indonesian, Arabic, Chinese, Japanese, Korean. A bare "<address>" at the end, as Gmail writes in Japanese, counts too.
  private static let attributionEnds = [
    "napisał(a)", "napisał", "napisała", "pisze", "napsal(a)", "napsal", "napsala", "написал(а)", "написал", "написала",
    "пишет", "писал(а)", "пише", "kirjoitti", "yazdı", "έγραψε", "írta", "ezt írta", "a scris", "đã viết", "menulis", "كتب",
    "写道", "寫道", "のメール", "のメッセージ", "が書きました", "작성", "썼습니다",
  ]

  private static let forwardRules: Set<String> = [
    "forwarded message", "weitergeleitete nachricht", "message transféré", "mensaje reenviado", "messaggio inoltrato",
    "mensagem encaminhada", "doorgestuurd bericht", "vidarebefordrat meddelande", "videresendt meddelelse",
    "videresendt melding", "przekazana wiadomość", "пересылаемое сообщение", "přeposlaná zpráva", "välitetty viesti",
    "iletilen mesaj", "転送メッセージ", "转发的邮件", "轉寄郵件", "전달된 메일", "رسالة معاد توجيهها",
  ]

  /// Apple Mail's line, up to its colon.
  private static let forwardLabels: Set<String> = [
    "beginforwardedmessage", "anfangderweitergeleitetennachricht", "débutdumessageréexpédié", "débutdumessagetransféré",
    "iniciodelmensajereenviado", "iniziomessaggioinoltrato", "iníciodamensagemreenviada", "beginvandoorgestuurdbericht",
    "vidarebefordratbrev", "początekprzekazywanejwiadomości",
  ]

  private static let historyRules: Set<String> = [
    "original message", "original appointment", "ursprüngliche nachricht", "originalnachricht", "message d'origine",
    "message d’origine", "message original", "mensaje original", "messaggio originale", "mensagem original",
    "oorspronkelijk bericht", "originalmeddelande", "ursprungligt meddelande", "oprindelig meddelelse", "opprinnelig melding",
    "wiadomość oryginalna", "oryginalna wiadomość", "исходное сообщение", "původní zpráva", "alkuperäinen viesti",
    "özgün ileti", "orijinal mesaj", "元のメッセージ", "原始邮件", "原始郵件", "원본 메시지", "الرسالة الأصلية",
  ]

  private static let fromLabels: Set<String> = [
    "from", "von", "de", "da", "van", "från", "fra", "od", "от", "від", "lähettäjä", "kimden", "gönderen", "από", "feladó",
    "差出人", "发件人", "寄件者", "보낸사람", "من",
  ]
  private static let sentLabels: Set<String> = [
    "sent", "date", "gesendet", "datum", "envoyé", "enviado", "enviadoel", "enviadaem", "enviada", "fecha", "inviato", "data",
    "verzonden", "skickat", "sendt", "dato", "wysłano", "отправлено", "дата", "надіслано", "odesláno", "lähetetty",
    "päivämäärä", "gönderildi", "tarih", "εστάλη", "elküldve", "dátum", "送信日時", "日時", "发送时间", "日期", "寄件日期", "보낸날짜", "تاريخ",
    "تاريخالإرسال",
  ]
  private static let subjectLabels: Set<String> = [
    "subject", "betreff", "objet", "asunto", "oggetto", "assunto", "onderwerp", "ämne", "emne", "temat", "тема", "předmět",
    "aihe", "konu", "θέμα", "tárgy", "件名", "主题", "主旨", "제목", "الموضوع",
  ]
}

extension Substring {
  fileprivate var isBlank: Bool { utf8.allSatisfy(\.isBlank) }
}
