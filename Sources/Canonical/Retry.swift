/// What the headers of a record say about its retries: `throughline dlq retry` writes them, ingest reads them.
public enum Retry {
  /// From this attempt on a record is not retried unless somebody insists.
  public static let maximumAttempts: Int32 = 5

  /// Counting ends here.
  public static let highestAttempt: Int32 = 1_000_000

  static let attemptName = "throughline_attempt"
  static let letterName = "throughline_retry_of"

  public static func isHeader(_ name: String) -> Bool { name == attemptName || name == letterName }

  /// Which time the record comes, from 1. What is no whole number up to `highestAttempt` says nothing: anybody may have written it.
  public static func attempt(of headers: [Record.Header]) -> Int32 {
    guard let bytes = headers.first(where: { $0.name == attemptName })?.value, (1...7).contains(bytes.count) else { return 1 }
    var attempt: Int32 = 0
    for byte in bytes {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return 1 }
      attempt = attempt * 10 + Int32(byte - UInt8(ascii: "0"))
    }
    return (1...highestAttempt).contains(attempt) ? attempt : 1
  }

  /// The record's own headers, and which attempt this is and for which dead letter; those of an earlier retry are replaced.
  public static func headers(_ headers: [Record.Header], attempt: Int32, of letter: ID) -> [Record.Header] {
    headers.filter { !isHeader($0.name) } + [
      .init(attemptName, Array(String(attempt).utf8)), .init(letterName, Array(letter.description.utf8)),
    ]
  }
}
