/// A point in time in microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, Comparable {
  public var microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }
  public init(milliseconds: Int64) { microseconds = milliseconds.clampedProduct(1_000) }
  public init(seconds: Int64) { microseconds = seconds.clampedProduct(1_000_000) }

  /// Seconds or milliseconds, told apart by magnitude (at least 1e11 is milliseconds); `channels.md`, section 21, trap 2.
  public init(secondsOrMilliseconds value: Int64) {
    self = value.magnitude >= 100_000_000_000 ? Timestamp(milliseconds: value) : Timestamp(seconds: value)
  }

  public static func < (a: Self, b: Self) -> Bool { a.microseconds < b.microseconds }

  public func advanced(by duration: Duration) -> Timestamp {
    let (seconds, attoseconds) = duration.components
    return Timestamp(microseconds: microseconds &+ seconds.clampedProduct(1_000_000) &+ attoseconds / 1_000_000_000_000)
  }

  public func duration(since earlier: Timestamp) -> Duration { .microseconds(microseconds - earlier.microseconds) }

  /// The range that PostgreSQL's `timestamptz` and every reader can hold: the years 1 to 9999.
  public static let storable = Timestamp(microseconds: -62_135_596_800_000_000)...Timestamp(microseconds: 253_402_300_799_999_999)

  /// RFC 3339 in UTC with microseconds. Values outside `storable` are clamped to it.
  public var iso8601: String {
    let clamped = min(max(self, Self.storable.lowerBound), Self.storable.upperBound).microseconds
    let day = clamped.flooredQuotient(86_400_000_000)
    let (year, month, dayOfMonth) = Self.civil(day)
    let rest = clamped - day * 86_400_000_000
    return String(unsafeUninitializedCapacity: 27) { out in
      var position = 0
      func put(_ value: Int64, _ count: Int, _ separator: UInt8) {
        var value = value
        for place in (position..<position + count).reversed() {
          out[place] = UInt8(ascii: "0") + UInt8(value % 10)
          value /= 10
        }
        out[position + count] = separator
        position += count + 1
      }
      put(year, 4, UInt8(ascii: "-"))
      put(month, 2, UInt8(ascii: "-"))
      put(dayOfMonth, 2, UInt8(ascii: "T"))
      put(rest / 3_600_000_000, 2, UInt8(ascii: ":"))
      put(rest / 60_000_000 % 60, 2, UInt8(ascii: ":"))
      put(rest / 1_000_000 % 60, 2, UInt8(ascii: "."))
      put(rest % 1_000_000, 6, UInt8(ascii: "Z"))
      return position
    }
  }

  /// Howard Hinnant's `civil_from_days`: days since 1970-01-01 to a Gregorian date.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let z = days + 719_468
    let era = z.flooredQuotient(146_097)
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

extension Int64 {
  fileprivate func clampedProduct(_ factor: Int64) -> Int64 {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? (self < 0 ? Int64.min / 4 : Int64.max / 4) : Swift.min(Swift.max(product, Int64.min / 4), Int64.max / 4)
  }
  fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}
