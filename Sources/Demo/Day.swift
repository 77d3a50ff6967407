import Canonical
import Glibc

/// The day that is played, in UTC: yesterday, so that none of its times lies ahead.
struct Day: Sendable {
  let midnight: Timestamp

  init(before now: Timestamp = .now) {
    let length: Int64 = 86_400_000_000
    midnight = Timestamp(microseconds: now.microseconds / length * length - length)
  }

  /// Whether it is a time of the day; others are the wall clock's.
  func contains(_ time: Timestamp) -> Bool { time < midnight.advanced(by: .seconds(86_400)) }

  func at(_ hour: Int, _ minute: Int, _ second: Int = 0) -> Timestamp {
    midnight.advanced(by: .seconds(hour * 3_600 + minute * 60 + second))
  }
}

extension Timestamp {
  static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }

  var milliseconds: Int64 { microseconds / 1_000 }

  /// `08:12`.
  var timeOfDay: String { String(iso8601.dropFirst(11).prefix(5)) }

  /// RFC 5322 (the day of the week is optional there), in UTC.
  var internetDate: String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let iso = iso8601
    let month = months[((Int(iso.dropFirst(5).prefix(2)) ?? 1) - 1) % 12]
    return "\(iso.dropFirst(8).prefix(2)) \(month) \(iso.prefix(4)) \(iso.dropFirst(11).prefix(8)) +0000"
  }
}

extension Duration {
  /// `3 h 44 min`, `12 min`, `40 s`.
  var spoken: String {
    let seconds = components.seconds
    if seconds >= 3_600 { return "\(seconds / 3_600) h \(seconds % 3_600 / 60) min" }
    return seconds >= 60 ? "\(seconds / 60) min" : "\(max(0, seconds)) s"
  }
}

extension Timestamp {
  /// What `iso8601` writes; nil for anything else.
  init?(iso8601 text: String) {
    let numbers = text.split(whereSeparator: { !$0.isASCII || !$0.isNumber }).map { Int64($0) ?? -1 }
    guard numbers.count == 7, text.utf8.count == 27, text.hasSuffix("Z"), (1...12).contains(numbers[1]) else { return nil }
    // Howard Hinnant's `days_from_civil`.
    let (year, month) = (numbers[1] > 2 ? numbers[0] : numbers[0] - 1, numbers[1])
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + numbers[2] - 1
    let days = year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    let seconds = ((days * 24 + numbers[3]) * 60 + numbers[4]) * 60 + numbers[5]
    self.init(microseconds: seconds * 1_000_000 + numbers[6])
  }
}
