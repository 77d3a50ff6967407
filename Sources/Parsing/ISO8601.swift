/// Points in time as providers write them.
public enum ISO8601 {
  /// Microseconds since 1970 of an RFC 3339 date-time, or nil.
  ///
  /// "T" may be a space; the fraction has one to nine digits, those behind the sixth are cut; the offset is "Z", "UTC", "+hh",
  /// "+hhmm" or "+hh:mm", with a space before it or none, and UTC when missing. A leap second counts as the second after it.
  public static func microseconds(_ text: String) -> Int64? {
    var scanner = Scanner(rest: Array(text.utf8.prefix(48))[...])
    guard let year = scanner.number(4), scanner.take("-"), let month = scanner.number(2), scanner.take("-"),
      let day = scanner.number(2), scanner.take("T") || scanner.take("t") || scanner.take(" "),
      let hour = scanner.number(2), scanner.take(":"), let minute = scanner.number(2), scanner.take(":"),
      let second = scanner.number(2), let fraction = scanner.fraction(), let offset = scanner.offset(), scanner.rest.isEmpty,
      year >= 1, (1...12).contains(month), (1...length(of: month, in: year)).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    let seconds = ((daysSince1970(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second
    return seconds * 1_000_000 + fraction
  }

  /// The same of a date with an English month: `Tue, 12 May 2026 09:14:07 +0000` (RFC 2822, with or without the day of the week) or
  /// `Tue May 12 09:14:07 +0000 2026` (X); nil for anything else.
  public static func englishMicroseconds(_ text: String) -> Int64? {
    var words = text.prefix(64).split(separator: " ").map(String.init)
    if words.count == 6, !words[0].hasSuffix(",") { words = [words[2], words[1], words[5], words[3], words[4]] }
    if words.first?.hasSuffix(",") == true { words.removeFirst() }
    guard words.count == 5, words[0].utf8.count <= 2, let month = months.firstIndex(of: words[1].lowercased()) else { return nil }
    func twoDigits(_ text: String) -> String { text.utf8.count == 1 ? "0" + text : text }
    let date = words[2] + "-" + twoDigits(String(month + 1)) + "-" + twoDigits(words[0])
    return microseconds(date + "T" + words[3] + (words[4] == "GMT" ? "UTC" : words[4]))
  }

  private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

  private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func length(of month: Int64, in year: Int64) -> Int64 {
    month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// Howard Hinnant's `days_from_civil`, for the years 1 to 9999.
  private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private struct Scanner {
    var rest: ArraySlice<UInt8>

    mutating func take(_ text: StaticString) -> Bool {
      let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
      guard rest.starts(with: bytes) else { return false }
      rest = rest.dropFirst(bytes.count)
      return true
    }

    private mutating func digit() -> Int64? {
      guard let byte = rest.first, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      rest = rest.dropFirst()
      return Int64(byte - UInt8(ascii: "0"))
    }

    mutating func number(_ digits: Int) -> Int64? {
      var value: Int64 = 0
      for _ in 0..<digits {
        guard let digit = digit() else { return nil }
        value = value * 10 + digit
      }
      return value
    }

    /// Microseconds; zero when there is no fraction.
    mutating func fraction() -> Int64? {
      guard take(".") || take(",") else { return 0 }
      var value: Int64 = 0
      var count = 0
      while count < 9, let digit = digit() {
        if count < 6 { value = value * 10 + digit }
        count += 1
      }
      guard count > 0 else { return nil }
      for _ in min(count, 6)..<6 { value *= 10 }
      return value
    }

    /// Minutes east of UTC; zero when there is no offset.
    mutating func offset() -> Int64? {
      if rest.isEmpty { return 0 }
      _ = take(" ")
      if take("Z") || take("z") || take("UTC") { return 0 }
      let isWest = take("-")
      guard isWest || take("+"), let hours = number(2), hours < 24 else { return nil }
      let minutes = take(":") || !rest.isEmpty ? number(2) ?? 60 : 0
      guard minutes < 60 else { return nil }
      return (hours * 60 + minutes) * (isWest ? -1 : 1)
    }
  }
}
